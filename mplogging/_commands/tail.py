"""What `python -m mplogging tail` does: the end of a log, of several, and what comes to them."""

from __future__ import annotations

import argparse
import collections
import heapq
import itertools
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Callable

from .._delivery.recovery import remains
from .._errors import ConfigError
from .._levels import check_level
from .._reading.entry import Entry
from .._reading.reader import LogReader
from .._wire.where import leftovers
from .painting import Painter
from .reading import DEFAULT_FILE, add_reading_options, reader_of, reader_options

_LINES = 20
_LOOK_SECONDS = 0.1

# What entries are chosen by: the option, and the fields of which one says it.
_FIELDS = {
    "level": ("levelname", "levelno"), "process": ("process", "processName"), "logger": ("name",),
}  # fmt: skip

Stamped = tuple[float, int, Entry]


def add_tail(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "tail",
        help="show the end of a log, and what comes to it",
        description="Show the last entries of a log, across its dates, parts and compressed"
        " files.",
        epilog="example: mplogging tail -f --level WARNING logs/app.log\n\n"
        "exit status: 0 if something was shown, 1 if not, 2 for a wrong call",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "files", nargs="*", metavar="FILE",
        help=f"a log's name as its handler has it, or a file's (default: {DEFAULT_FILE})",
    )  # fmt: skip
    add("-f", "--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    add(
        "-n", dest="count", type=int, metavar="N",
        help=f"entries to begin with (default: {_LINES}; with --since or --all: all)",
    )  # fmt: skip
    add("--all", action="store_true", help="begin with the oldest file")
    add_reading_options(parser)
    add("--level", help="only entries of this level or above")
    add("--process", metavar="NAME|PID", help="only entries of this process")
    add("--logger", metavar="NAME", help="only entries of this logger and those below it")
    add("--merge", action="store_true", help="several logs by time, not one after the other")
    add("--cursor", metavar="FILE", help="go on where the last call with this file ended")
    parser.set_defaults(run=tail)


def tail(options: argparse.Namespace) -> int:
    """Show the entries; returns the exit status.

    Raises:
        ConfigError: An option can't work, or there is no such log.
    """
    files = options.files or [DEFAULT_FILE]
    arguments = {**reader_options(options), "where": _wanted(options)}
    cursors = _loaded(options.cursor)
    count = _count(options)
    readers = []
    for file in files:
        cursor = cursors.get(os.path.abspath(file))
        last = None if cursor is not None else count
        must_exist = not options.follow and cursor is None
        readers.append(reader_of(file, must_exist, cursor=cursor, last=last, **arguments))
    painter = Painter(sys.stdout)
    shown = 0
    unsaid: collections.Counter[str] = collections.Counter()
    entries = _merged(readers) if options.merge else _in_turn(readers)
    if options.merge and count is not None and not cursors:
        entries = iter(collections.deque(entries, count))
    while True:
        entries = _counted(entries, options, unsaid)
        shown += painter.show(entries, files if len(files) > 1 else [], options.merge)
        _save(options.cursor, files, readers)
        if not options.follow:
            break
        time.sleep(_LOOK_SECONDS)
        entries = _merged(readers) if options.merge else _in_turn(readers)
    shown += _show_remains(painter, files)
    _tell(unsaid)
    return 0 if shown else 1


def _count(options: argparse.Namespace) -> int | None:
    if options.count is None:
        return None if options.all or options.since is not None else _LINES
    if options.count < 0:
        raise ConfigError(f"-n must be 0 or more, got {options.count}")
    return int(options.count)


def _in_turn(readers: list[LogReader]) -> Iterator[Stamped]:
    for number, reader in enumerate(readers):
        for entry in reader:
            yield 0.0, number, entry


def _merged(readers: list[LogReader]) -> Iterator[Stamped]:
    """By time; an entry that tells none stays with the one before it."""

    def stamped(number: int, reader: LogReader) -> Iterator[Stamped]:
        time = 0.0
        for entry in reader:
            time = max(time, entry.created or 0.0)
            yield time, number, entry

    streams = itertools.starmap(stamped, enumerate(readers))
    return heapq.merge(*streams, key=lambda stamp: stamp[:2])


def _wanted(options: argparse.Namespace) -> Callable[[Entry], bool] | None:
    """What an entry must be like, if it says so: one that does not is shown all the same."""
    least = None if options.level is None else check_level("--level", _number(options.level))
    process, logger = options.process, options.logger
    if least is None and process is None and logger is None:
        return None

    def is_wanted(entry: Entry) -> bool:
        fields = entry.fields
        if least is not None and entry.levelno is not None and entry.levelno < least:
            return False
        if process is not None:
            names = {str(fields[name]) for name in _FIELDS["process"] if name in fields}
            if names and process not in names:
                return False
        name = fields.get("name")
        return logger is None or name is None or f"{name}.".startswith(f"{logger}.")

    return is_wanted


def _counted(
    entries: Iterable[Stamped], options: argparse.Namespace, unsaid: collections.Counter[str]
) -> Iterator[Stamped]:
    """Count those that do not say what they were to be chosen by."""
    asked = [what for what in _FIELDS if getattr(options, what) is not None]
    for stamped in entries:
        for what in asked:
            if not any(name in stamped[2].fields for name in _FIELDS[what]):
                unsaid[what] += 1
        yield stamped


def _number(level: str) -> int | str:
    return int(level) if level.isdecimal() else level


def _loaded(path: str | None) -> dict[str, str]:
    """The cursor of each log, by its absolute name."""
    if path is None:
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"--cursor {path!r} can't be read: {error.strerror}") from error
    try:
        cursors = json.loads(text)
        if all(isinstance(cursor, str) for cursor in cursors.values()):
            return dict(cursors)
    except (ValueError, AttributeError):
        pass
    raise ConfigError(f"--cursor {path!r} is no file that --cursor has written: give another")


def _save(path: str | None, files: Iterable[str], readers: Iterable[LogReader]) -> None:
    """In one step, once what it stands for has been shown."""
    if path is None:
        return
    cursors = {os.path.abspath(file): reader.cursor for file, reader in zip(files, readers)}
    try:
        with open(f"{path}.tmp", "w", encoding="utf-8") as file:
            json.dump(cursors, file)
        os.replace(f"{path}.tmp", path)
    except OSError as error:
        raise ConfigError(f"--cursor {path!r} can't be written: {error.strerror}") from error


def _show_remains(painter: Painter, files: Iterable[str]) -> int:
    """What dead sessions of these logs have in their journals still."""
    names = {os.path.abspath(file) for file in files}
    shown = 0
    for path in leftovers(sorted({os.path.dirname(name) for name in names})):
        log, lines = remains(path)
        if log in names and lines:
            painter.show_lines(lines)
            shown += len(lines)
            _say(
                f"the last {len(lines)} are of a session that was killed, and not in the log:"
                f" mplogging recover {os.path.dirname(path)}"
            )
    return shown


def _tell(unsaid: collections.Counter[str]) -> None:
    for what, count in unsaid.items():
        _say(
            f"{count} entries do not say their {what}, and were shown: --format tells how to"
            " read them"
        )


def _say(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"mplogging tail: {text}\n")
