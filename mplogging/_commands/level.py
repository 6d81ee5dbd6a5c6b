"""What `python -m mplogging level` does: sets a level in all processes of a running session."""

from __future__ import annotations

import argparse
import os
import re
from typing import Any

from .._errors import ConfigError
from .asking import ask_session

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def add_level(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "level",
        help="set a logger's level in all processes of a running session",
        description="Set a logger's level in all processes of a running session. A process"
        " takes it over with its next record that passes its present levels.",
        epilog="example: mplogging level logs/app.log app.db=DEBUG --for 60s\n\n"
        "exit status: 0 if the session has it, 1 if the session did not answer, 2 for a"
        " wrong call, or if no such session runs",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "session", nargs="?", metavar="ADDRESS|PID|FILE",
        help="the session: its address, its process or its log (default: the only one)",
    )  # fmt: skip
    parser.add_argument(
        "level", metavar="[LOGGER=]LEVEL", help="the level, of the root logger if of no other"
    )
    parser.add_argument(
        "--for", dest="seconds", type=_seconds, metavar="TIME",
        help="give it back after so long: 60s, 5m or 1h (default: it stays)",
    )  # fmt: skip
    parser.set_defaults(run=set_level)


def set_level(options: argparse.Namespace) -> int:
    """Ask the session for it, and print what it says; returns the exit status.

    Raises:
        ConfigError: As `ask_session`, or there is a session's name and no level.
    """
    if options.session is None and os.sep in options.level:
        raise ConfigError(
            f"{options.level!r} is no level, which comes after it:"
            f" mplogging level {options.level} DEBUG"
        )
    logger, _, level = options.level.rpartition("=")
    return ask_session(options.session, {
        "level": int(level) if level.isdecimal() else level,
        "logger": logger or None, "seconds": options.seconds,
    })  # fmt: skip


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(f"must be a time such as 60s, 5m or 1h, got {text!r}")
    return float(match[1]) * _UNITS[match[2]]
