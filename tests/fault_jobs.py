"""What the processes of the fault and load tests run; importable under every start method.

As a script, it is a program with a session, to be killed or to end in its own way:

    python fault_jobs.py PROGRAM DIRECTORY [JSON OF KEYWORD ARGUMENTS]
"""

from __future__ import annotations

import ctypes
import itertools
import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path

from ledgers import FORMAT, LEDGERS, LOGS, Ledger

import mplogging

ENOUGH = "enough"
ALIVE = "alive"
_BATCH = 20


def die(way: str) -> None:
    """End this process in one of many ways."""
    if way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif way == "terminate":
        os.kill(os.getpid(), signal.SIGTERM)
    elif way == "segfault":
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # no stack of faulthandler's, please
        ctypes.string_at(0)
    elif way == "_exit":
        os._exit(0)
    elif way == "raise":
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        raise RuntimeError("meant to happen")
    elif way == "sys.exit":
        sys.exit(3)


def log(directory: str, records: int, way: str = "return", sizes: tuple[int, ...] = (0, 40)) -> int:
    """Log so many records and end."""
    ledger = Ledger(directory, tuple(sizes))
    for _ in range(records):
        ledger.log()
    die(way)
    ledger.close()
    return records


def log_on(directory: str, sizes: tuple[int, ...] = (0, 40), way: str = "return") -> None:
    """Log until there is a file called `enough`."""
    ledger = Ledger(directory, tuple(sizes))
    enough = os.path.join(directory, ENOUGH)
    while not os.path.exists(enough):
        for _ in range(_BATCH):
            ledger.log()
    die(way)
    ledger.close()


def log_in_threads(directory: str, threads: int, records: int) -> None:
    """Log so many records in each of so many threads."""
    _in_threads(threads, log, (directory, records))


def log_on_in_threads(directory: str, threads: int) -> None:
    """Log in so many threads until there is a file called `enough`."""
    _in_threads(threads, log_on, (directory,))


def _in_threads(count, target, args) -> None:
    threads = [threading.Thread(target=target, args=args) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def log_in_steps(directory: str, records: int, way: str = "return") -> None:
    """Log so many records, at once and with each file `step-1`, `step-2`, … until `enough`."""
    ledger = Ledger(directory)
    for step in itertools.count(1):
        for _ in range(records):
            ledger.log()
        if wait_for(directory, f"step-{step}", ENOUGH) == ENOUGH:
            break
    die(way)
    ledger.close()


def wait_for(directory: str, *names: str) -> str:
    """Wait until there is a file of one of these names, and return it."""
    while True:
        for name in names:
            if os.path.exists(os.path.join(directory, name)):
                return name
        time.sleep(0.002)


def orphan(directory: str, job: str, *args: object) -> None:
    """Run a job, and hold the writing end of `alive` for as long as this process lives."""
    os.open(os.path.join(directory, ALIVE), os.O_WRONLY)
    globals()[job](directory, *args)


# -- programs -------------------------------------------------------------------------


def program(
    directory: str,
    method: str = "fork",
    workers: int = 4,
    job: str = "log_on",
    args: tuple[object, ...] = (),
    way: str = "wait",
    daemon: bool = False,
    read_bytes: int = 0,
    **options: object,
) -> None:
    """A session around so many workers; the main process then goes its way."""
    if read_bytes:
        mplogging._pipe._READ_BYTES = read_bytes
    context = multiprocessing.get_context(method)
    with mplogging.LogSession(os.path.join(directory, LOGS, "app.log"), format=FORMAT, **options):
        processes = [
            context.Process(target=orphan, args=(directory, job, *args), daemon=daemon)
            for _ in range(workers)
        ]
        for process in processes:
            process.start()
        if way == "wait":
            for process in processes:
                process.join()
            return
        while sum(1 for _ in Path(directory, LEDGERS).iterdir()) < workers:
            time.sleep(0.01)
        if way == "log":
            log_on(directory)
        if way == "pause":
            wait_for(directory, ENOUGH)
        die(way)
    # Left with the workers still running.
    wait_for(directory, ENOUGH)


def bare(directory: str, way: str = "return", **options: object) -> None:
    """A session that is started and never stopped."""
    session = mplogging.LogSession(
        os.path.join(directory, LOGS, "app.log"), format=FORMAT, **options
    )
    session.start()
    log(directory, 1000, way)


def forker(directory: str, forks: int, threads: int, way: str = "_exit") -> None:
    """Fork while threads log; each child logs, and leaves the session's block."""
    children = []
    session = mplogging.LogSession(os.path.join(directory, LOGS, "app.log"), format=FORMAT)
    logging_threads = [
        threading.Thread(target=log_on, args=(directory,)) for _ in range(threads)
    ]
    with session:
        for thread in logging_threads:
            thread.start()
        for _ in range(forks):
            child = os.fork()
            if child == 0:
                break
            children.append(child)
        if not child:
            log(directory, 20)
        else:
            for child in children:
                os.waitpid(child, 0)
            Path(directory, ENOUGH).touch()
            for thread in logging_threads:
                thread.join()
            session.flush()
            assert session.stats().workers == forks
    if not child:
        log(directory, 20)  # the session goes on, whatever a child of it does
        if way == "_exit":
            os._exit(0)
        sys.exit(0)
    logging.getLogger("jobs").info("nobody hears this")


if __name__ == "__main__":
    import fault_jobs  # what is pickled must be found under this name

    name, where, *settings = sys.argv[1:]
    getattr(fault_jobs, name)(where, **json.loads(settings[0] if settings else "{}"))
