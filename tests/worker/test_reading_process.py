"""Whether the process that reads a session's journals lives, where that can't be seen."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import builtins, logging, multiprocessing, multiprocessing.util, os, signal, sys, time
import mplogging
from mplogging._worker import reading_process

def open_but_proc(name, *args, _open=open, **keywords):
    if str(name).startswith("/proc"):
        raise FileNotFoundError(name)
    return _open(name, *args, **keywords)

builtins.open = open_but_proc
NAMES = ("one", "two", "three")
waited = []

def work(parent, ready):
    for name in NAMES:
        logging.getLogger(name).error("before")
    ready.send(None)
    while os.getppid() == parent:
        time.sleep(0.01)
    reading_process.sleep = waited.append
    reading_process.monotonic = lambda: sum(waited)
    multiprocessing.util.Finalize(
        None, lambda: print(sum(waited), flush=True), exitpriority=-5000  # after it has left
    )
    for name in NAMES:
        logging.getLogger(name).error("after")

if __name__ == "__main__":
    for name in NAMES:
        logging.getLogger(name).addHandler(mplogging.DatedFileHandler(f"logs/{name}.log"))
    mplogging.LogSession(reportDeaths=False).start()
    context = multiprocessing.get_context(sys.argv[1])
    ours, theirs = context.Pipe()
    context.Process(target=work, args=(os.getpid(), theirs)).start()
    ours.recv()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_one_that_is_dead_is_waited_for_once(tmp_path, method):
    """Not for each file: nobody has buried it yet, so that its number is still there."""
    (tmp_path / "program.py").write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "program.py", method], cwd=tmp_path,
        stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as program:  # fmt: skip
        waited = program.communicate(timeout=60)[0]  # to the worker's end
    assert program.returncode == -9
    assert 0.5 <= float(waited) < 0.6
    logs = [path.read_text().split() for path in (tmp_path / "logs").iterdir() if path.is_file()]
    assert [[line for line in log if line in ("before", "after")] for log in logs] == 3 * [
        ["before", "after"]
    ]
