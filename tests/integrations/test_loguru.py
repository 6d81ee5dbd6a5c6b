"""loguru as the source of what goes into a session."""

from __future__ import annotations

import pytest

from integrations.libraries import METHODS, check_broken, found, run

pytest.importorskip("loguru")
RECIPE = "loguru_source.py"
LINE = r" SUCCESS \[\d+\] (?:__main__|__mp_main__):work order (\d+)$"


@pytest.mark.parametrize("method", METHODS)
def test_loguru(tmp_path, method):
    """Each line is there once, with loguru's level and the caller's place."""
    lines = run(RECIPE, tmp_path, method)
    assert found(lines, LINE) == list(range(1000))
    assert len(lines) == 1000


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_is_killed(tmp_path, method):
    """Its last line is there."""
    check_broken(found(run(RECIPE, tmp_path, method, "order 500"), LINE), 500)
