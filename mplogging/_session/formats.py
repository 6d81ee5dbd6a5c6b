"""The format of a session's lines: made of the arguments, and what is told of a wrong one."""

from __future__ import annotations

import logging
import re
import string
from collections.abc import Iterator

from .._errors import ConfigError, tell
from .._records import make_record

# With the number of the process, as the workers of a web server are all "MainProcess".
DEFAULT_FORMAT = (
    "%(asctime)s %(levelname)s %(processName)s[%(process)d] %(name)s: %(message)s"
)
_STYLES = "%{$"
_PERCENT_FIELD = re.compile(r"%\((\w+)\)")
_LATE = {"asctime", "message"}  # which formatting itself adds

_told: set[str] = set()


def made_formatter(given: dict[str, str]) -> logging.Formatter:
    """A formatter of the arguments `format`, `datefmt` and `style`, as far as they are given.

    Raises:
        ConfigError: There is none of that kind.
    """
    form, style = given.get("format", DEFAULT_FORMAT), given.get("style", "%")
    try:
        formatter = logging.Formatter(form, given.get("datefmt"), style)  # type: ignore[arg-type]
        # A datefmt of the wrong type shows only here. (To format all of a record would
        # refuse the fields that the program's own records bring.)
        formatter.formatTime(make_record({}), formatter.datefmt)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"format can't be made of {given!r}: {error}{_hint(form, style)}"
        ) from error
    return formatter


def _hint(form: str, style: str) -> str:
    for other in _STYLES:
        try:
            logging.Formatter(form, style=other)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        if other != style:
            return f"; did you mean style={other!r}?"
    return ""


def tell_of_unknown_fields(file: logging.Handler) -> None:
    """Warn once of fields that no record has by itself: the program's own, or misspelt."""
    formatter = file.formatter
    form = getattr(formatter, "_fmt", None)
    if type(formatter) is not logging.Formatter or file.filters or not form or form in _told:
        return
    try:
        record = logging.makeLogRecord({})  # by the program's own factory
    except Exception:
        return
    unknown = [
        name for name in _fields(form, formatter)
        if name not in _LATE and not hasattr(record, name)
    ]  # fmt: skip
    if unknown:
        _told.add(form)
        tell(
            f"format={form!r} has fields that no record has by itself:"
            f" {', '.join(map(repr, unknown))}. A line is made only of records that bring"
            " them (by extra=, or by logging.setLogRecordFactory for all)",
            stacklevel=2,
        )


def _fields(form: str, formatter: logging.Formatter) -> Iterator[str]:
    """The names of its fields."""
    style = formatter._style
    defaults = getattr(style, "_defaults", None) or {}
    if isinstance(style, logging.StringTemplateStyle):
        groups = (match.groupdict() for match in string.Template.pattern.finditer(form))
        names = [group["named"] or group["braced"] or "" for group in groups]
    elif isinstance(style, logging.StrFormatStyle):
        names = [name or "" for _, name, _, _ in string.Formatter().parse(form)]
        names = [re.split(r"[.\[]", name)[0] for name in names]
    else:
        names = _PERCENT_FIELD.findall(form)
    return (name for name in names if name and name not in defaults)
