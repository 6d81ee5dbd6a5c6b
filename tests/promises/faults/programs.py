"""Whole programs that log at full speed until they are killed, or told that it is enough."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mplogging import DatedFileHandler, LogSession

from .account import FORMAT, Writer, accepted, filename
from .scenarios import DAYS, log_session
from .trial import watch

_fork = multiprocessing.get_context("fork")
ENOUGH = "enough"
_BATCH = 20
# Of the records' filling: mostly small, up to what is more than any pipe or page takes.
SIZES = (*[1, 20, 80, 200] * 40, 5000, 200_000, *[30] * 60, 2_000_000)
SMALL_SIZES = (1, 20, 80, 200, 3000)


def is_enough(directory: str) -> bool:
    return os.path.exists(os.path.join(directory, ENOUGH))


def log_on(
    directory: str,
    sizes: tuple[int, ...] = SIZES,
    to: logging.Handler | None = None,
    days: Iterable[int] = DAYS,
) -> None:
    """Log until it is enough."""
    watch()
    turn = os.getpid() % len(sizes)
    ours = Writer(directory, days, sizes[turn:] + sizes[:turn])
    while not is_enough(directory):
        ours.log(_BATCH, to=to)
        time.sleep(0.002)
    ours.close()


def session(directory: str, workers: int = 3, **options: Any) -> None:
    """A session whose workers log on, and itself too."""
    with log_session(directory, **options):
        processes = [
            _fork.Process(target=log_on, args=(directory,)) for _ in range(workers)
        ]
        for process in processes:
            process.start()
            Path(directory, f"worker-{process.pid}").touch()
        log_on(directory)
        for process in processes:
            process.join()


def workers(directory: str) -> list[int]:
    """The pids of the session's workers."""
    return [int(path.name.partition("-")[2]) for path in Path(directory).glob("worker-*")]


def days_in_turn() -> Iterator[int]:
    """Days ago: each for a while, the same in all processes, so that the others' files rest."""
    while True:
        yield int(time.time() / 0.5) % 3


def lone(directory: str, days: Iterable[int], **options: Any) -> None:
    """A handler alone."""
    handler = DatedFileHandler(filename(directory), utc=True, **options)
    handler.setFormatter(logging.Formatter(FORMAT))
    log_on(directory, SMALL_SIZES, handler, days)
    handler.close()


def small_session(directory: str, days: Iterable[int], **options: Any) -> None:
    """A session with two workers that log no large records."""
    with LogSession(filename(directory), format=FORMAT, utc=True, **options):
        processes = [
            _fork.Process(target=log_on, args=(directory, SMALL_SIZES, None, days))
            for _ in range(2)
        ]
        for process in processes:
            process.start()
        log_on(directory, SMALL_SIZES, None, days)
        for process in processes:
            process.join()


def wait_for_records(directory: str, writers: int, records: int = _BATCH) -> None:
    """Until that many writers have had so many records accepted each."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if sum(count >= records for count in accepted(directory).values()) >= writers:
            return
        time.sleep(0.005)
    raise AssertionError(f"too few records: {accepted(directory)}")


KILLS = ("parent", "worker", "drainer", "all")


def kill(how: str, directory: str, parent: int, chance: random.Random) -> None:
    """Kill who is meant at a random moment, and let the rest come to their end."""
    wait_for_records(directory, 4)
    time.sleep(chance.uniform(0, 0.1))
    others = workers(directory)
    chance.shuffle(others)
    if how == "parent":
        _kill(parent)
    elif how == "worker":
        _kill(others[0])
    elif how == "drainer":
        _kill(parent, signal.SIGSTOP)  # so that much waits in the journal
        time.sleep(chance.uniform(0, 0.05))
        _kill(parent)
        time.sleep(chance.uniform(0, 0.08))  # one of the others has it by now, or is about to
        _kill(others[0])
        time.sleep(chance.uniform(0, 0.05))
        if chance.random() < 0.5:
            _kill(others[1])
    else:
        os.killpg(parent, signal.SIGKILL)
    time.sleep(chance.uniform(0, 0.1))
    Path(directory, ENOUGH).touch()


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
