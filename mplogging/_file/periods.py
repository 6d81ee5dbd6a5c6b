"""Calendar arithmetic, pure: an instant -> the period it falls in, and back.

    instant --(+ offset)--> local clock --(running maximum)--> naive seconds
            --(floor by step)--> index of the period <--> its label

The local clock jumps; its running maximum never goes back. So when clocks are
put back, no period opens a second time: the repeated minutes stay in the last
period before the change. Skipped hours or days simply have no period. Periods
are counted from 1970 on that clock, so all processes and restarts agree.

The time zone is read through `time.localtime` and remembered for the days met, until
`time.tzset` has set it anew.
"""

from __future__ import annotations

import datetime
import math
import time
from typing import NamedTuple

from .._errors import ConfigError
from .._numbers import is_whole

_DAY = 86_400
_EPOCH = datetime.datetime(1970, 1, 1)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_EPOCH_WEEKDAY = 3

# when -> (naive seconds, suffix); the suffixes are TimedRotatingFileHandler's.
_UNITS = {
    "S": (1, "%Y-%m-%d_%H-%M-%S"),
    "M": (60, "%Y-%m-%d_%H-%M"),
    "H": (3600, "%Y-%m-%d_%H"),
    "D": (_DAY, "%Y-%m-%d"),
    "MIDNIGHT": (_DAY, "%Y-%m-%d"),
    **{f"W{weekday}": (7 * _DAY, "%Y-%m-%d") for weekday in range(7)},
}

# A period must end within the years that `datetime` knows.
_LONGEST_STEP = 36_525 * _DAY

# Between two samples the offset may change once; no zone has changed it twice in 95 hours.
_SAMPLE = 12 * 3600


class Period(NamedTuple):
    """A stretch of time that has one log file; `label` names it."""

    start: int  # unix seconds, inclusive
    end: int  # exclusive
    label: datetime.datetime  # its start on the naive local (or UTC) clock


class _Stretch(NamedTuple):
    """A time during which the offset from UTC stays the same."""

    begin: int
    end: int
    offset: int


class Calendar:
    """The periods into which `when`, `interval`, `utc` and `atTime` cut time.

    Raises:
        ConfigError: An argument has a value that cannot work.
    """

    def __init__(
        self,
        when: str = "midnight",
        interval: int = 1,
        utc: bool = False,
        atTime: datetime.time | None = None,
    ) -> None:
        self.when = when.upper() if isinstance(when, str) else ""
        if self.when not in _UNITS:
            raise ConfigError(
                f"when must be 'S', 'M', 'H', 'D', 'midnight' or 'W0' to 'W6', got {when!r}"
            )
        if not is_whole(interval, 1):
            raise ConfigError(f"interval must be an int of 1 or more, got {interval!r}")
        unit, self.suffix = _UNITS[self.when]
        self.step = unit * interval
        if self.step > _LONGEST_STEP:
            raise ConfigError(f"interval must not exceed a hundred years, got {interval!r}")
        self.interval = interval
        self.utc = bool(utc)
        self.atTime = atTime
        self._base = self._seconds_of_atTime(unit)
        if self.when.startswith("W"):
            self._base += (int(self.when[1]) - _EPOCH_WEEKDAY) % 7 * _DAY
        self._forget()

    def _forget(self) -> None:
        # `time.tzset` makes another tuple each time.
        self._zone = time.tzname
        self._recent: tuple[Period, ...] = ()
        self._stretches_of_day: dict[int, list[_Stretch]] = {}

    def __repr__(self) -> str:
        return (
            f"Calendar(when={self.when!r}, interval={self.interval!r}, "
            f"utc={self.utc!r}, atTime={self.atTime!r})"
        )

    def period_of(self, created: float) -> Period:
        """The period that contains this instant (unix seconds).

        Raises:
            ValueError: Not a finite number, or outside the years 1 to 9999.
        """
        if time.tzname is not self._zone:
            self._forget()
        for period in self._recent:
            if period.start <= created < period.end:
                return period
        try:
            if not math.isfinite(created):
                raise ValueError(f"created must be finite, got {created!r}")
            naive = self._clock(math.floor(created))
            period = self._period((naive - self._base) // self.step)
        except (OverflowError, OSError) as error:
            raise ValueError(f"created must be in the years 1 to 9999, got {created!r}") from error
        # Replaced as a whole, never changed, so threads need no lock.
        if time.tzname is self._zone:
            self._recent = (period, *self._recent[:3])
        return period

    def period_labelled(self, label: datetime.datetime) -> Period | None:
        """The period whose label is exactly this, None if there is none."""
        if label.tzinfo is not None or label.microsecond:
            return None
        if time.tzname is not self._zone:
            self._forget()
        index, rest = divmod(_naive_seconds(label) - self._base, self.step)
        if rest:
            return None
        try:
            period = self._period(index)
        except (OverflowError, OSError, ValueError):
            return None
        # The clock skipped the whole of an empty period.
        return period if period.start < period.end else None

    def label_from(self, since: datetime.datetime) -> datetime.datetime:
        """The first label at or after this naive time, of an existing period or not.

        Raises:
            OverflowError: It would lie beyond the year 9999.
        """
        index = -((self._base - _naive_seconds(since)) // self.step)
        return self._label(index)

    def _seconds_of_atTime(self, unit: int) -> int:
        at = self.atTime
        if at is None:
            return 0
        if not isinstance(at, datetime.time) or at.tzinfo is not None or at.microsecond:
            raise ConfigError(
                f"atTime must be a datetime.time of whole seconds without tzinfo, got {at!r}"
            )
        if unit < _DAY:
            raise ConfigError(
                "atTime needs when='midnight', 'D' or 'W0' to 'W6', "
                f"got atTime={at!r} with when={self.when!r}"
            )
        return at.hour * 3600 + at.minute * 60 + at.second

    def _label(self, index: int) -> datetime.datetime:
        # Not by a timedelta: in an interpreter that is ending, 3.13.0 crashes on it.
        days, seconds = divmod(self._base + index * self.step, _DAY)
        try:
            day = datetime.date.fromordinal(_EPOCH_ORDINAL + days)
        except ValueError as error:
            raise OverflowError(str(error)) from None
        hour, minute, second = seconds // 3600, seconds // 60 % 60, seconds % 60
        return datetime.datetime(day.year, day.month, day.day, hour, minute, second)

    def _period(self, index: int) -> Period:
        label = self._label(index)
        naive = self._base + index * self.step
        return Period(self._instant(naive), self._instant(naive + self.step), label)

    def _clock(self, second: int) -> int:
        """The highest that the naive clock has shown up to this second."""
        return max(
            min(second, stretch.end - 1) + stretch.offset
            for stretch in self._stretches(second // _DAY)
            if stretch.begin <= second
        )

    def _instant(self, naive: int) -> int:
        """The first second at which the naive clock shows this much or more."""
        for stretch in self._stretches(naive // _DAY):
            second = max(stretch.begin, naive - stretch.offset)
            if second < stretch.end:
                return second
        raise ValueError(f"no offset from UTC can exceed two days, at {naive}")

    def _stretches(self, day: int) -> list[_Stretch]:
        """The stretches from two days before this day (UTC) to two days after it.

        Offsets stay below 26 hours, and the clock is never put back by more: so
        these hold all that the clock showed last, and the instant at which it
        shows any time of this day.
        """
        stretches_of_day = self._stretches_of_day  # another's, once the zone is another
        known = stretches_of_day.get(day)
        if known is not None:
            return known
        begin, last = (day - 2) * _DAY, (day + 3) * _DAY
        offset = self._offset(begin)
        stretches = []
        before = begin
        for sample in range(begin + _SAMPLE, last + 1, _SAMPLE):
            if self._offset(sample) != offset:
                sample = self._change(before, sample, offset)
                stretches.append(_Stretch(begin, sample, offset))
                begin, offset = sample, self._offset(sample)
            before = sample
        stretches.append(_Stretch(begin, last, offset))
        if len(stretches_of_day) >= 64:
            stretches_of_day.clear()
        stretches_of_day[day] = stretches
        return stretches

    def _change(self, before: int, after: int, offset: int) -> int:
        """The first second in (before, after] that no longer has this offset."""
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == offset:
                before = middle
            else:
                after = middle
        return after

    def _offset(self, second: int) -> int:
        if self.utc:
            return 0
        try:
            return time.localtime(second).tm_gmtoff
        except (OSError, OverflowError):
            # Some platforms know no time before 1970; the days after it need one.
            if second < 0:
                return time.localtime(0).tm_gmtoff
            raise


def _naive_seconds(moment: datetime.datetime) -> int:
    since = moment - _EPOCH
    return since.days * _DAY + since.seconds
