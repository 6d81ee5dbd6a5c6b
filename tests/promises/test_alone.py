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


@pytest.mark.parametrize("has_had_workers", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_an_abrupt_end(tmp_path, way, has_had_workers):
    """2,000 of 2,000, without any recovery; also after its workers have ended."""
    prepare(tmp_path)
    workers = 2 if has_had_workers else 0
    settings = {"way": way, "workers": workers, "handleSignals": False}
    root = str(Path(mplogging.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, fault_jobs.__file__, "alone", str(tmp_path), json.dumps(settings)],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert (done.returncode == 0) == (way == "_exit")
    assert check(tmp_path).records() == 2000 + 100 * workers
    assert sweep(tmp_path / LOGS) == 0
