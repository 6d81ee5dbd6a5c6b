"""Errors and warnings of mplogging; each survives pickling."""

from __future__ import annotations

import sys
import warnings

from ._public import public


@public
class MPLoggingError(Exception):
    """The base of every error that mplogging raises on its own account."""


@public
class ConfigError(MPLoggingError, ValueError):
    """An argument has a value that cannot work; the message names both."""


@public
class SessionError(MPLoggingError, RuntimeError):
    """A session cannot begin, or cannot be used in this way."""


@public
class SessionClosedError(SessionError):
    """The session has ended, or has not begun."""


@public
class UnsafeSessionError(SessionError):
    """A session directory that another user could have written to."""


@public
class MPLoggingWarning(UserWarning):
    """Something could not be done as asked; logging goes on without it."""


def is_foreign(error: BaseException) -> bool:
    """Whether a signal handler raised it, a TimeoutError say, and not the system call.

    Then that call may have done its work.
    """
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return False
    raised_in = str(traceback.tb_frame.f_globals.get("__name__"))
    return raised_in.partition(".")[0] != __name__.partition(".")[0]


def tell(text: str, stacklevel: int) -> None:
    """Warn, also where warnings are exceptions and one would do harm."""
    try:
        warnings.warn(text, MPLoggingWarning, stacklevel=stacklevel + 1)
    except MPLoggingWarning:
        if sys.stderr is not None:
            sys.stderr.write(f"MPLoggingWarning: {text}\n")
