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


def check_is_there(reader: LogReader, filename: str) -> None:
    """Refuse a log without files.

    Raises:
        ConfigError: There is none; says which there are.
    """
    if reader.files():
        return
    directory = os.path.dirname(filename) or "."
    try:
        names = os.listdir(directory)
    except OSError:
        raise ConfigError(f"there is no log {filename!r}: no directory {directory!r}") from None
    dated = (_DATED.fullmatch(name) for name in names if not name.startswith("."))
    logs = sorted({os.path.join(directory, found[1]) for found in dated if found})
    there = f"there are {', '.join(logs)}" if logs else f"there is none in {directory!r}"
    raise ConfigError(f"there is no log {filename!r}: {there}")
