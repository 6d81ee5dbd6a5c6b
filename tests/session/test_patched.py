"""What replaces parts of the standard library while a session runs does not reach the session."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import texts

# As gevent's `patch_all` does it, only that whoever comes to use what it has put there fails.
PATCHED = """
import logging, os, queue, select, signal, sys, threading, time
import mplogging

def unusable(name):
    def replaced(*args, **kwargs):
        sys.stderr.write(f"{name} was called\\n")
        raise AssertionError(name)
    return replaced

def patch():
    for module, names in (
        (time, ("sleep", "monotonic")),
        (select, ("poll", "select", "epoll")),
        (queue, ("SimpleQueue", "Queue")),
        (threading, (
            # But for RLock: `logging` makes one for each handler, and a fork some more.
            "Thread", "Event", "Condition", "Semaphore", "Lock", "local",
            "_start_new_thread", "_start_joinable_thread",
        )),
    ):
        for name in names:
            if hasattr(module, name):
                setattr(module, name, unusable(f"{module.__name__}.{name}"))

log = logging.getLogger()
session = mplogging.LogSession("logs/app.log", format="%(message)s", handlers=[
    logging.FileHandler("logs/other.log"),
], overflow="block", bufferBytes=100_000)
"""
USE = """
for number in range(1000):
    log.info("record %d", number)
    if number == 500:
        assert session.flush(10)
child = os.fork()
if child == 0:
    for number in range(5000):
        log.info("child %d", number)
    os._exit(0)
_, status = os.waitpid(child, 0)
assert status == 0
assert session.flush(10)
"""
ENDS = {
    "leaving": "with session:\n    patch()\n    " + USE.replace("\n", "\n    "),
    "at exit": "session.start()\npatch()\n" + USE,
    "a signal": "session.start()\npatch()\n" + USE + "os.kill(os.getpid(), signal.SIGTERM)",
}


@pytest.mark.parametrize("end", ENDS)
def test_patched_within_the_session(tmp_path, end):
    """All is written, and it ends: what it needs it has from its import."""
    (tmp_path / "logs").mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PATCHED + ENDS[end]],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (-15 if end == "a signal" else 0, "")
    other = texts(tmp_path / "logs").pop("other.log")
    (text,) = (text for name, text in texts(tmp_path / "logs").items() if name != "other.log")
    for lines in (text.splitlines(), other.splitlines()):
        assert [line for line in lines if line.startswith("record")] == [
            f"record {number}" for number in range(1000)
        ]
    assert text.count("child") == 5000


def test_without_poll(tmp_path):
    """As eventlet leaves `select` before our import."""
    program = "import select\ndel select.poll\n" + PATCHED + "session.start()\n" + USE
    (tmp_path / "logs").mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    (text,) = (text for name, text in texts(tmp_path / "logs").items() if name != "other.log")
    assert len(text.splitlines()) == 6000
