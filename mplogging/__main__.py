"""The command line: `python -m mplogging run script.py` and `python -m mplogging demo`."""

from __future__ import annotations

import argparse
import functools
import importlib.machinery
import logging
import os
import sys
import types
from typing import Any

from mplogging import ConfigError, LogSession, SessionError
from mplogging._commands.demo import show


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.command == "run":
            return _run(options)
        show(_session(options), options.directory, options.processes)
        return 0
    except (ConfigError, SessionError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mplogging", description="Multi-process logging into one dated file."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a Python program with a session around it")
    run.add_argument("script", help="the program's file")
    run.add_argument("args", nargs=argparse.REMAINDER, help="what the program is given")
    demo = commands.add_parser("demo", help="hash files in a pool of processes that log")
    demo.add_argument(
        "directory",
        nargs="?",
        default=os.path.dirname(os.path.abspath(__file__)),
        help="whose files to hash (default: this package's)",
    )
    demo.add_argument("--processes", type=_count, default=4, help="workers (default: %(default)s)")
    for command in (run, demo):
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
    level = options.level.upper()
    return LogSession(
        options.file,
        level=int(level) if level.isdecimal() else level,
        backupCount=options.backup_count,
        handleSignals=True,
    )


def _run(options: argparse.Namespace) -> int:
    """Run the script as `python script.py args…` would, in this process."""
    session = _session(options)
    path = os.path.abspath(options.script)
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
    except OSError as error:
        raise ConfigError(f"script {options.script!r} can't be read: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:
        sys.excepthook(type(error), error.with_traceback(None), None)
        return 1
    module = types.ModuleType("__main__")
    # Spawned children run this file again under another name, and so find its functions.
    vars(module).update(__file__=path, __builtins__=__builtins__, __spec__=None)
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    vars(module)["__loader__"] = loader
    sys.modules["__main__"] = module
    sys.argv[:] = [options.script, *options.args]
    sys.path[0] = os.path.dirname(path)
    session.start()  # it ends with the interpreter: threads of the script's may go on
    _keep_handlers()
    try:
        exec(code, vars(module))
    except Exception as error:
        # The traceback that the script would have shown, without our frame.
        traceback = error.__traceback__ and error.__traceback__.tb_next
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        return 1
    return 0


def _keep_handlers() -> None:
    """Let the session stay on the root logger, whatever handlers the script sets up beside it.

    `dictConfig` and `basicConfig(force=True)` begin by removing all that are
    there, and `basicConfig` does nothing where there are any.
    """
    root = logging.getLogger()
    ours, remove, configure = root.handlers[:], root.removeHandler, logging.basicConfig

    def remove_others(handler: logging.Handler) -> None:
        if handler not in ours:
            remove(handler)

    @functools.wraps(configure)
    def configure_beside(**arguments: Any) -> None:
        root.handlers = [handler for handler in root.handlers if handler not in ours]
        try:
            configure(**arguments)
        finally:
            root.handlers = [*ours, *root.handlers]

    root.removeHandler = remove_others  # type: ignore[assignment]
    logging.basicConfig = configure_beside


if __name__ == "__main__":
    sys.exit(main())
