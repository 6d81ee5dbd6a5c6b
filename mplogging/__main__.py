"""The command line: `python -m mplogging COMMAND`, or `mplogging COMMAND`."""

from __future__ import annotations

import argparse
import signal
import sys

from mplogging import ConfigError, LogSession, SessionError, __version__
from mplogging._commands.arguments import parser
from mplogging._commands.painting import write_nothing_more
from mplogging._commands.recover import recover_all
from mplogging._commands.run import module_within, script_within


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    commands = parser(__version__)
    options = commands.parse_args(arguments)
    try:
        if options.command == "run":
            within = module_within if options.is_module else script_within
            program = within(_session(options), options.program, options.args)
        elif options.command == "recover":
            return recover_all(options.directories, options.force, options.list)
        else:
            return _shown(options)
    except (ConfigError, SessionError) as error:
        commands.exit(2, f"{commands.prog}: error: {error}\n")
    return program()  # errors of its own are its own business


def _shown(options: argparse.Namespace) -> int:
    """Run a command that shows something, as a filter ends that is interrupted or not heard."""
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        write_nothing_more()
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.filename is not None:
            raise ConfigError(f"{error.filename!r} can't be read: {error.strerror}") from error
        write_nothing_more()
        raise ConfigError(f"the output can't be written: {error.strerror}") from error


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
