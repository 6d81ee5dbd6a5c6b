"""rich: a bar on a real terminal, below what all processes log."""

from __future__ import annotations

import re

import pytest

from integrations.libraries import METHODS, check_broken, found, log_of, prepared

pytest.importorskip("rich")
pytest.importorskip("pyte")
from integrations.terminals import screen_after  # noqa: E402 - which needs it

RECIPE = "rich_progress.py"
SHOWN = r"^(?:\[\d\d/\d\d/\d\d \d\d:\d\d:\d\d\]| {19}) INFO     order (\d+)$"
BAR = r"^Working\.\.\. ━+ +(\d+)% \S+$"


@pytest.mark.parametrize("method", METHODS)
def test_rich(tmp_path, method):
    """Each line is whole on the screen, the bar once and last; the traceback shows its source."""
    command, more = prepared(RECIPE, tmp_path, method)
    status, lines = screen_after(command, tmp_path, **more)
    assert status == 0, lines
    assert found(lines, SHOWN) == list(range(200))
    assert found(lines, BAR) == [100] and re.match(BAR, lines[-1])
    assert sum("❱" in line and "1 / (number - 7)" in line for line in lines) == 1
    assert sum(line.strip() == "ZeroDivisionError: division by zero" for line in lines) == 1
    assert sum("INFO" in line for line in lines) == 200  # each is one that was found
    assert found(log_of(tmp_path), r"root: order (\d+)$") == list(range(200))
    assert found(log_of(tmp_path), r"root: no price for (\d+)$") == [7]


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_is_killed(tmp_path, method):
    """Its last line is on the screen and in the file."""
    command, more = prepared(RECIPE, tmp_path, method, "order 100")
    status, lines = screen_after(command, tmp_path, **more)
    assert status == 1
    check_broken(found(lines, SHOWN), 100)
    assert found(log_of(tmp_path), r"root: order (\d+)$") == found(lines, SHOWN)
