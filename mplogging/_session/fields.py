"""Which fields of a record none of the program's handlers can show."""

from __future__ import annotations

import logging
import logging.handlers
import re
from collections.abc import Iterable

from .._file.handler import DatedFileHandler
from .._file.standard import formats_as_standard
from .._worker.fields import FIELDS

# Of these very classes it is known that they show what the formatter does, and no more.
_PLAIN = (
    logging.StreamHandler,
    logging.FileHandler,
    logging.handlers.RotatingFileHandler,
    logging.handlers.TimedRotatingFileHandler,
    logging.handlers.WatchedFileHandler,
)


def unneeded(handlers: Iterable[logging.Handler]) -> frozenset[str]:
    """Those of `FIELDS` that none of all the program's handlers asks for.

    None is, if one of them, or a filter of a logger's, or a record factory, may look at
    anything.
    """
    factory: object = logging.getLogRecordFactory()
    if factory is not logging.LogRecord or any(logger.filters for logger in _loggers()):
        return frozenset()
    shown: set[str] = set()
    for handler in handlers:
        fmt = _plain_format(handler)
        if fmt is None:
            return frozenset()
        shown |= set(re.findall(r"\w+", fmt))  # of whatever style, fields are words in it
    return frozenset(name for name, fields in FIELDS.items() if not fields & shown)


def _loggers() -> list[logging.Logger]:
    known = list(logging.root.manager.loggerDict.values())
    return [logging.root, *(one for one in known if isinstance(one, logging.Logger))]


def _plain_format(handler: logging.Handler) -> str | None:
    """All that decides what the handler shows of a record; None if that is not known."""
    if handler.filters:
        return None
    if isinstance(handler, DatedFileHandler):
        if not handler._makes_plain_lines:
            return None
    elif type(handler) not in _PLAIN or not vars(handler).keys().isdisjoint(("emit", "handle")):
        return None
    formatter = handler.formatter
    if formatter is None:
        return ""  # the message alone
    if type(formatter) is not logging.Formatter or not formats_as_standard(formatter):
        return None
    return formatter._fmt or ""
