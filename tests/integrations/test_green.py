"""gevent and eventlet patch the standard library, before our import, or while a session runs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import texts

PATCHES = {
    "gevent": "from gevent import monkey, sleep, spawn\npatch = monkey.patch_all\n",
    "eventlet": "from eventlet import monkey_patch as patch, sleep, spawn\n",
}
PROGRAM = """
import logging, multiprocessing, os, sys, threading, time
import mplogging

def work(number):
    for part in range(100):
        logging.info("number %d part %d", number, part)
        if part % 10 == 0:
            time.sleep(0.001)

session = mplogging.LogSession(
    "logs/app.log", format="%(message)s", bufferBytes=100_000, stopTimeout=20,
    handlers=[logging.FileHandler("other.log")],
)
with session:
    if sys.argv[1] == "within":
        patch()
    greenlets = [spawn(work, number) for number in range(10)]
    threads = [threading.Thread(target=work, args=(number,)) for number in range(10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while session.stats().records < 2000:
        sleep(0.01)
    process = multiprocessing.get_context("spawn").Process(target=logging.info, args=("child",))
    process.start()
    process.join()
    assert session.flush(20)
    logging.info("end")
"""


@pytest.mark.parametrize("when", ["before", "within"])
@pytest.mark.parametrize("name", PATCHES)
def test_green_threads(tmp_path, name, when):
    """Every record of every greenlet, thread and process is there, and the session ends."""
    pytest.importorskip(name)
    program = PATCHES[name] + ("patch()\n" if when == "before" else "") + PROGRAM
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-X", "faulthandler", "-c", program, when],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (text,) = texts(tmp_path / "logs").values()
    for lines in (text.splitlines(), (tmp_path / "other.log").read_text().splitlines()):
        for number in range(20):
            assert [line for line in lines if line.startswith(f"number {number} ")] == [
                f"number {number} part {part}" for part in range(100)
            ]
        assert lines[-2:] == ["child", "end"]
