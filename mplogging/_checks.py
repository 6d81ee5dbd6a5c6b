"""The arguments of `DatedFileHandler` that are not refused where they are used."""

from __future__ import annotations

from typing import Any

from ._appending import LOOK_INTERVAL
from ._compression import opener_of
from ._errors import ConfigError
from ._lock import IS_AVAILABLE

_LONG = 4e9  # seconds: a century and more, yet not too much for a wait


def check(settings: dict[str, Any], age: Any) -> None:
    """Refuse what is not refused where it is used."""
    for name in ("delay", "utc"):
        if settings[name] not in (True, False):
            raise ConfigError(f"{name} must be True or False, got {settings[name]!r}")
    if settings["lock"] not in (True, False, "exclusive"):
        raise ConfigError(f"lock must be True, False or 'exclusive', got {settings['lock']!r}")
    for name in ("backupCount", "maxTotalBytes", "maxBytes", "bufferBytes"):
        _check_count(name, settings[name])
    for name in ("mode", "dirMode"):
        if settings[name] is not None:
            _check_count(name, settings[name], 0o7777)
    for name in ("maxAge", "compressAfter", "lockTimeout"):
        value = age if name == "maxAge" else settings[name]
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (is_number and 0 <= value < _LONG):
            raise ConfigError(f"{name} must be 0 or more, in seconds, got {settings[name]!r}")
    if settings["compress"] is not None:
        opener_of(settings["compress"])
        if not (settings["lock"] and IS_AVAILABLE):
            raise ConfigError(
                f"compress={settings['compress']!r} needs file locks:"
                f" got lock={settings['lock']!r}, or a system without them"
            )
        if settings["compressAfter"] <= LOOK_INTERVAL:
            raise ConfigError(
                f"compressAfter must be above {LOOK_INTERVAL} s, got {settings['compressAfter']!r}"
            )


def _check_count(name: str, value: Any, most: float = float("inf")) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        limits = "0 or more" if most == float("inf") else f"0 to 0o{int(most):o}"
        raise ConfigError(f"{name} must be a whole number, {limits}, got {value!r}")
