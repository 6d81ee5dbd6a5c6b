"""What the command line takes, and what is said of a wrong call."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from typing import Any, NoReturn

from .demo import add_demo
from .dump import add_dump
from .level import add_level
from .sessions import add_sessions
from .stats import add_stats
from .tail import add_tail


class Parser(argparse.ArgumentParser):
    """A parser that says of a wrong call what would be right."""

    def error(self, message: str) -> NoReturn:
        """End with status 2, the usage, what is wrong, and an example."""
        said = f"{self.format_usage()}{self.prog}: error: {message}{self._meant()}\n"
        example = (self.epilog or "").partition("\n")[0]
        self.exit(2, said + (f"{example}\n" if example else ""))

    def _meant(self) -> str:
        """The command or option that comes next to one that there is none of."""
        names = list(self._option_string_actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                names += action.choices
                for name in set(action.choices).intersection(sys.argv[1:2]):
                    names += action.choices[name]._option_string_actions
        for given in sys.argv[1:]:
            name = given.partition("=")[0]
            close = difflib.get_close_matches(name, names, 1)
            if close and name not in names:
                return f" (did you mean {close[0]}?)"
        return ""


def parser(version: str) -> Parser:
    """Of the whole command line."""
    program = os.path.basename(sys.argv[0])
    made = Parser(
        prog="mplogging" if program == "mplogging" else "python -m mplogging",
        description="Multi-process logging into one dated file.",
        epilog="example: mplogging tail -f logs/app.log\n\n"
        "exit status: 2 for a wrong call; else as `COMMAND --help` says",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=f"mplogging {version}")
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_run(commands)
    add_demo(commands)
    _add_recover(commands)
    add_tail(commands)
    add_stats(commands)
    add_level(commands)
    add_dump(commands)
    add_sessions(commands)
    return made


def _add_run(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="run a Python program with a session around it",
        epilog="example: mplogging run --file logs/app.log script.py --its-own arguments\n\n"
        "exit status: the program's own; 2 if it could not be begun",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument(
        "-m", dest="is_module", action="store_true", help="the program is a module, not a file"
    )
    run.add_argument("program", help="its file, or with -m its module")
    run.add_argument("args", nargs=argparse.REMAINDER, help="what the program is given")
    _add_session(run)


def _add_recover(commands: Any) -> None:
    recover = commands.add_parser(
        "recover",
        help="bring what killed sessions have left into their logs",
        epilog="example: mplogging recover --list logs\n\n"
        "exit status: 0 if nothing is left to recover, 1 if something is, 2 for a wrong call",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    recover.add_argument(
        "directories", nargs="*", metavar="DIRECTORY",
        help="where to look (default: here, in logs, and where temporary files are)",
    )  # fmt: skip
    recover.add_argument("--list", action="store_true", help="only say what there is")
    recover.add_argument(
        "--force",
        action="store_true",
        help="also what was left before the machine was started, or where others may be at it",
    )


def _add_session(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--file", default="logs/app.log", help="the log's name (default: %(default)s)"
    )
    command.add_argument(
        "--level", default="INFO", help="the root logger's level (default: %(default)s)"
    )
    command.add_argument(
        "--backup-count", type=int, default=0, help="old files to keep (default: all)"
    )
