"""A record becomes one line of bytes, exactly as its `logging.Formatter` would have it.

A formatter that formats as the standard library's own does is compiled once,
and its text for a second is kept until the second changes: together a third of
the cost of a log call. Any other formatter is called as it is written.
"""

from __future__ import annotations

import copy
import logging
import operator
import re
import time
from typing import Any, Callable

from ._errors import ConfigError

NEWLINES = ("keep", "escape", "indent")
_INDENT = "    "
_FIELD = re.compile(r"%(?:\((?P<name>[^)]*)\))?(?P<spec>[#0\- +]*\d*(?:\.\d+)?[a-zA-Z%])")
# Whatever ends a line somewhere, or moves a terminal's cursor.
_CONTROLS = {code: repr(chr(code))[1:-1] for code in
             (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
_STANDARD = ("format", "formatTime", "formatMessage", "usesTime")


class LineFormat:
    """Renders records as lines for one file.

    Args:
        newlines: "keep" writes a message as it is; "escape" writes its control
            characters as escapes, so that the message is one line; "indent"
            indents its continuation lines. Both indent tracebacks, so that no
            line of data can pass for the beginning of a record.
    """

    def __init__(
        self,
        formatter: logging.Formatter,
        encoding: str = "utf-8",
        errors: str = "backslashreplace",
        terminator: str = "\n",
        newlines: str = "keep",
    ) -> None:
        if newlines not in NEWLINES:
            raise ConfigError(f"newlines must be one of {NEWLINES}, got {newlines!r}")
        try:
            # utf-16 and its like begin each text with a mark that belongs at
            # the beginning of the file only.
            self.file_header = "".encode(encoding)
            self.terminator = terminator.encode(encoding, errors)[len(self.file_header):]
        except (LookupError, TypeError) as error:
            raise ConfigError(
                f"encoding {encoding!r} with errors={errors!r} is unknown: {error}"
            ) from error
        self._encoding, self._errors = encoding, errors
        self._ending = terminator
        format_text = _compiled(formatter) if _formats_as_standard(formatter) else formatter.format
        self._text: Callable[[logging.LogRecord], str] = format_text
        if newlines != "keep":
            self._text = _one_record_lines(formatter, format_text, newlines == "escape")

    def line(self, record: logging.LogRecord) -> bytes:
        """The record's line, its terminator included."""
        data = (self._text(record) + self._ending).encode(self._encoding, self._errors)
        return data[len(self.file_header):] if self.file_header else data


def _formats_as_standard(formatter: logging.Formatter) -> bool:
    return not any(
        name in vars(formatter)
        or getattr(type(formatter), name) is not getattr(logging.Formatter, name)
        for name in _STANDARD
    )


def _compiled(formatter: logging.Formatter) -> Callable[[logging.LogRecord], str]:
    """`formatter.format`, with the same result and the same attributes set."""
    message_of = _compiled_message(formatter)
    # One tuple, replaced as a whole, so that threads see it complete.
    kept: tuple[float, str, str | None] = (float("nan"), "", None)
    uses_time = formatter.usesTime()

    def format_record(record: logging.LogRecord) -> str:
        nonlocal kept
        record.message = record.getMessage()
        if uses_time:
            second, text, with_milliseconds = kept
            if record.created // 1 != second:
                second = record.created // 1
                datefmt = formatter.datefmt
                text = time.strftime(
                    datefmt or formatter.default_time_format, formatter.converter(second)
                )
                with_milliseconds = None if datefmt else formatter.default_msec_format
                kept = second, text, with_milliseconds
            if with_milliseconds:
                text = with_milliseconds % (text, record.msecs)
            record.asctime = text
        head = message_of(record)
        if record.exc_info or record.exc_text or record.stack_info:
            head = _with_trace(head, _trace(formatter, record))
        return head

    return format_record


def _compiled_message(formatter: logging.Formatter) -> Callable[[logging.LogRecord], str]:
    """`formatter.formatMessage`, with a %-format's fields looked up in one go."""
    style = formatter._style
    pattern = style._fmt
    fields = list(_FIELD.finditer(pattern))
    names = [field["name"] for field in fields if field["spec"] != "%"]
    if (
        type(style) is not logging.PercentStyle
        or getattr(style, "_defaults", None)
        or len(names) < 2  # an itemgetter of one name makes no tuple
        or None in names
        or pattern.count("%") != sum(field[0].count("%") for field in fields)
    ):
        return formatter.formatMessage
    values = operator.itemgetter(*names)
    positional = _FIELD.sub(lambda field: "%" + field["spec"], pattern)

    def message(record: logging.LogRecord) -> str:
        try:
            text: str = positional % values(record.__dict__)
            return text
        except KeyError:
            return formatter.formatMessage(record)  # raises what it always raised

    return message


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if record.exc_info and not record.exc_text:
        record.exc_text = formatter.formatException(record.exc_info)
    parts = [record.exc_text] if record.exc_text else []
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def _with_trace(head: str, trace: str) -> str:
    return head + trace if head[-1:] == "\n" else head + "\n" + trace


def _one_record_lines(
    formatter: logging.Formatter, format_text: Callable[[logging.LogRecord], str], escape: bool
) -> Callable[[logging.LogRecord], str]:
    def format_record(record: logging.LogRecord) -> str:
        bare: Any = copy.copy(record)
        bare.exc_info = bare.exc_text = bare.stack_info = None
        head = format_text(bare)
        if escape:
            head = head.translate(_CONTROLS)
        trace = _trace(formatter, record)
        text = _with_trace(head, trace) if trace else head
        return ("\n" + _INDENT).join(text.splitlines())

    return format_record
