"""What an entry says in which field: by the log's format, or as JSON, or as it seems.

    parser = LineParser()                                 # what is usual
    parser = LineParser(logging.Formatter("%(asctime)s %(message)s"))
    parser.fields("2026-11-24 09:30:12,345 INFO …")       # {"created": …, "levelname": …, …}
"""

from __future__ import annotations

import json
import logging
import re
import string
import time
from collections.abc import Iterator
from typing import Any, Union

from .._errors import ConfigError
from .shapes import TIME, Shape, usual_shape
from .times import USUAL, UsualTimes, time_of_value, written_time

Format = Union[str, logging.Formatter]
Fields = dict[str, Any]

_USUAL_FORMATS = (
    "%(asctime)s %(levelname)s %(processName)s[%(process)d] %(name)s: %(message)s",
    "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s",
    "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
    "%(asctime)s %(levelname)s %(name)s: %(message)s",
)
_NUMBER = r"-?\d+"
_PATTERNS = {
    "levelname": r"[A-Z][A-Z0-9_]*|Level \d+",
    "created": r"\d+(?:\.\d*)?", "msecs": r"\d+(?:\.\d*)?", "relativeCreated": r"\d+(?:\.\d*)?",
    "process": _NUMBER, "thread": _NUMBER, "lineno": _NUMBER, "levelno": _NUMBER,
    "name": r"\S+", "module": r"\S+", "funcName": r"\S+",
    "message": r".*",
}  # fmt: skip
# A line that has one of these begins an entry; others could begin in any way.
_TELLING = ("asctime", "created", "levelname")
_LEVEL_WITHIN = re.compile(
    r"\b(DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL|debug|info|warning|error|critical)\b"
)
_LEVEL_WINDOW = 120
_json = json.JSONDecoder()
_DIGITS = dict.fromkeys("YmdHMSfjIyVGuUWw", r"\d{1,4}")
# As python-json-logger, structlog and their like call them; the first that is there.
_JSON_NAMES = {
    "created": ("created", "timestamp", "asctime", "@timestamp", "time", "ts", "datetime"),
    "levelname": ("levelname", "level", "severity", "log_level", "log.level"),
    "name": ("name", "logger", "logger_name", "log.logger"),
    "processName": ("processName", "process_name"),
    "process": ("process", "pid"),
    "message": ("message", "event", "msg"),
}


class LineParser:
    """Takes the fields out of entries.

    Args:
        format: The log's, or its formatter; None for what is usual.
        datefmt, style: As `logging.Formatter` takes them.
        is_utc: The times in its lines are UTC rather than local.

    Raises:
        ConfigError: The format is none.
    """

    def __init__(
        self,
        format: Format | None = None,
        datefmt: str | None = None,
        style: str = "%",
        is_utc: bool = False,
    ) -> None:
        if isinstance(format, logging.Formatter):
            is_utc = is_utc or format.converter is time.gmtime
            datefmt, style = format.datefmt, _style(format)
            format = format._fmt or "%(message)s"
        self._is_utc = is_utc
        self._datefmt = datefmt
        self._times = UsualTimes(is_utc)
        self._own: re.Pattern[str] | None = None
        self._start: bytes | None = None
        if format is not None:
            pieces = _pieces_of(format, style)
            pattern = _regex_of(pieces, datefmt)
            self._own = re.compile(pattern, re.DOTALL)
            if any(field in _TELLING for field, _ in pieces):
                end = pattern.find("(?P<message>")
                self._start = (pattern if end < 0 else pattern[:end]).encode()

    def shape_of(self, sample: bytes) -> Shape:
        """What the entries look like of which this is some."""
        if self._start is not None and re.search(rb"(?:\A|\n)" + self._start, sample):
            return Shape(self._start)
        return usual_shape(sample)

    def fields(self, text: str) -> Fields:
        """What the entry says, under the names that a `LogRecord` has for it.

        `created` is in unix seconds; what can't be told is not there.
        """
        own = self._own.match(text) if self._own is not None else None
        if own is not None:
            return self._typed(own, self._datefmt)
        if text.startswith("{"):
            return self._of_json(text)
        for usual in _usual:
            found = usual.match(text)
            if found is not None:
                return self._typed(found, None)
        return self._guessed(text)

    def created(self, text: str) -> float | None:
        """When the entry was made, unix seconds; None if that can't be told."""
        if self._own is None and not text.startswith("{"):
            return self._times.at(text, 1 if text.startswith("[") else 0)
        created = self.fields(text).get("created")
        return created if isinstance(created, float) else None

    def _typed(self, found: re.Match[str], datefmt: str | None) -> Fields:
        fields: Fields = {}
        for name, text in found.groupdict().items():
            if text is None:
                continue
            text = text if name == "message" else text.strip()
            if _PATTERNS.get(name) is _NUMBER:
                fields[name] = int(text)
            elif name == "created":
                fields[name] = float(text)
            else:
                fields[name] = text
        if "asctime" in fields and "created" not in fields:
            text = fields["asctime"]
            created = (
                self._times.at(text) if datefmt is None
                else written_time(text, datefmt, self._is_utc)
            )  # fmt: skip
            if created is not None:
                fields["created"] = created
        return fields

    def _of_json(self, text: str) -> Fields:
        try:
            given, _ = _json.raw_decode(text)  # lines that are no JSON may follow
        except ValueError:
            return {"message": text}
        fields: Fields = dict(given)
        for name, names in _JSON_NAMES.items():
            value = next((given[other] for other in names if other in given), None)
            fields.pop(name, None)
            if name == "created":
                value = time_of_value(value, self._times)
            elif name == "levelname" and value is not None:
                value = logging.getLevelName(value) if type(value) is int else str(value).upper()
            if value is not None:
                fields[name] = value
        return fields

    def _guessed(self, text: str) -> Fields:
        fields: Fields = {"message": text}
        begin = 1 if text.startswith("[") else 0
        found = USUAL.match(text, begin)
        if found is not None:
            created = self._times.of(found)
            if created is not None:
                fields["created"] = created
            begin = found.end()
        line = text[: begin + _LEVEL_WINDOW].partition("\n")[0]
        level = _LEVEL_WITHIN.search(line, begin)
        if level is not None:
            fields["levelname"] = level[1].upper()
        return fields


def _style(formatter: logging.Formatter) -> str:
    kinds: dict[str, Any] = logging._STYLES
    return next((mark for mark, kind in kinds.items() if type(formatter._style) is kind[0]), "%")


def _pieces_of(form: str, style: str) -> list[tuple[str, str]]:
    """The format taken apart: names of fields, or "" and text."""
    try:
        logging.Formatter(form, style=style)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ConfigError(f"format can't be made of {form!r}, style {style!r}: {error}") from error
    if style == "{":
        return list(_brace_pieces(form))
    if style == "$":
        return list(_split(string.Template.pattern, form))
    return list(_split(re.compile(r"%(?:\((?P<named>\w+)\)[#0\- +]*\d*(?:\.\d+)?[a-zA-Z]|"
                                  r"(?P<escaped>%))"), form))


def _split(pattern: re.Pattern[str], form: str) -> Iterator[tuple[str, str]]:
    end = 0
    for found in pattern.finditer(form):
        yield "", form[end : found.start()]
        groups = found.groupdict()
        name = groups["named"] or groups.get("braced")
        yield (name, "") if name else ("", found[0][0])
        end = found.end()
    yield "", form[end:]


def _brace_pieces(form: str) -> Iterator[tuple[str, str]]:
    for text, name, _, _ in string.Formatter().parse(form):
        yield "", text
        if name:
            yield re.split(r"[.\[]", name)[0], ""


def _regex_of(pieces: list[tuple[str, str]], datefmt: str | None) -> str:
    """What matches an entry of this format; blanks may be around a field that is padded."""
    regex = ""
    met = set()
    for name, text in pieces:
        if not name:
            regex += re.escape(text)
            continue
        pattern = _time_pattern(datefmt) if name == "asctime" else _PATTERNS.get(name, r"[^\n]*?")
        if name in met:
            regex += rf"\s*(?:{pattern})\s*?"
        elif name == "message":
            regex += rf"(?P<message>{pattern})"
        else:
            regex += rf"[ ]*(?P<{name}>{pattern})[ ]*?"
        met.add(name)
    return regex


def _time_pattern(datefmt: str | None) -> str:
    if datefmt is None:
        return TIME + r"(?:[.,]\d+)?"
    regex = ""
    for found in re.finditer(r"%(.)|[^%]+", datefmt, re.DOTALL):
        letter = found[1]
        regex += re.escape(found[0]) if letter is None else _DIGITS.get(letter, r"[^\n]+?")
    return regex


_usual = [re.compile(_regex_of(_pieces_of(form, "%"), None), re.DOTALL) for form in _USUAL_FORMATS]
