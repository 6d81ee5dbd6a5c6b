"""tqdm: a bar on a real terminal, below what all processes log."""

from __future__ import annotations

import pytest

from integrations.libraries import METHODS, check_broken, found, log_of, prepared

pytest.importorskip("tqdm")
pytest.importorskip("pyte")
from integrations.terminals import screen_after  # noqa: E402 - which needs it

RECIPE = "tqdm_progress.py"
SHOWN = r"^order (\d+)$"
BAR = r"^ *(\d+)%\|.*\| \d+/200 \[.*\]$"


@pytest.mark.parametrize("method", METHODS)
def test_tqdm(tmp_path, method):
    """Each line is whole on the screen, and the bar is there once."""
    command, more = prepared(RECIPE, tmp_path, method)
    status, lines = screen_after(command, tmp_path, **more)
    assert status == 0, lines
    assert found(lines, SHOWN) == list(range(200))
    assert found(lines, BAR) == [100]
    assert len(lines) == 201
    assert found(log_of(tmp_path), r"root: order (\d+)$") == list(range(200))


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_is_killed(tmp_path, method):
    """Its last line is on the screen and in the file."""
    command, more = prepared(RECIPE, tmp_path, method, "order 100")
    status, lines = screen_after(command, tmp_path, **more)
    assert status == 1
    check_broken(found(lines, SHOWN), 100)
    assert found(log_of(tmp_path), r"root: order (\d+)$") == found(lines, SHOWN)


def test_a_plain_console_tears(tmp_path):
    """So a torn bar would be seen: by a handler that knows nothing of it."""
    command, more = prepared(RECIPE, tmp_path, "fork")
    text = (tmp_path / RECIPE).read_text()
    (tmp_path / RECIPE).write_text(text.replace("AboveTheBar()", "logging.StreamHandler()"))
    status, lines = screen_after(command, tmp_path, **more)
    assert status == 0
    assert found(lines, SHOWN) != list(range(200))
