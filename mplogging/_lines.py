"""A record becomes one line of bytes, exactly as its `logging.Formatter` would have it.

A formatter that formats as the standard library's own does is compiled once,
and its text for a second is kept until the second changes: together a third of
the cost of a log call. Any other formatter is called as it is written.
"""

from __future__ import annotations

import codecs
import copy
import logging
import operator
import re
import time
from collections.abc import Iterator
from typing import Any, Callable

from ._errors import ConfigError

Text = Callable[[logging.LogRecord], str]

NEWLINES = ("keep", "escape", "indent")
_INDENT = "    "
_FIELD = re.compile(r"%(?:\((?P<name>[^)]*)\))?(?P<spec>[#0\- +]*\d*(?:\.\d+)?[a-zA-Z%])")
_MILLISECONDS = re.compile(r"[^%]*%s[^%]*%0?\d*d[^%]*")
# Whatever ends a line somewhere, or moves a terminal's cursor.
_CONTROLS = {code: repr(chr(code))[1:-1] for code in
             (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
# As they are, not as somebody has replaced them since.
_STANDARD = {
    name: getattr(logging.Formatter, name)
    for name in ("format", "formatTime", "formatMessage", "usesTime")
}


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
        formatter: logging.Formatter | logging.Handler,
        encoding: str = "utf-8",
        errors: str = "backslashreplace",
        terminator: str = "\n",
        newlines: str = "keep",
    ) -> None:
        if newlines not in NEWLINES:
            raise ConfigError(f"newlines must be one of {NEWLINES}, got {newlines!r}")
        # utf-16 and its like begin each text with a mark that belongs at the
        # beginning of the file only.
        self.file_header = _header(encoding)
        try:
            codecs.lookup_error(errors)
        except (LookupError, TypeError):
            raise ConfigError(f"errors must name an error handler, got {errors!r}") from None
        self.terminator = terminator.encode(encoding, errors)[len(self.file_header):]
        self._encoding, self._errors = encoding, errors
        self._ending = terminator
        self._text: Text = formatter.format
        self.is_compiled = False  # if True, any number of threads may be in `line`
        if isinstance(formatter, logging.Formatter) and _is_standard(formatter, "format"):
            if _formats_as_standard(formatter):
                self._text = _compiled(formatter)
                self.is_compiled = True
            if newlines != "keep":
                self._text = _one_record_lines(formatter, self._text, newlines == "escape")
        elif newlines != "keep":
            self._text = _indented(self._text, newlines == "escape")

    def line(self, record: logging.LogRecord) -> bytes:
        """The record's line, its terminator included."""
        data = f"{self._text(record)}{self._ending}".encode(self._encoding, self._errors)
        return data[len(self.file_header):] if self.file_header else data


def _header(encoding: str) -> bytes:
    try:
        return "".encode(encoding)
    except (LookupError, TypeError, ValueError):
        raise ConfigError(f"encoding must name a text encoding, got {encoding!r}") from None


def _is_standard(formatter: logging.Formatter, name: str) -> bool:
    return getattr(type(formatter), name) is _STANDARD[name] and name not in vars(formatter)


def _formats_as_standard(formatter: logging.Formatter) -> bool:
    return (
        all(_is_standard(formatter, name) for name in _STANDARD)
        # Any other converter may make something of a fraction of a second.
        and formatter.converter in (time.localtime, time.gmtime)
    )


def _compiled(formatter: logging.Formatter) -> Text:
    """`formatter.format`, with the same result, compiled anew for each second.

    With a %-format, the record's `asctime` is not set: to write the second into
    the format, rather than into each record, saves 0.2 µs a call.
    """
    uses_time = formatter.usesTime()
    # One tuple, replaced as a whole, so that threads see it complete.
    kept: tuple[float, Text] = (float("nan"), _message_of(formatter, 0.0))

    def format_record(record: logging.LogRecord) -> str:
        nonlocal kept
        record.message = record.getMessage()
        second, message_of = kept
        if uses_time and record.created // 1 != second:
            second = record.created // 1
            message_of = _message_of(formatter, second)
            kept = second, message_of
        text = message_of(record)
        if record.exc_info or record.exc_text or record.stack_info:
            for trace in _traces(formatter, record):
                text = _with_trace(text, trace)
        return text

    return format_record


def _message_of(formatter: logging.Formatter, second: float) -> Text:
    """`formatter.formatMessage` for records of this second."""
    asctime = time.strftime(
        formatter.datefmt or formatter.default_time_format, formatter.converter(second)
    )
    with_milliseconds = None if formatter.datefmt else formatter.default_msec_format
    compiled = _percent_message(formatter, asctime, with_milliseconds)
    if compiled is not None:
        return compiled

    def message(record: logging.LogRecord) -> str:
        record.asctime = asctime
        if with_milliseconds:
            record.asctime = with_milliseconds % (asctime, record.msecs)
        return formatter.formatMessage(record)

    return message


def _percent_message(
    formatter: logging.Formatter, asctime: str, with_milliseconds: str | None
) -> Text | None:
    """A %-format with the second written into it, and its fields looked up in one go."""
    style = formatter._style
    if (
        type(style) is not logging.PercentStyle
        or vars(style).keys() & {"format", "_format"}
        or getattr(style, "_defaults", None)
    ):
        return None
    stamp, names = asctime.replace("%", "%%"), []
    if with_milliseconds:
        if not _MILLISECONDS.fullmatch(with_milliseconds):
            return None
        stamp = with_milliseconds.replace("%s", stamp, 1)
    pieces, position = [], 0
    for field in _FIELD.finditer(style._fmt):
        pieces.append(style._fmt[position : field.start()])
        position = field.end()
        if field["name"] == "asctime" and field["spec"] == "s":
            pieces.append(stamp)
            names += ["msecs"] if with_milliseconds else []
        elif field["name"] == "asctime" or (field["name"] is None) != (field["spec"] == "%"):
            return None
        else:
            pieces.append("%" + field["spec"])
            names += [field["name"]] if field["name"] is not None else []
    pieces.append(style._fmt[position:])
    # An itemgetter of one name makes no tuple; a "%" beside the fields is an error.
    if len(names) < 2 or any("%" in piece for piece in pieces[::2]):
        return None
    pattern, values = "".join(pieces), operator.itemgetter(*names)

    def message(record: logging.LogRecord) -> str:
        try:
            return pattern % values(record.__dict__)  # type: ignore[no-any-return]
        except KeyError:
            record.asctime = formatter.formatTime(record, formatter.datefmt)
            return formatter.formatMessage(record)  # raises what it always raised

    return message


def _traces(formatter: logging.Formatter, record: logging.LogRecord) -> Iterator[str]:
    if record.exc_info and not record.exc_text:
        record.exc_text = formatter.formatException(record.exc_info)
    if record.exc_text:
        yield record.exc_text
    if record.stack_info:
        yield formatter.formatStack(record.stack_info)


def _with_trace(text: str, trace: str) -> str:
    return text + trace if text[-1:] == "\n" else text + "\n" + trace


def _one_record_lines(formatter: logging.Formatter, format_text: Text, escape: bool) -> Text:
    def format_record(record: logging.LogRecord) -> str:
        bare: Any = copy.copy(record)
        bare.exc_info = bare.exc_text = bare.stack_info = None
        text = format_text(bare)
        if escape:
            text = text.translate(_CONTROLS)
        for trace in _traces(formatter, record):
            text = _with_trace(text, trace)
        return ("\n" + _INDENT).join(text.splitlines())

    return format_record


def _indented(format_text: Text, escape: bool) -> Text:
    """For a formatter of the user's own, which alone knows where a trace begins."""
    def format_record(record: logging.LogRecord) -> str:
        lines = format_text(record).splitlines()
        if escape:
            lines = [line.translate(_CONTROLS) for line in lines]
        return ("\n" + _INDENT).join(lines)

    return format_record
