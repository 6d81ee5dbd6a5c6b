"""Does a formatter format as the standard library's own does?

Somebody may have changed that one, for all of its formatters, before we came or after.
"""

from __future__ import annotations

import logging
import time
from typing import Callable

_METHODS = ("format", "formatTime", "formatMessage", "usesTime")
_CONVERTERS = (time.localtime, time.gmtime)


def is_original(kind: type, name: str) -> bool:
    """Is the method of a class of `logging` the one that was written there?"""
    method = getattr(kind, name)
    is_at_home = getattr(method, "__globals__", None) is vars(logging)
    return is_at_home and method.__qualname__ == f"{kind.__name__}.{name}"


# As we found them; None for what had been replaced by then.
_STANDARD = {
    name: getattr(logging.Formatter, name) if is_original(logging.Formatter, name) else None
    for name in _METHODS
}


def is_standard(formatter: logging.Formatter, name: str) -> bool:
    """Has the formatter this method from `logging` itself?"""
    return getattr(type(formatter), name) is _STANDARD[name] and name not in vars(formatter)


def formats_as_standard(formatter: logging.Formatter) -> bool:
    """Has it all the methods from there that a line is made by?"""
    return (
        all(is_standard(formatter, name) for name in _METHODS)
        # Any other converter may make something of a fraction of a second.
        and formatter.converter in _CONVERTERS
    )


def unchanged(formatter: logging.Formatter) -> Callable[[], bool]:
    """What says whether its class is as it is now, and so is its clock."""
    kind, converter = type(formatter), formatter.converter
    format_record, format_time = kind.format, kind.formatTime
    format_message, uses_time = kind.formatMessage, kind.usesTime
    time_format, msec_format = kind.default_time_format, kind.default_msec_format

    def is_as_it_was() -> bool:
        return (
            formatter.converter is converter
            and kind.formatTime is format_time
            and kind.default_msec_format is msec_format
            and kind.default_time_format is time_format
            and kind.format is format_record
            and kind.formatMessage is format_message
            and kind.usesTime is uses_time
        )

    return is_as_it_was
