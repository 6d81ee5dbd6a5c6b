"""`mplogging.testing` as its recipe uses it, by itself and under pytest-xdist."""

from __future__ import annotations

import sys

import pytest

from integrations.recipes import PATIENCE_SECONDS, laid_out, output, started


def run(tmp_path, *arguments):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments,
               laid_out("pytest_mplog.py", tmp_path).name]  # fmt: skip
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    with started(command, tmp_path) as process:
        assert process.wait(PATIENCE_SECONDS) == 0, output(tmp_path)
    return output(tmp_path)


def test_the_recipe(tmp_path):
    """Its tests count the lines of their workers, one of which is killed."""
    assert "2 passed" in run(tmp_path)


def test_under_xdist(tmp_path):
    """Each of its processes has a session of its own."""
    pytest.importorskip("xdist")
    assert "2 passed" in run(tmp_path, "-n", "2")
