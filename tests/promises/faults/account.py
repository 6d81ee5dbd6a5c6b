"""Numbered records of given times, of which it is known whether they were accepted.

The number of the log call that has returned is noted at once in a file of its own. So
whatever happens to the writer, `made_up` knows what must be found, and where.
"""

from __future__ import annotations

import gzip
import itertools
import logging
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from .calls import raw_open, raw_pwrite

FORMAT = "%(levelname)s %(processName)s: %(message)s"
LOGS, LEDGERS = "logs", "ledgers"
DAY = 86400.0
_LINE = re.compile(r"INFO [^:]+: (\S+) (\d+) (\d+) (\d{4}-\d\d-\d\d) (x*)\.")
_OWN = re.compile(r"WARNING [^:]+: .*|ERROR [^:]+: .+ \(pid \d+\) ended .+")
_FILE = re.compile(r"app\.log\.(\d{4}-\d\d-\d\d)(?:\.(\d+))?(\.gz)?")
_TEMPORARY = re.compile(r"app\.log\.[-\d.]+\.gz\.tmp|app\.log\.tmp")
_count = itertools.count()
logger = logging.getLogger("faults")


class Writer:
    """Logs numbered records, and keeps account of them.

    Args:
        directory: The trial's.
        days: How many days ago they are from; those of a tuple again and again.
        sizes: How many bytes of filling they have, in turn.
    """

    def __init__(
        self, directory: str, days: Iterable[int] = (0,), sizes: tuple[int, ...] = (0, 30)
    ) -> None:
        self.name = f"{os.getpid()}-{next(_count)}-{time.time_ns()}"
        self._ledger = raw_open(
            os.path.join(directory, LEDGERS, self.name), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        )
        self._days = itertools.cycle(days) if isinstance(days, tuple) else iter(days)
        self._sizes = itertools.cycle(sizes)
        self.accepted = 0

    def record(self) -> logging.LogRecord:
        """The next one."""
        created, size = _noon(next(self._days)), next(self._sizes)
        day = time.strftime("%Y-%m-%d", time.gmtime(created))
        args = self.name, self.accepted, size, day, "x" * size
        record = logger.makeRecord("faults", logging.INFO, "", 0, "%s %d %d %s %s.", args, None)
        record.created = created
        return record

    def log(self, count: int = 1, to: logging.Logger | logging.Handler | None = None) -> None:
        """Log so many, to the root logger's handlers unless it is said where."""
        for _ in range(count):
            (to or logging.getLogger()).handle(self.record())
            self.note()

    def note(self) -> None:
        """The last record is accepted."""
        self.accepted += 1
        raw_pwrite(self._ledger, self.accepted.to_bytes(8, "little"), 0)

    def close(self) -> None:
        os.close(self._ledger)


def _noon(days_ago: int) -> float:
    now = time.time()
    return now - now % DAY - days_ago * DAY + DAY / 2 if days_ago else now


def prepare(directory: Path) -> None:
    """Make what the trials of this directory need."""
    for name in (LOGS, LEDGERS):
        (directory / name).mkdir(parents=True)


def filename(directory: str | Path) -> str:
    """Of the log."""
    return os.path.join(directory, LOGS, "app.log")


def accepted(directory: str | Path) -> dict[str, int]:
    """How many records each writer has had accepted by now."""
    with os.scandir(os.path.join(directory, LEDGERS)) as ledgers:
        return {
            entry.name: int.from_bytes(Path(entry.path).read_bytes(), "little")
            for entry in ledgers
        }


class Found:
    """What is wrong with a log, in words, and what is in it."""

    def __init__(self, directory: str | Path) -> None:
        self.problems: list[str] = []
        self.own: list[str] = []  # lines of mplogging's
        self.numbers: dict[str, list[int]] = defaultdict(list)
        self._by_day: dict[tuple[str, str], list[int]] = defaultdict(list)
        for name, day, lines in self._files(Path(directory, LOGS)):
            for line in lines:
                self._take(name, day, line)
        self.accepted = accepted(directory)

    def _files(self, logs: Path) -> Iterator[tuple[str, str, list[str]]]:
        paths = []
        for path in logs.iterdir():
            match = _FILE.fullmatch(path.name)
            if match:
                paths.append((match[1], int(match[2] or 0), bool(match[3]), path))
            elif not path.is_symlink() and not path.name.startswith(".mplogging-"):
                self.problems.append(f"left over: {path.name}")
        texts: dict[tuple[str, int], bytes] = {}
        for day, part, is_compressed, path in sorted(paths):
            data = gzip.decompress(path.read_bytes()) if is_compressed else path.read_bytes()
            if texts.get((day, part)) == data:
                continue  # compressed, and about to be removed
            texts[day, part] = data
            if data and not data.endswith(b"\n"):
                self.problems.append(f"torn: {path.name} ends {data[-120:]!r}")
            yield path.name, day, data.decode("utf-8", "surrogateescape").split("\n")[:-1]

    def _take(self, file: str, day: str, line: str) -> None:
        match = _LINE.fullmatch(line)
        if match and len(match[5]) == int(match[3]):
            name, number = match[1], int(match[2])
            self.numbers[name].append(number)
            self._by_day[name, day].append(number)
            if match[4] != day:
                self.problems.append(f"misfiled: {line[:80]!r} in {file}")
        elif _OWN.fullmatch(line):
            self.own.append(line)
        else:
            self.problems.append(f"torn: {line[:80]!r} in {file}")

    def check(self, order: bool = True) -> None:
        """Add what of the account is not as it must be."""
        for name, count in self.accepted.items():
            numbers = Counter(self.numbers.get(name, ()))
            lost = sorted(set(range(count)) - set(numbers))
            doubled = sorted(number for number, times in numbers.items() if times > 1)
            # A writer that was killed may have one more there than it could note.
            extra = sorted(number for number in numbers if number > count)
            for what, these in (("lost", lost), ("doubled", doubled), ("unknown", extra)):
                if these:
                    self.problems.append(f"{what}: {len(these)} of {name}: {these[:8]}")
        for name in set(self.numbers) - set(self.accepted):
            self.problems.append(f"unknown writer: {name}")
        for (name, day), numbers_of_day in self._by_day.items() if order else ():
            if numbers_of_day != sorted(numbers_of_day):
                self.problems.append(f"out of order: {name} on {day}: {numbers_of_day[:60]}")


def made_up(directory: str | Path, order: bool = True) -> Found:
    """Look for all accepted records; `problems` says what is wrong."""
    found = Found(directory)
    found.check(order)
    return found


def sweep_temporaries(directory: Path) -> None:
    """What a killed compression, or link, leaves until the next one."""
    for path in (directory / LOGS).iterdir():
        if _TEMPORARY.fullmatch(path.name):
            path.unlink()
