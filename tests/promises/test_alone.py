"""A process that is alone in its session: its records are in the file when the call returns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import fault_jobs
import pytest
from ledgers import LOGS, check, prepare
from processes import sweep

import mplogging

WAYS = ["_exit", "kill", "terminate", "segfault"]


def end_alone(directory: Path, way: str, workers: int = 0, **settings: object) -> None:
    """Run a program that ends so after 2,000 records."""
    prepare(directory)
    settings = {"way": way, "workers": workers, "handleSignals": False, **settings}
    root = str(Path(mplogging.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, fault_jobs.__file__, "alone", str(directory), json.dumps(settings)],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert (done.returncode == 0) == (way == "_exit")


@pytest.mark.parametrize("has_had_workers", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_an_abrupt_end(tmp_path, way, has_had_workers):
    """2,000 of 2,000, without any recovery; also after its workers have ended."""
    workers = 2 if has_had_workers else 0
    end_alone(tmp_path, way, workers)
    assert check(tmp_path).records() == 2000 + 100 * workers
    assert sweep(tmp_path / LOGS) == 0


def test_beside_a_handler_that_is_waited_for(tmp_path):
    """While that one may have more records, nothing is left to the listener."""
    end_alone(tmp_path, "kill", has_stuck=True, handlerOverflow="block")
    assert check(tmp_path).records() == 2000
    assert sweep(tmp_path / LOGS) == 0


def test_beside_a_handler_that_has_no_room(tmp_path):
    """The listener waits for it, and no call does: what it has not written stays behind it."""
    end_alone(tmp_path, "kill", has_stuck=True, handlerOverflow="block", handlerCapacity=5)
    assert sweep(tmp_path / LOGS) > 0
    assert check(tmp_path).records() == 2000
