"""The command line: `python -m mplogging run`, `recover` and `demo`."""

from __future__ import annotations

import argparse
import os
import sys

from mplogging import ConfigError, LogSession, SessionError, __version__
from mplogging._commands.demo import show
from mplogging._commands.recover import recover_all
from mplogging._commands.run import module_within, script_within


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.command == "run":
            within = module_within if options.is_module else script_within
            program = within(_session(options), options.program, options.args)
        elif options.command == "recover":
            return recover_all(options.directories, options.force, options.list)
        else:
            show(_session(options), options.directory, options.processes)
            return 0
    except (ConfigError, SessionError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    return program()  # errors of its own are its own business


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mplogging", description="Multi-process logging into one dated file."
    )
    parser.add_argument("--version", action="version", version=f"mplogging {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="run a Python program with a session around it")
    runs.add_argument(
        "-m", dest="is_module", action="store_true", help="the program is a module, not a file"
    )
    runs.add_argument("program", help="its file, or with -m its module")
    runs.add_argument("args", nargs=argparse.REMAINDER, help="what the program is given")
    demo = commands.add_parser("demo", help="hash files in a pool of processes that log")
    demo.add_argument(
        "directory",
        nargs="?",
        default=os.path.dirname(os.path.abspath(__file__)),
        help="whose files to hash (default: this package's)",
    )
    demo.add_argument("--processes", type=_count, default=4, help="workers (default: %(default)s)")
    recovery = commands.add_parser(
        "recover", help="bring what killed sessions have left into their logs"
    )
    recovery.add_argument(
        "directories",
        nargs="*",
        metavar="DIRECTORY",
        help="where to look (default: here, in logs, and where temporary files are)",
    )
    recovery.add_argument("--list", action="store_true", help="only say what there is")
    recovery.add_argument(
        "--force",
        action="store_true",
        help="also what was left before the machine was started, or where others may be at it",
    )
    for command in (runs, demo):
        command.add_argument(
            "--file", default="logs/app.log", help="the log's name (default: %(default)s)"
        )
        command.add_argument(
            "--level", default="INFO", help="the root logger's level (default: %(default)s)"
        )
        command.add_argument(
            "--backup-count", type=int, default=0, help="old files to keep (default: all)"
        )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


def _session(options: argparse.Namespace) -> LogSession:
    level = options.level
    return LogSession(
        options.file,
        level=int(level) if level.isdecimal() else level,
        backupCount=options.backup_count,
        handleSignals=True,
    )


if __name__ == "__main__":
    sys.exit(main())
