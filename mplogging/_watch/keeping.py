"""How a record that is too low for the log becomes a line in a ring."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable
from typing import Any

from .._file.handler import DatedFileHandler
from .._file.line_handler import own_line, plain_line
from .._limit import RateLimit
from .ring import ROOM_BYTES

MARK = "[recorded] "
_CUT = " [cut]"
_ROUNDS = 5  # to find how much of a text has room


def kept_line(
    record: logging.LogRecord,
    logger: logging.Logger | None,
    file: DatedFileHandler,
    makes_lines: bool,
) -> tuple[float, bytes] | None:
    """When it was made, and its line, marked; None if a filter does not let it pass.

    Args:
        logger: Whose filters have not seen it yet; then nobody else has it.
        makes_lines: False where this process can't have the file's own format.
    """
    passed: logging.LogRecord | None = record
    if logger is None:
        passed = copy.copy(record)  # others have it too
    elif logger.filters:
        passed = _filtered(logger.filters, record)
    if passed is not None and file.filters:
        passed = _filtered(file.filters, passed)
    if passed is None:
        return None
    _mark(passed)
    line = _line(passed, file, makes_lines)
    if len(line) > ROOM_BYTES:
        line = _shortened(passed, line, file, makes_lines)
    return passed.created, line


def _filtered(filters: Iterable[Any], record: logging.LogRecord) -> logging.LogRecord | None:
    """What they make of it. One that counts what comes into the log is not asked."""
    for one in filters:
        if not isinstance(one, RateLimit):
            verdict = one.filter(record) if hasattr(one, "filter") else one(record)
            if not verdict:
                return None
            if isinstance(verdict, logging.LogRecord):
                record = verdict
    return record


def _mark(record: logging.LogRecord) -> None:
    """In the message, where any format shows it, and a JSON line stays one."""
    if isinstance(record.msg, dict):
        record.msg = {"recorded": True, **record.msg}
        return
    try:
        text = record.getMessage()
    except Exception as error:
        text = f"{record.msg!s:.200} (its arguments do not fit: {error})"
    record.msg, record.args = MARK + text, None


def _line(record: logging.LogRecord, file: DatedFileHandler, makes_lines: bool) -> bytes:
    return own_line(file, record) if makes_lines else plain_line(file, record)


def _shortened(
    record: logging.LogRecord, line: bytes, file: DatedFileHandler, makes_lines: bool
) -> bytes:
    """A line that has room, of a record that is cut where there is most of it."""
    if record.exc_info and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    record.exc_info = None
    for name in ("stack_info", "exc_text", "msg"):
        text = str(getattr(record, name) or "")
        for _ in range(_ROUNDS if text else 0):
            # What a character takes differs, and a format may show it twice.
            size = len(line) / len(text)
            over = min(len(text), int((len(line) - ROOM_BYTES) / size) + len(_CUT))
            # Of a trace, the end tells most.
            text = text[:-over] if name == "msg" else text[over:]
            setattr(record, name, text + _CUT if name == "msg" else text)
            line = _line(record, file, makes_lines)
            if len(line) <= ROOM_BYTES:
                return line
            if not text:
                break
    record.msg, record.stack_info, record.exc_text = f"{MARK}{_CUT}", None, None
    return plain_line(file, record)
