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

from .._errors import ConfigError
from .standard import formats_as_standard, is_original, is_standard, unchanged

Text = Callable[[logging.LogRecord], str]
Line = Callable[[logging.LogRecord], bytes]
Values = Callable[[logging.LogRecord], tuple[Any, ...]]

NEWLINES = ("keep", "escape", "indent")
_INDENT = "    "
_UNIT_BYTES = {"utf-16": 2, "utf-32": 4}  # of which every character takes one or more
_FIELD = re.compile(r"%(?:\(([^)]*)\))?([#0\- +]*\d*(?:\.\d+)?[a-zA-Z%])")  # name, spec
# Whatever ends a line somewhere, or moves a terminal's cursor.
_CONTROLS = {code: repr(chr(code))[1:-1] for code in
             (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
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
        self.unit_bytes = _UNIT_BYTES.get(codecs.lookup(encoding).name[:6], 1)
        text_of: Text = formatter.format
        line = None
        self.is_compiled = False  # if True, any number of threads may be in `line`
        if isinstance(formatter, logging.Formatter) and is_standard(formatter, "format"):
            if formats_as_standard(formatter):
                self.is_compiled = True
                text_of = _compiled(formatter)
                if newlines == "keep" and not self.file_header:
                    line = _percent_line(formatter, terminator, encoding, errors)
            if newlines != "keep":
                text_of = _one_record_lines(formatter, text_of, newlines == "escape")
        elif newlines != "keep":
            text_of = _indented(text_of, newlines == "escape")
        #: Returns a record's line, its terminator included.
        self.line: Line = line or _encoded(
            text_of, terminator, encoding, errors, len(self.file_header)
        )


def _encoded(
    text_of: Text, terminator: str, encoding: str, errors: str, header_bytes: int
) -> Line:
    def line(record: logging.LogRecord) -> bytes:
        return f"{text_of(record)}{terminator}".encode(encoding, errors)[header_bytes:]

    return line


def _header(encoding: str) -> bytes:
    try:
        return "".encode(encoding)
    except (LookupError, TypeError, ValueError):
        raise ConfigError(f"encoding must name a text encoding, got {encoding!r}") from None


def _compiled(formatter: logging.Formatter) -> Text:
    """`formatter.format`, with the same result."""
    uses_time = formatter.usesTime()
    asctime_of = _asctime(formatter)
    is_as_it_was = unchanged(formatter)

    def text_of(record: logging.LogRecord) -> str:
        if not is_as_it_was():
            return formatter.format(record)
        record.message = record.getMessage()
        if uses_time:
            record.asctime = asctime_of(record)
        text = formatter.formatMessage(record)
        return _with_traces(formatter, text, record)

    return text_of


def _percent_line(
    formatter: logging.Formatter, terminator: str, encoding: str, errors: str
) -> Line | None:
    """The whole line, encoded, for a %-format; None for one that `_parsed` doesn't take.

    The time is written into the format, and stays there while it is the same to the
    millisecond: of a log call's 10 µs, 0.15 go into a number for the milliseconds. Then
    it is also looked whether somebody has changed the class; whether its clock or the
    zone is another, at each record.
    The other fields are the record's attributes: 0.2 go into a record's `__dict__`,
    which it hasn't got until it is asked for.
    """
    parsed = _parsed(formatter)
    if parsed is None:
        return None
    pieces, values = parsed
    pieces[-1] += terminator.replace("%", "%%")
    uses_time = len(pieces) > 1
    text_end = -len(terminator) or None
    asctime_of = _asctime(formatter)
    is_as_it_was, kind = unchanged(formatter), type(formatter)
    converter, format_record = formatter.converter, kind.format
    # The second's begin and end, its milliseconds, the zone, the time as text, and the
    # format with that in it. Replaced as a whole, so that threads see it complete.
    kept: tuple[float, float, float, Any, str, str] = 0.0, 0.0, 0.0, None, "", pieces[0]

    def line(record: logging.LogRecord) -> bytes:
        nonlocal kept
        record.message = record.getMessage()
        second, next_second, msecs, zone, asctime, pattern = kept
        if uses_time:
            if not (
                msecs == record.msecs
                and second <= record.created < next_second
                and time.tzname is zone
                and formatter.converter is converter
            ):
                if not is_as_it_was():
                    return f"{formatter.format(record)}{terminator}".encode(encoding, errors)
                zone = time.tzname
                asctime = asctime_of(record)
                pattern = asctime.replace("%", "%%").join(pieces)
                second = record.created // 1
                kept = second, second + 1, record.msecs, zone, asctime, pattern
            record.asctime = asctime
        elif kind.format is not format_record and not is_as_it_was():
            return f"{formatter.format(record)}{terminator}".encode(encoding, errors)
        try:
            text = pattern % values(record)
        except Exception:
            # Raises what it always raised: from 3.15 on, an error names the field.
            text = formatter.formatMessage(record)
            text += terminator
        if record.exc_info or record.exc_text or record.stack_info:
            text = _with_traces(formatter, text[:text_end], record) + terminator
        return text.encode(encoding, errors)

    return line


def _asctime(formatter: logging.Formatter) -> Text:
    """`formatter.formatTime`; the text for a second is kept until the second changes."""
    date_format = formatter.datefmt or formatter.default_time_format
    milliseconds = _milliseconds(formatter)
    # One tuple, replaced as a whole, so that threads see it complete. A zone that is set
    # is another tuple each time.
    kept: tuple[float, Any, Any, str] = (float("nan"), None, None, "")

    def asctime(record: logging.LogRecord) -> str:
        nonlocal kept
        second, zone, converter, text = kept
        if (
            record.created // 1 != second
            or time.tzname is not zone
            or formatter.converter is not converter
        ):
            second, zone, converter = record.created // 1, time.tzname, formatter.converter
            text = time.strftime(date_format, converter(second))
            kept = second, zone, converter, text
        return milliseconds % (text, record.msecs) if milliseconds else text

    return asctime


def _milliseconds(formatter: logging.Formatter) -> str | None:
    return None if formatter.datefmt else formatter.default_msec_format or None


def _parsed(formatter: logging.Formatter) -> tuple[list[str], Values] | None:
    """A %-format's stretches between its `asctime` fields, and what looks up its values.

    None if it is no such format, or has what only `logging` itself makes sense of.
    """
    style = formatter._style
    if (
        type(style) is not logging.PercentStyle
        or not is_original(logging.PercentStyle, "format")
        or vars(style).keys() & {"format", "_format"}
        or getattr(style, "_defaults", None)
    ):
        return None
    texts = _FIELD.split(style._fmt)  # a text, and then name, spec and text of each field
    pieces, names = [texts[0]], []
    for name, spec, text in zip(texts[1::3], texts[2::3], texts[3::3]):
        if name == "asctime" and spec == "s":
            pieces.append(text)
        elif name == "asctime" or (name is None) != (spec == "%"):
            return None
        elif "." in (name or "") or hasattr(logging.LogRecord, name or ""):
            return None  # an attribute of something else than the record
        else:
            pieces[-1] += f"%{spec}{text}"
            names += [name] if name is not None else []
    if not names or any("%" in text for text in texts[::3]):
        return None  # a "%" beside the fields is an error
    value = operator.attrgetter(*names)
    return pieces, value if len(names) > 1 else lambda record: (value(record),)


def _traces(formatter: logging.Formatter, record: logging.LogRecord) -> Iterator[str]:
    if record.exc_info and not record.exc_text:
        record.exc_text = formatter.formatException(record.exc_info)
    if record.exc_text:
        yield record.exc_text
    if record.stack_info:
        yield formatter.formatStack(record.stack_info)


def _with_traces(formatter: logging.Formatter, text: str, record: logging.LogRecord) -> str:
    for trace in _traces(formatter, record):
        text = text + trace if text[-1:] == "\n" else text + "\n" + trace
    return text


def _one_record_lines(formatter: logging.Formatter, format_text: Text, escape: bool) -> Text:
    indented = _indented(lambda record: formatter.format(record), escape)

    def format_record(record: logging.LogRecord) -> str:
        if not is_standard(formatter, "format"):  # any more
            return indented(record)
        bare: Any = copy.copy(record)
        bare.exc_info = bare.exc_text = bare.stack_info = None
        text = format_text(bare)
        record.__dict__.update(
            (name, bare.__dict__[name]) for name in ("message", "asctime") if name in bare.__dict__
        )
        if escape:
            text = text.translate(_CONTROLS)
        text = _with_traces(formatter, text, record)
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
