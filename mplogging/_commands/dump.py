"""What `python -m mplogging dump` does: brings the flight recorders of a session into its log."""

from __future__ import annotations

import argparse
from typing import Any

from .asking import ask_session


def add_dump(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "dump",
        help="bring the flight recorders of a running session into its log",
        description="Bring what the flight recorders of all processes of a running session"
        " hold into its log: records that were too low for it.",
        epilog="example: mplogging dump logs/app.log\n\n"
        "exit status: 0 if they are there, 1 if the session did not answer, 2 for a wrong"
        " call, if no such session runs, or if it has no flight recorder",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "session", nargs="?", metavar="ADDRESS|PID|FILE",
        help="the session: its address, its process or its log (default: the only one)",
    )  # fmt: skip
    parser.set_defaults(run=dump)


def dump(options: argparse.Namespace) -> int:
    """Ask the session for it, and print what it says; returns the exit status."""
    return ask_session(options.session, {"dump": True})
