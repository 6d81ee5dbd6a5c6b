"""Errors and warnings of mplogging; each survives pickling."""

from __future__ import annotations


class MPLoggingError(Exception):
    """The base of every error that mplogging raises on its own account."""


class ConfigError(MPLoggingError, ValueError):
    """An argument has a value that cannot work; the message names both."""


class SessionError(MPLoggingError, RuntimeError):
    """A session cannot begin, or cannot be used in this way."""


class SessionClosedError(SessionError):
    """The session has ended, or has not begun."""


class UnsafeSessionError(SessionError):
    """A session directory that another user could have written to."""


class MPLoggingWarning(UserWarning):
    """Something could not be done as asked; logging goes on without it."""
