"""What processes with a flight recorder do, importable where they are spawned."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import sys
import time

import mplogging

log = logging.getLogger("flying")
WAYS = {
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGSEGV": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "_exit": lambda: os._exit(3),
}


def fly(name, count=3):
    """Low records, and one for the log."""
    for number in range(count):
        log.debug("%s low %d", name, number)
    log.info("%s high", name)


def fly_and_die(name, way, count=3):
    fly(name, count)
    faulthandler.disable()  # pytest's, which has a lot to say of a SIGSEGV
    WAYS[way]()


def fly_and_fail(name):
    fly(name)
    log.error("%s failed", name)
    log.error("%s failed again", name)


def fly_until(name, path):
    """Until that file is there."""
    fly(name)
    path, deadline = str(path), time.monotonic() + 60
    with open(f"{path}.{name}", "w"):
        pass
    while not os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.01)


def outlive(name, path):
    """Goes on to log when it may, until another file is there."""
    fly_until(name, path)
    log.debug("an orphan, low")
    deadline = time.monotonic() + 60
    while not os.path.exists(f"{path}.end") and time.monotonic() < deadline:
        log.info("an orphan, high")
        time.sleep(0.02)


def die_with_a_worker(filename, method, job, path):
    """A program: its own process is killed once its worker flies."""
    import multiprocessing

    with mplogging.LogSession(filename, format="%(message)s", flightRecorder=10):
        log.debug("parent low")
        log.info("parent high")
        context = multiprocessing.get_context(method)
        worker = context.Process(target=globals()[job], args=("w", path))
        worker.start()
        deadline = time.monotonic() + 60
        while not os.path.exists(f"{path}.w") and time.monotonic() < deadline:
            time.sleep(0.01)
        print(worker.pid, flush=True)
        WAYS["SIGKILL"]()


def attached(address, name, way):
    """A program that attaches itself."""
    mplogging.attach(address)
    fly_and_die(name, way)


if __name__ == "__main__":
    from watch import flying

    getattr(flying, sys.argv[1])(*json.loads(sys.argv[2]))
