"""What the workers of the take-over tests run, as jobs of `fault_jobs.program`.

They log, wait until their parent is dead with a backlog in the journal (`dead`), and
go on in the way that the test is about.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import warnings
from pathlib import Path

import fault_jobs
from ledgers import Ledger

from mplogging._delivery.reading import Reader


class Timeout(Exception):
    """Raised by a signal handler."""


def _touch(directory: str, name: str) -> None:
    Path(directory, name).touch()


def with_a_backlog(directory: str, records: int, name: str) -> Ledger:
    """Log so many records while the parent is stopped, and wait for its death."""
    ledger = Ledger(directory)
    ledger.log()
    fault_jobs.wait_for(directory, "stopped")
    for _ in range(records):
        ledger.log()
    _touch(directory, f"ready-{name}")
    fault_jobs.wait_for(directory, "dead")
    return ledger


def be_stopped(directory: str, records: int) -> None:
    """Be stopped just as it has begun to read."""
    ledger = with_a_backlog(directory, records, "stopped")
    take_up = Reader.take_up

    def stop(self):
        Reader.take_up = take_up
        _touch(directory, f"stopped-{os.getpid()}")
        _touch(directory, "drains")
        os.kill(os.getpid(), signal.SIGSTOP)
        take_up(self)

    Reader.take_up = stop
    while Reader.take_up is stop:  # at its next look
        ledger.log()
        time.sleep(0.01)
    fault_jobs.wait_for(directory, fault_jobs.ENOUGH)


def log_beside(directory: str, records: int, *names: str) -> None:
    """Log some records after each of these files has come."""
    ledger = with_a_backlog(directory, records, "beside")
    for name in names:
        fault_jobs.wait_for(directory, name)
        for _ in range(5):
            ledger.log()
        _touch(directory, f"after-{name}")
    fault_jobs.wait_for(directory, fault_jobs.ENOUGH)


def log_on_later(directory: str, records: int) -> None:
    """Log on until `enough`."""
    ledger = with_a_backlog(directory, records, str(os.getpid()))
    while not os.path.exists(os.path.join(directory, fault_jobs.ENOUGH)):
        ledger.log()
        time.sleep(0.0005)


def have_no_descriptor(directory: str, records: int) -> None:
    """Notice the death with no descriptor left; later there are some again."""
    ledger = with_a_backlog(directory, records, "poor")
    with fault_jobs.no_descriptors():
        for _ in range(3):
            ledger.log()
    for _ in range(200):
        ledger.log()
        time.sleep(0.002)


def fork_without_descriptors(directory: str, records: int) -> None:
    """Fork a child with no descriptor left, which then has the backlog to itself."""
    Ledger(directory).close()
    fault_jobs.wait_for(directory, "stopped")
    with fault_jobs.no_descriptors():
        child = os.fork()
    if child == 0:
        with_a_backlog(directory, records, "child").log()
        _touch(directory, "done")
        os._exit(0)
    os._exit(0)


def be_interrupted(directory: str, records: int, seconds: float) -> None:
    """Have the take-over ended by a signal handler that raises, again and again."""
    ledger = with_a_backlog(directory, records, "interrupted")

    def interrupt(*_):
        raise Timeout

    signal.signal(signal.SIGALRM, interrupt)
    # What a system call has just opened then has nobody to close it.
    warnings.simplefilter("ignore", ResourceWarning)
    for times in range(20):
        with contextlib.suppress(Timeout):
            signal.setitimer(signal.ITIMER_REAL, seconds * (1 + times / 4))
            try:
                fault_jobs.logging.getLogger("jobs").info("a call that a timeout may end")
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    for _ in range(500):
        ledger.log()
