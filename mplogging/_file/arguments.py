"""Checks those arguments of `DatedFileHandler` that the module which uses them takes as given.

What comes out of an INI or YAML file, and means something plain, is taken for that.
"""

from __future__ import annotations

import datetime
from typing import Any

from .._errors import ConfigError
from .._lock import IS_AVAILABLE
from .._numbers import is_seconds, is_whole, seconds_of
from .appending import LOOK_INTERVAL
from .compression import opener_of
from .line_handler import UNUSED

_LONG = 4e9  # seconds: a century and more, yet not too much for a wait
_WHOLE = ("interval", "backupCount", "maxTotalBytes", "maxBytes", "bufferBytes")


def taken(given: dict[str, Any], kind: type) -> dict[str, Any]:
    """The arguments as they are meant.

    Args:
        kind: The handler's class.

    Raises:
        ConfigError: Names an argument and its value: it cannot work.
    """
    for name in UNUSED:
        if hasattr(kind, name):
            raise ConfigError(
                f"{kind.__name__}.{name} would never be called: files are not renamed, and a"
                " record's own time names its file; see the arguments suffix, compress, symlink"
            )
    arguments = dict(given)
    for name in _WHOLE:
        arguments[name] = _whole(given[name])
    for name in ("delay", "utc"):
        arguments[name] = False if given[name] is None else given[name]
    if given["atTime"] == datetime.time():
        arguments["atTime"] = None  # when a day begins anyway
    _check(arguments)
    return arguments


def _whole(value: Any) -> Any:
    """A whole number that was written as a text or a float; anything else as it is."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return value


def _check(arguments: dict[str, Any]) -> None:
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
        _check_mode(name, arguments[name])
    for name in ("maxAge", "compressAfter", "lockTimeout"):
        seconds = seconds_of(arguments[name]) if name == "maxAge" else arguments[name]
        if not (is_seconds(seconds) and seconds < _LONG):
            raise ConfigError(f"{name} must be 0 or more, in seconds, got {arguments[name]!r}")
    if arguments["compress"] is not None:
        _check_compression(arguments)


def _check_mode(name: str, mode: Any) -> None:
    if mode is None:
        return
    if not (is_whole(mode) and mode <= 0o7777):
        raise ConfigError(f"{name} must be a whole number, 0 to 0o7777, got {mode!r}")
    digits = str(mode)
    if len(digits) < 3 or set(digits) & set("89"):
        return
    if not _is_sensible(mode) and _is_sensible(int(digits, 8)):
        raise ConfigError(f"{name} must be written in octal: got {mode}, meant is 0o{mode}")


def _is_sensible(mode: int) -> bool:
    """Nobody may do more than the owner, nor others more than the group."""
    owner, group, others = mode >> 6 & 7, mode >> 3 & 7, mode & 7
    return owner | group == owner and group | others == group and owner & 6 in (4, 6)


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
