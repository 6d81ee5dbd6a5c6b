"""What `tail` and `stats` have in common: which logs, and how their lines are to be read."""

from __future__ import annotations

import argparse
import os
import re
from typing import Any

from .._errors import ConfigError
from .._reading.reader import LogReader

DEFAULT_FILE = "logs/app.log"
_DATED = re.compile(r"(.+?)\.\d{4}-?\d\d.*")


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Those of which `reader_options` makes a reader's arguments."""
    add = parser.add_argument
    add("--since", metavar="TIME", help="from then on: '2026-11-24 09:30', '09:30', '10m' (ago)")
    add("--until", metavar="TIME", help="before then")
    add("--grep", metavar="RE", help="only entries in which this regular expression is found")
    add("--format", help="of the log's lines, as the logging module has it, if it is not usual")
    add("--datefmt", help="of its %%(asctime)s")
    add("--style", choices=("%", "{", "$"), default="%", help="of --format (default: %(default)s)")
    add("--utc", action="store_true", help="times in the lines are UTC rather than local")
    add("--encoding", help="of the files (default: utf-8)")


def reader_options(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of a `LogReader`, but for those of the command itself."""
    return {
        "since": options.since, "until": options.until, "grep": options.grep,
        "format": options.format, "datefmt": options.datefmt, "style": options.style,
        "gmtime": options.utc, "encoding": options.encoding,
    }  # fmt: skip


def reader_of(filename: str, must_exist: bool, **arguments: Any) -> LogReader:
    """A reader of the log of that name.

    Raises:
        ConfigError: An argument can't work, or there is no such log; says which there are.
    """
    if os.path.isdir(filename):
        raise ConfigError(f"FILE must name a log, got the directory {filename!r}: "
                          f"{_told_of(filename)}")  # fmt: skip
    reader = LogReader(filename, **arguments)
    if must_exist and not reader.files():
        told = _told_of(os.path.dirname(filename) or ".")
        raise ConfigError(f"there is no log {filename!r}: {told}")
    return reader


def _told_of(directory: str) -> str:
    """Which logs are in there."""
    try:
        names = os.listdir(directory)
    except OSError:
        return f"no directory {directory!r}"
    dated = (_DATED.fullmatch(name) for name in names if not name.startswith("."))
    logs = sorted({os.path.join(directory, found[1]) for found in dated if found})
    return f"there are {', '.join(logs)}" if logs else f"there is none in {directory!r}"
