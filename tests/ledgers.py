"""Numbered records whose acceptance is noted where the death of their writer can't undo it.

A writer notes the number of the log call that has returned in a file of its own.
So whatever happens to it, the records that it had accepted are known, and `check`
compares them with every line of the log's directory.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import time
from pathlib import Path
from typing import NamedTuple

FORMAT = "%(levelname)s %(processName)s: %(message)s"
LOGS, LEDGERS = "logs", "ledgers"
_LINE = re.compile(
    r"(?P<level>[A-Z]+) [^:]+: (?P<name>\S+) (?P<number>\d+) (?P<size>\d+) (?P<fill>x*)\."
)
_OWN = re.compile(r"WARNING [^:]+: .*")
_DEATH = re.compile(r"(WARNING|ERROR) [^:]+: .+ \(pid \d+\) ended (by|with|without) .+")
_TRACE = re.compile(
    r"Fatal Python error: .+|(Current t|T)hread 0x.+|Extension modules: .+|  (File .+|\.\.\.)"
)
_count = itertools.count()


class Ledger:
    """Logs numbered records in one thread, and keeps account.

    Args:
        directory: The test's directory.
        sizes: How many bytes of filling the records have, in turn.
    """

    def __init__(self, directory: Path | str, sizes: tuple[int, ...] = (0, 20, 40, 60)) -> None:
        # Without the directory's name the ledger of a writer that has not begun is none.
        self.name = f"{os.getpid()}-{next(_count)}-{time.time_ns()}"
        path = os.path.join(directory, LEDGERS, self.name)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        self._fills = [f"{size} {'x' * size}." for size in sizes]
        self.accepted = 0

    def log(self, level: int = logging.INFO) -> None:
        """Log the next record."""
        number = self.accepted
        fill = self._fills[number % len(self._fills)]
        logging.getLogger("jobs").log(level, "%s %d %s", self.name, number, fill)
        self.accepted = number + 1
        os.pwrite(self._descriptor, self.accepted.to_bytes(8, "little"), 0)

    def close(self) -> None:
        os.close(self._descriptor)


class Entry(NamedTuple):
    """One record that was found."""

    level: str
    number: int


class Found(NamedTuple):
    """What the log's files hold."""

    entries: dict[str, list[Entry]]  # by ledger, in the order of the files
    warnings: list[str]  # lines of mplogging's own
    others: list[str]  # lines that nobody logged: torn ones
    deaths: list[str]  # the lines that tell of one

    def records(self) -> int:
        return sum(map(len, self.entries.values()))


def prepare(directory: Path) -> Path:
    """Make the directories; returns the log's name."""
    (directory / LEDGERS).mkdir()
    return directory / LOGS / "app.log"


def accepted(directory: Path) -> dict[str, int]:
    """How many records each writer has had accepted by now."""
    return {
        path.name: int.from_bytes(path.read_bytes(), "little")
        for path in (directory / LEDGERS).iterdir()
    }


def all_have(directory: Path, writers: int, records: int) -> bool:
    """True once there are that many writers, each with that many records."""
    counts = accepted(directory).values()
    return len(counts) >= writers and min(counts) >= records


def find(directory: Path) -> Found:
    """Read every file of the log, but nothing of a journal beside it."""
    found = Found({}, [], [], [])
    for path in sorted((directory / LOGS).iterdir()):
        if path.is_dir():
            continue
        text = path.read_text()
        assert not text or text.endswith("\n"), f"{path} ends with half a line"
        is_trace = False
        for line in text.splitlines():
            match = _LINE.fullmatch(line)
            if match and len(match["fill"]) == int(match["size"]):
                entry = Entry(match["level"], int(match["number"]))
                found.entries.setdefault(match["name"], []).append(entry)
            elif _DEATH.fullmatch(line):
                found.deaths.append(line)
            elif is_trace and _TRACE.fullmatch(line):
                continue  # of the death before it
            elif _OWN.fullmatch(line):
                found.warnings.append(line)
            else:
                found.others.append(line)
            is_trace = _DEATH.fullmatch(line) is not None
    return found


def check(directory: Path, others: str = "") -> Found:
    """Assert that all accepted records are there, whole, once, in order, and nothing else.

    A writer that was killed may have one record more there than it could note.

    Args:
        others: How further lines may end, if there may be any.
    """
    found = find(directory)
    strange = [line for line in found.others if not (others and line.endswith(others))]
    assert not strange, strange[:3]
    counts = accepted(directory)
    assert set(found.entries) <= set(counts)
    for name, count in counts.items():
        numbers = [entry.number for entry in found.entries.get(name, [])]
        assert numbers == list(range(len(numbers))), (name, first_break(numbers))
        assert count <= len(numbers) <= count + 1, (name, count, len(numbers))
    return found


def first_break(numbers: list[int]) -> str:
    """Where a sequence is not one."""
    for place, number in enumerate(numbers):
        if number != place:
            return f"{numbers[max(0, place - 2):place + 3]} at {place}"
    return "none"


def until_nothing_moves(directory: Path, writers: int) -> None:
    """Wait until so many writers get no further: the journal is full."""
    before: dict[str, int] = {}
    while (now := accepted(directory)) != before or len(now) < writers:
        before = now
        time.sleep(0.3)
