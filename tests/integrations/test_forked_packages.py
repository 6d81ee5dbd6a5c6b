"""`multiprocess` and `billiard`, which `multiprocessing` has been forked into, where installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import texts
from processes import sweep

import mplogging

PROGRAM = """
import importlib, logging, os, sys, time
import mplogging

package, moment = sys.argv[1:]
if moment == "before":
    importlib.import_module(package)

def say(word):
    logging.info("%s", word)

def outlive():
    logging.info("a worker")
    parent = os.getppid()
    os.kill(parent, 9)
    while os.getppid() == parent:
        time.sleep(0.001)

if __name__ == "__main__":
    with mplogging.LogSession("logs/app.log", format="%(message)s"):
        for method in ("fork", "spawn", "forkserver"):
            processes = importlib.import_module(package).get_context(method)
            if moment == "killed":
                processes.Process(target=outlive).start()
                time.sleep(60)
            for word in ("one", "two"):
                process = processes.Process(target=say, args=(f"{method} {word}",))
                process.start()
                process.join()
                assert process.exitcode == 0
    process = processes.Process(target=print, args=("not in the session",))
    process.start()
    process.join()
    assert process.exitcode == 0
"""
PACKAGES = ["multiprocess", "billiard"]


def run(tmp_path, *arguments):
    pytest.importorskip(arguments[0])
    (tmp_path / "program.py").write_text(PROGRAM)
    root = str(Path(mplogging.__file__).parent.parent)
    return subprocess.run(
        [sys.executable, "-W", "ignore", "program.py", *arguments], cwd=tmp_path,
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip


@pytest.mark.parametrize("moment", ["before", "within"])
@pytest.mark.parametrize("package", PACKAGES)
def test_workers_attach_by_themselves(package, moment, tmp_path):
    """Whether it was imported before the session or within it; after it, nothing is left."""
    done = run(tmp_path, package, moment)
    assert (done.returncode, done.stderr) == (0, "")
    (text,) = texts(tmp_path / "logs").values()
    assert text.splitlines() == [
        f"{method} {word}" for method in ("fork", "spawn", "forkserver") for word in ("one", "two")
    ]
    # billiard's `join` under forkserver returns a little before the worker is gone, whose
    # session then leaves its empty directory to the next.
    assert sweep(tmp_path / "logs") == 0


@pytest.mark.parametrize("package", PACKAGES)
def test_a_worker_that_outlives_its_parent(package, tmp_path):
    """At its end it writes what the parent had not read, and clears away the journal."""
    assert run(tmp_path, package, "killed").returncode == -9
    (text,) = texts(tmp_path / "logs").values()
    assert re.fullmatch(
        r"a worker\nthe session's own process \S+ \(pid \d+\) ended without leaving\n", text
    )
    assert not list((tmp_path / "logs").glob(".mplogging-*"))
