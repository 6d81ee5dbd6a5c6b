"""Which file name belongs to which period; pure, except for `FileNames.scan`.

    Period --path()--> "logs/app.log.2026-11-24" + ".1" + ".gz"
    Period <--parse()-- the same, and only if path() gives exactly that

A name must tell each period from every other. Its directives keep it the same
for some stretch of the calendar (a month with "%Y-%m"); if no stretch is longer
than a period, at most one period begins in each, and the name identifies it.
"""

from __future__ import annotations

import itertools
import os
import re
import time as clock
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from .._errors import ConfigError
from .patterns import DIGITS, Token, name_of, regex_of, tokens_of
from .periods import Calendar, Period

_DAY = 86_400
_PART = re.compile(r"\.([1-9][0-9]{0,8})(?:\.(?:gz|zst))?")
_MOST_REMEMBERED = 4096
_MOST_LINKS = 40  # as Linux follows
_SYSTEM_DIRECTORIES = ("/dev", "/dev/fd")

_Fields = dict[str, int]


class _Span(NamedTuple):
    """What directives single out, its greatest length, and the day it begins on."""

    directives: str
    unit: str
    seconds: int
    first_day: Callable[[_Fields], date]


# The finest first. %y counts as %Y. There is no "YV": the days around a new year
# share a week, not a year, so that "2024-W01" would be January and December.
_SPANS = (
    _Span("Ymd", "day", _DAY, lambda f: date(f["Y"], f["m"], f["d"])),
    _Span("Yj", "day", _DAY, lambda f: date(f["Y"], 1, 1) + timedelta(f["j"] - 1)),
    _Span("GVu", "day", _DAY, lambda f: date.fromisocalendar(f["G"], f["V"], f["u"])),
    _Span("GV", "week", 7 * _DAY, lambda f: date.fromisocalendar(f["G"], f["V"], 1)),
    _Span("Ym", "month", 31 * _DAY, lambda f: date(f["Y"], f["m"], 1)),
    _Span("Y", "year", 366 * _DAY, lambda f: date(f["Y"], 1, 1)),
    _Span("G", "ISO year", 371 * _DAY, lambda f: date.fromisocalendar(f["G"], 1, 1)),
)
_TIMES = (("H", "hour", 3600), ("M", "minute", 60), ("S", "second", 1))


class LogFile(NamedTuple):
    """A file name of ours, taken apart."""

    period: Period
    part: int  # 0 for the plain name, 1 for ".1", ...
    compression: str  # "", "gz" or "zst"
    path: str


class FileNames:
    """The names that a handler gives its files, and no others.

    Args:
        filename: Its strftime directives place the date, "%%" is a percent sign;
            without directives the name gets "." and the suffix appended.
        suffix: A strftime pattern, instead of the calendar's own.

    Attributes:
        filename: The absolute pattern, which may be given to `FileNames` again.
        stable: The absolute name without a date, None if directives place it.
        directory: That of all files, or the last one above them without a directive.

    Raises:
        ConfigError: An argument has a value that cannot work.
    """

    def __init__(
        self, filename: str | os.PathLike[str], calendar: Calendar, suffix: str | None = None
    ) -> None:
        given = _checked_filename(filename)
        if not os.path.isabs(given):
            # The directory we happen to be in is no pattern, whatever its name.
            given = os.path.join(os.getcwd().replace("%", "%%"), given)
        self.filename = os.path.normpath(given)
        self.stable: str | None = None
        tokens = tokens_of(self.filename, "filename")
        if any(directive for directive, _ in tokens):
            if suffix is not None:
                raise ConfigError(
                    "suffix needs a filename without strftime directives, "
                    f"got suffix={suffix!r} with filename={filename!r}"
                )
            self._pattern, blamed = self.filename, f"filename {filename!r}"
        else:
            self.stable = name_of(tokens)
            _check_place(self.stable, filename)
            suffix = calendar.suffix if suffix is None else _checked_suffix(suffix)
            tokens += tokens_of(f".{suffix}", "suffix")
            self._pattern, blamed = f"{self.filename}.{suffix}", f"suffix {suffix!r}"
        self._calendar = calendar
        self._tokens = tokens
        self._span, self._times = _identified(tokens, calendar, blamed)
        parts = [tokens_of(part, "filename") for part in self._pattern.split(os.sep)]
        above = itertools.takewhile(lambda part: not any(letter for letter, _ in part), parts)
        self.directory = os.sep.join(map(name_of, above)) or os.sep
        self._regex = re.compile(
            f"(?P<stem>{regex_of(tokens)})"
            r"(?:\.(?P<part>[1-9][0-9]{0,8}))?(?:\.(?P<compression>gz|zst))?"
        )
        # The periods of names met, without what follows; and the zone in which they are so.
        self._known: tuple[Any, dict[str, Period | None]] = (None, {})
        self._most_known = _MOST_REMEMBERED

    def path(self, period: Period, part: int = 0, compression: str = "") -> str:
        """The name of this period's file."""
        name = name_of(self._tokens, period.label)
        return name + (f".{part}" if part else "") + (f".{compression}" if compression else "")

    def parse(self, path: str) -> LogFile | None:
        """The file of this name, None unless `path()` gives exactly this name."""
        match = self._regex.fullmatch(path)
        if match is None:
            return None
        stem, part, compression = match["stem"], match["part"], match["compression"]
        zone, periods = self._known
        if zone is not clock.tzname or len(periods) >= self._most_known:
            zone, periods = self._known = clock.tzname, {}
        try:
            period = periods[stem]
        except KeyError:
            period = periods[stem] = self._period_of(stem, match.groupdict())
        return LogFile(period, int(part or 0), compression or "", path) if period else None

    def _period_of(self, stem: str, groups: dict[str, str]) -> Period | None:
        """The period whose name this is, but for its part and compression."""
        fields = {name: int(digits) for name, digits in groups.items() if name in DIGITS}
        if "Y" not in fields and "y" in fields:
            fields["Y"] = fields["y"] + (1900 if fields["y"] >= 69 else 2000)
        try:
            since = datetime.combine(self._span.first_day(fields), time())
            for directive, seconds in self._times:
                since += timedelta(seconds=seconds * fields[directive])
            period = self._calendar.period_labelled(self._calendar.label_from(since))
        except (ValueError, OverflowError):  # a 30th of February, a year 0
            return None
        return period if period is not None and self.path(period) == stem else None

    def last_part(self, period: Period) -> int:
        """The greatest part of this period, compressed or not, that there is a file of."""
        directory, name = os.path.split(self.path(period))
        last = 0
        for entry in _entries(directory):
            if entry.name.startswith(name) and (found := _PART.fullmatch(entry.name, len(name))):
                part = int(found[1])
                if part > last and entry.is_file(follow_symlinks=False):
                    last = part
        return last

    def scan(self) -> list[LogFile]:
        """Every regular file with a name of ours, the oldest first.

        Links are neither listed nor followed, except in the directories before
        the first directive. Missing directories are no error.

        Raises:
            OSError: A directory cannot be read.
        """
        parts = [tokens_of(part, "filename") for part in self._pattern.split(os.sep)]
        dated = [any(directive for directive, _ in part) for part in parts]
        depth = dated.index(True)
        directories = [os.sep.join(name_of(part) for part in parts[:depth]) + os.sep]
        for part in parts[depth:-1]:
            matches = re.compile(regex_of(part)).fullmatch
            directories = [
                entry.path
                for directory in directories
                for entry in _entries(directory)
                if matches(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
        entries = [entry for directory in directories for entry in _entries(directory)]
        # The next scan meets the same names, and one that is new takes many times as long.
        self._most_known = max(_MOST_REMEMBERED, 2 * len(entries))
        found = []
        for entry in entries:
            file = self.parse(entry.path)
            if file is not None and entry.is_file(follow_symlinks=False):
                found.append(file)
        return sorted(found)


def _identified(
    tokens: list[Token], calendar: Calendar, blamed: str
) -> tuple[_Span, list[tuple[str, int]]]:
    """The span that these names single out, and the times of day to add to its first day."""
    given = {directive for directive, _ in tokens}
    if "y" in given:
        given.add("Y")
    span = next((span for span in _SPANS if given.issuperset(span.directives)), None)
    if span is None:
        raise ConfigError(
            f"{blamed} does not say which year a file is of: add %Y (for an ISO week %G)"
        )
    unit, seconds, times = span.unit, span.seconds, []
    if unit == "day":
        for directive, finer, length in _TIMES:
            if directive not in given:
                break
            times.append((directive, length))
            unit, seconds = finer, length
    if calendar.step < seconds:
        raise ConfigError(
            f"{blamed} names a file by its {unit} only, in which several periods of "
            f"when={calendar.when!r}, interval={calendar.interval} can begin: add finer directives"
            + (" (%V needs %G)" if "V" in given and "G" not in given else "")
        )
    return span, times


def _checked_filename(filename: str | os.PathLike[str]) -> str:
    try:
        name = os.fspath(filename)
    except TypeError:
        name = None
    if not isinstance(name, str):
        raise ConfigError(f"filename must be a str or a path of str, got {filename!r}")
    if os.path.basename(name) in ("", ".", "..") or "\0" in name:
        raise ConfigError(f"filename must name a file, got {filename!r}")
    return name


def _check_place(path: str, filename: str | os.PathLike[str]) -> None:
    """Refuse what no files can be beside of."""
    if os.path.isdir(path):
        raise ConfigError(f"filename must not name a directory, got {filename!r}")
    for _ in range(_MOST_LINKS):
        directory = os.path.dirname(path)
        if directory in _SYSTEM_DIRECTORIES or directory.startswith("/proc/"):
            break
        if not os.path.islink(path):
            if os.path.exists(path) and not os.path.isfile(path):
                break
            return
        path = os.path.normpath(os.path.join(directory, os.readlink(path)))
    raise ConfigError(
        f"filename must not name a device, a pipe or a socket, got {filename!r}: its files have"
        " names of their own; logging.StreamHandler or logging.FileHandler write to such"
    )


def _checked_suffix(suffix: str) -> str:
    if not isinstance(suffix, str) or os.path.basename(suffix) != suffix or "\0" in suffix:
        raise ConfigError(f"suffix must be a strftime pattern without separators, got {suffix!r}")
    return suffix


def _entries(directory: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return
