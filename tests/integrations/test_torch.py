"""PyTorch's DataLoader."""

from __future__ import annotations

import sys

import pytest
from processes import sweep

from integrations.recipes import (
    PATIENCE_SECONDS,
    kill_who_logged,
    laid_out,
    logged,
    numbers,
    output,
    ran,
    started,
)

pytest.importorskip("torch")


def test_every_line_is_there(tmp_path):
    """Once, those of workers and those of the program itself."""
    ran("torch_loader.py", tmp_path, "1000")
    text = logged(tmp_path)
    assert numbers(text, r"Process-\d+\[\d+\] root: number (\d+)$") == list(range(1000))
    assert numbers(text, r"MainProcess\S+ root: sum (\d+)$") == [sum(range(1000))]


def test_a_killed_worker(tmp_path):
    """The program ends with an error, and all that was logged is there, once."""
    name = laid_out("torch_loader.py", tmp_path).name
    with started([sys.executable, name, "1000000"], tmp_path) as program:
        kill_who_logged(tmp_path, r"number \d+$", 200)
        assert program.wait(PATIENCE_SECONDS) == 1, output(tmp_path)
        assert "killed by signal: Killed" in output(tmp_path)
    sweep(tmp_path / "logs")
    found = numbers(logged(tmp_path), r" root: number (\d+)$")
    assert 200 <= len(found) == len(set(found))
