"""Checks those arguments of `DatedFileHandler` that the module which uses them takes as given."""

from __future__ import annotations

from typing import Any

from .._errors import ConfigError
from .._lock import IS_AVAILABLE
from .._numbers import is_seconds, is_whole, seconds_of
from .appending import LOOK_INTERVAL
from .compression import opener_of

_LONG = 4e9  # seconds: a century and more, yet not too much for a wait


def check(arguments: dict[str, Any]) -> None:
    """Refuse what cannot work.

    Raises:
        ConfigError: Names an argument and its value.
    """
    for name in ("delay", "utc"):
        if arguments[name] not in (True, False):
            raise ConfigError(f"{name} must be True or False, got {arguments[name]!r}")
    if arguments["lock"] not in (True, False, "exclusive"):
        raise ConfigError(f"lock must be True, False or 'exclusive', got {arguments['lock']!r}")
    for name in ("backupCount", "maxTotalBytes", "maxBytes", "bufferBytes"):
        if not is_whole(arguments[name]):
            raise ConfigError(
                f"{name} must be a whole number, 0 or more, got {arguments[name]!r}"
            )
    for name in ("mode", "dirMode"):
        mode = arguments[name]
        if mode is not None and not (is_whole(mode) and mode <= 0o7777):
            raise ConfigError(f"{name} must be a whole number, 0 to 0o7777, got {mode!r}")
    for name in ("maxAge", "compressAfter", "lockTimeout"):
        seconds = seconds_of(arguments[name]) if name == "maxAge" else arguments[name]
        if not (is_seconds(seconds) and seconds < _LONG):
            raise ConfigError(f"{name} must be 0 or more, in seconds, got {arguments[name]!r}")
    if arguments["compress"] is not None:
        _check_compression(arguments)


def _check_compression(arguments: dict[str, Any]) -> None:
    opener_of(arguments["compress"])
    if not (arguments["lock"] and IS_AVAILABLE):
        raise ConfigError(
            f"compress={arguments['compress']!r} needs file locks:"
            f" got lock={arguments['lock']!r}, or a system without them"
        )
    if arguments["compressAfter"] <= LOOK_INTERVAL:
        raise ConfigError(
            f"compressAfter must be above {LOOK_INTERVAL} s, got {arguments['compressAfter']!r}"
        )
