"""Times that are written: in a log's lines, and by whoever asks for some of them. Pure but for
the clock, from which "10m" and "09:30" count."""

from __future__ import annotations

import calendar
import datetime
import re
import time
from typing import Any, Callable, Union

from .._errors import ConfigError
from .._numbers import is_seconds
from .shapes import TIME

Moment = Union[float, datetime.datetime, datetime.timedelta, str]

USUAL = re.compile(rf"({TIME})(?:[.,](\d{{1,9}}))?\s?(Z|[+-]\d\d:?\d\d)?")
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_CLOCK = re.compile(r"(\d\d?):(\d\d)(?::(\d\d))?")
_MINUTE = len("2026-11-24 09:30")
# Numbers of an epoch in these are seconds, milli-, micro- or nanoseconds.
_SCALES = ((1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6), (float("inf"), 1e-9))


class UsualTimes:
    """What a time such as "2026-11-24 09:30:12,345" stands for.

    Args:
        is_utc: Where the text does not say.
    """

    def __init__(self, is_utc: bool = False) -> None:
        self._seconds_of = calendar.timegm if is_utc else time.mktime
        # A log's lines share most of their minutes.
        self._minute, self._seconds = "", 0.0

    def at(self, text: str, begin: int = 0) -> float | None:
        """Of the time that stands there; None if none does."""
        found = USUAL.match(text, begin)
        return self.of(found) if found else None

    def of(self, found: re.Match[str]) -> float | None:
        """Of a match of `USUAL`."""
        text, fraction, zone = found.groups()
        try:
            if zone:
                iso = f"{text}{'+00:00' if zone == 'Z' else _colon(zone)}"
                seconds = datetime.datetime.fromisoformat(iso).timestamp()
            else:
                minute = text[:_MINUTE]
                if minute != self._minute:
                    self._seconds = _start_of(minute, self._seconds_of)
                    self._minute = minute
                seconds = self._seconds + int(text[-2:])
        except (ValueError, OverflowError):
            return None
        return seconds + int(fraction) / 10 ** len(fraction) if fraction else seconds


def _start_of(minute: str, seconds_of_fields: Callable[[Any], float]) -> float:
    moment = datetime.datetime.fromisoformat(minute)
    return float(seconds_of_fields((*moment.timetuple()[:8], -1)))


def _colon(zone: str) -> str:
    return zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"


def written_time(text: str, datefmt: str, is_utc: bool) -> float | None:
    """Of a text that `time.strftime` made; None if that can't be told."""
    try:
        moment = datetime.datetime.strptime(text, datefmt)
        if moment.year < 1970 or (moment.year == 1900 and "%y" not in datefmt.lower()):
            return None
        if moment.tzinfo is None and is_utc:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        return moment.timestamp()
    except (ValueError, OverflowError):
        return None


def time_of_value(value: Any, times: UsualTimes) -> float | None:
    """Of what a JSON line has under the name of its time."""
    if isinstance(value, str):
        return times.at(value)
    if is_seconds(value):
        return float(value) * next(scale for most, scale in _SCALES if value < most)
    return None


def moment_of(argument: str, value: Any) -> float | None:
    """Unix seconds of a moment, given in whatever way.

    Raises:
        ConfigError: It is none; names the argument.
    """
    if value is None:
        return None
    if isinstance(value, datetime.timedelta):
        return time.time() - value.total_seconds()
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if is_seconds(value):
        return float(value)
    if isinstance(value, str):
        found = _moment_of_text(value.strip())
        if found is not None:
            return found
    raise ConfigError(
        f"{argument} must be unix seconds, a datetime, a timedelta of how long ago, or a text"
        f" such as '2026-11-24 09:30', '09:30' (of today) or '10m' (ago), got {value!r}"
    )


def _moment_of_text(text: str) -> float | None:
    ago = _AGO.fullmatch(text)
    if ago:
        return time.time() - float(ago[1]) * _UNITS[ago[2]]
    try:
        clock = _CLOCK.fullmatch(text)
        if clock:
            hour, minute, second = (int(part or 0) for part in clock.groups())
            at = datetime.time(hour, minute, second)
            return datetime.datetime.combine(datetime.date.today(), at).timestamp()
        text = re.sub(r"[,.](\d+)$", lambda found: "." + (found[1] + "000000")[:6], text)
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None
