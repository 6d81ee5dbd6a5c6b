"""The console: beside the file if it is wanted, and a word where it falls silent."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable

from .._file.handler import DatedFileHandler
from .._levels import check_level

_has_told = False


def console_level(console: bool | int | str | None) -> int | None:
    """The level of the console that is asked for; None for none.

    Raises:
        ConfigError: There is no such level.
    """
    if console is None or console is False:
        return None
    return logging.NOTSET if console is True else check_level("console", console)


def console_beside(file: DatedFileHandler, level: int) -> logging.Handler:
    """A handler that writes to stderr what the file gets, in the file's format."""
    console = logging.StreamHandler()
    console.setLevel(level)
    console.setFormatter(file.formatter)
    return console


def tell_of_silence(replaced: Iterable[logging.Handler], file: DatedFileHandler) -> None:
    """Say once where the lines go from now on that went to one of these consoles."""
    global _has_told
    if _has_told or sys.stderr is None or not any(map(_is_console, replaced)):
        return
    _has_told = True
    sys.stderr.write(
        f"mplogging: what is logged goes to {file.activeFilename} now, and not to the console"
        " as before (LogSession(..., console=True) lets it go to both)\n"
    )


def _is_console(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None)
    consoles = (sys.stderr, sys.stdout, sys.__stderr__, sys.__stdout__)
    return (
        isinstance(handler, logging.StreamHandler)
        and stream is not None
        and any(stream is console for console in consoles)
    )
