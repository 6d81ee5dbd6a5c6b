"""What `python -m mplogging stats` does: who logged how much, and when; what failed, and who fell
silent."""

from __future__ import annotations

import argparse
import collections
import logging
import re
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .._errors import ConfigError
from .._reading.entry import Entry
from .painting import Painter
from .reading import DEFAULT_FILE, add_reading_options, reader_of, reader_options

_MOST_ROWS = 20
_BAR = 40
# Steps that a table of times may have, in seconds: the first that needs few enough rows.
_STEPS = (60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400)
_MOST_TIMES = 60
_LEAST_GAP = 10.0
_MOST_GAPS = 5
_VARYING = re.compile(r"0x[0-9a-fA-F]+|\d+")
_SHOWN = 100


class Last(NamedTuple):
    """A process's last entry."""

    created: float
    message: str
    pattern: str  # of its first line, without its numbers


class Counts:
    """What is counted of a log's entries.

    Attributes:
        untold: Entries of which nothing could be told.
    """

    def __init__(self) -> None:
        self.entries = self.untold = 0
        self.levels: collections.Counter[str] = collections.Counter()
        self.processes: collections.Counter[str] = collections.Counter()
        self.loggers: collections.Counter[str] = collections.Counter()
        self.errors: collections.Counter[str] = collections.Counter()
        self.minutes: collections.Counter[int] = collections.Counter()
        self.first = self.latest = 0.0
        self.gaps: list[tuple[float, float]] = []  # length and end
        self.last: dict[str, Last] = {}

    def add(self, entry: Entry) -> None:
        """One more."""
        fields = entry.fields
        self.entries += 1
        level, created = entry.levelname, entry.created
        if level is None and created is None:
            self.untold += 1
        if level is not None:
            self.levels[level] += 1
        if fields.get("name") is not None:
            self.loggers[str(fields["name"])] += 1
        if (entry.levelno or 0) >= logging.ERROR:
            self.errors[_pattern(entry.message)] += 1
        if created is not None:
            self._add_time(created)
        process = _process(fields)
        if process:
            self.processes[process] += 1
            self.last[process] = Last(created or 0.0, entry.message, _pattern(entry.message))

    def _add_time(self, created: float) -> None:
        self.minutes[int(created // 60)] += 1
        if not self.first:
            self.first = self.latest = created
        if created - self.latest >= _LEAST_GAP:
            self.gaps = sorted([*self.gaps, (created - self.latest, created)])[-_MOST_GAPS:]
        self.first, self.latest = min(self.first, created), max(self.latest, created)

    def without_last_word(self) -> dict[str, Last]:
        """Processes that do not end with the words that most of them end with."""
        words = collections.Counter(last.pattern for last in self.last.values())
        if not words:
            return {}
        word, count = words.most_common(1)[0]
        if count < 2 or 2 * count <= len(self.last):
            return {}
        return {name: last for name, last in self.last.items() if last.pattern != word}


def _process(fields: dict[str, Any]) -> str:
    name, number = fields.get("processName"), fields.get("process")
    if name is None:
        return "" if number is None else str(number)
    return str(name) if number is None else f"{name}[{number}]"


def _pattern(message: str) -> str:
    return _VARYING.sub("#", message.partition("\n")[0])[:_SHOWN]


def add_stats(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "stats",
        help="count a log's entries by process, level, logger and time",
        description="Count the entries of a log, and show its gaps, its errors by their first"
        " line (numbers as #), and the processes that do not end with the words that most end"
        " with.",
        epilog="example: mplogging stats --since 1h logs/app.log\n\n"
        "exit status: 0 if there was an entry, 1 if not, 2 for a wrong call",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", nargs="?", default=DEFAULT_FILE, metavar="FILE",
        help="a log's name as its handler has it, or a file's (default: %(default)s)",
    )  # fmt: skip
    add_reading_options(parser)
    parser.set_defaults(run=stats)


def stats(options: argparse.Namespace) -> int:
    """Count, and print it; returns the exit status.

    Raises:
        ConfigError: An option can't work, or there is no such log.
    """
    reader = reader_of(options.file, must_exist=True, **reader_options(options))
    counts = Counts()
    for entry in reader:
        counts.add(entry)
    painter = Painter(sys.stdout)
    for line in _report(options.file, len(reader.files()), counts, sys.stdout.isatty()):
        painter.write(line.rstrip() + "\n")
    return 0 if counts.entries else 1


def _report(file: str, files: int, counts: Counts, has_bars: bool) -> Iterator[str]:
    span = f", {_text(counts.first)} to {_text(counts.latest)}" if counts.first else ""
    yield f"{file}: {counts.entries} entries in {files} files{span}"
    if counts.untold:
        yield f"{counts.untold} of them tell neither time nor level: --format says how to do it"
    for title, counter in (
        ("levels", counts.levels), ("processes", counts.processes), ("loggers", counts.loggers),
    ):  # fmt: skip
        yield from _table(title, counter.most_common(_MOST_ROWS), len(counter), has_bars)
    yield from _table("times", _by_time(counts.minutes), 0, has_bars)
    gaps = [(f"{_text(end - length)} to {_text(end)}", f"{length:.0f} s")
            for length, end in reversed(counts.gaps)]  # fmt: skip
    yield from _lines("gaps", gaps)
    yield from _table("errors", counts.errors.most_common(_MOST_ROWS), len(counts.errors), False)
    silent = [
        (name, f"{_text(last.created)}  {last.message.partition(chr(10))[0][:_SHOWN]}")
        for name, last in counts.without_last_word().items()
    ]
    yield from _lines("without the last word of the others", silent)


def _by_time(minutes: collections.Counter[int]) -> list[tuple[str, int]]:
    for step in _STEPS:
        counted: collections.Counter[int] = collections.Counter()
        for minute, count in minutes.items():
            counted[minute * 60 // step * step] += count
        if len(counted) <= _MOST_TIMES:
            break
    return [(_text(start), counted[start]) for start in sorted(counted)]


def _table(
    title: str, rows: list[tuple[str, int]], count: int, has_bars: bool
) -> Iterator[str]:
    most = max((number for _, number in rows), default=0)
    yield from _lines(title, [
        (name, f"{number:>9} {'#' * round(_BAR * number / most) if has_bars else ''}")
        for name, number in rows
    ])  # fmt: skip
    if count > len(rows):
        yield f"  and {count - len(rows)} more"


def _lines(title: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    rows = list(rows)
    if rows:
        width = max(len(name) for name, _ in rows)
        yield ""
        yield title
        for name, text in rows:
            yield f"  {name:<{width}}  {text}"


def _text(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (OverflowError, OSError, ValueError) as error:
        raise ConfigError(f"a time in the log is beyond the calendar: {seconds}") from error
