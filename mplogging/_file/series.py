"""The files of one log: opens the one that a record belongs in.

It keeps two files open at most: the newest period's, and an older one for
records that come late.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Callable

from .._errors import MPLoggingWarning, is_foreign
from .._lock import FileLock
from .appending import Announce, AppendFile
from .compression import ALGORITHMS, Compressor
from .link import StableLink
from .names import FileNames
from .opening import Access
from .periods import Calendar, Period
from .retention import Retention
from .unwritten import Failed, Full, Unwritten

# The kernel stamps files by its tick, so that a stamp may be that much behind the clock.
_TICK_SECONDS = 0.01


class FileSeries:
    """Appends lines to the file of their own time.

    Whatever a new file brings with it (retention, the link, compression) is
    done where the file is opened, so that appending knows nothing of it.

    Args:
        see_to_house: Is called when `keep_house` is to be called again later.
    """

    def __init__(
        self,
        calendar: Calendar,
        names: FileNames,
        new_lock: Callable[[], FileLock],
        access: Access,
        max_bytes: int,
        retention: Retention,
        link: StableLink | None,
        compressor: Compressor | None,
        report: Callable[[str], None],
        see_to_house: Callable[[], None],
    ) -> None:
        self._calendar = calendar
        self._names = names
        self._new_lock = new_lock
        self._access = access
        self._max_bytes = max_bytes
        self._retention = retention
        self._link = link
        self._compressor = compressor
        self._report = report
        self._see_to_house = see_to_house
        # Half a line written in our lifetime is no crash's.
        self.cut_since = time.time() - _TICK_SECONDS
        self._zone = time.tzname
        self.late_count = 0  # lines for an older file than the newest
        self._forget()

    def _forget(self) -> None:
        self._newest: Period | None = None
        self.newest_file: AppendFile | None = None
        self._open_files: dict[Period, AppendFile] = {}
        self._parts: dict[Period, int] = {}
        self._stamps: dict[Period, int | None] = {}  # of directories, when a file was opened
        self._last_file: AppendFile | None = None
        self._is_late = False

    def append(
        self, created: float, chunks: Sequence[bytes], announce: Announce | None = None
    ) -> None:
        """Append lines that all belong to the period of `created`.

        Args:
            announce: As `AppendFile.append` takes it; a write that fills a file is
                followed by another.

        Raises:
            Failed: with the lines that are not in a file.
        """
        while True:
            file = self._last_file
            if (
                file is None
                or not file.start <= created < file.end
                or time.tzname is not file.zone
            ):
                try:
                    file = self.file_of(created)
                except OSError as error:
                    raise Failed(chunks) from error
            try:
                file.append(chunks, announce)
            except Unwritten as unwritten:
                self._count_late(len(chunks) - len(unwritten.chunks))
                if isinstance(unwritten, Failed):
                    raise
                chunks = unwritten.chunks
                try:
                    self._leave(self.period_of(created), is_full=isinstance(unwritten, Full))
                except OSError as error:
                    raise Failed(chunks) from error
            else:
                self._count_late(len(chunks))
                return

    def period_of(self, created: float) -> Period:
        """The period of a record of this time, and so its file's.

        Raises:
            ValueError: It is beyond the calendar.
        """
        return self._calendar.period_of(created)

    def _count_late(self, lines: int) -> None:
        if self._is_late:
            self.late_count += lines

    def _leave(self, period: Period, is_full: bool) -> None:
        """Close the period's file; its next line opens it anew, or another part."""
        self._close(period)
        part = self._parts.pop(period)
        if is_full:
            # Other programs may be further on than the one that logs least, unless nothing
            # has come to the directory since, or just the next part: to list it takes long
            # where there are many. (Who finds that part ended too, lists them then.)
            stamp = self._stamps.pop(period, None)
            if (
                stamp is None
                or stamp != self._stamp(period)
                and not os.path.exists(self._names.path(period, part + 1))
            ):
                part = max(part, self._names.last_part(period) - 1)
            self._parts[period] = self._unsealed(period, part + 1)

    def file_of(self, created: float) -> AppendFile:
        """The open file for records of this time."""
        if time.tzname is not self._zone:
            self.close()  # the zone has been set anew: periods begin at other times
            self._zone = time.tzname
        period = self.period_of(created)
        self._last_file = self._open_files.get(period) or self._open(period)
        self._is_late = self._newest is not None and period.start < self._newest.start
        return self._last_file

    def path_of(self, created: float) -> str:
        """Where a record of this time would go; opens nothing."""
        period = self.period_of(created)
        return self._names.path(period, self._part_of(period))

    def close(self) -> None:
        """Close all files; appending opens them again."""
        for file in self._open_files.values():
            self._shut(file)
        self._forget()

    def _close(self, period: Period) -> None:
        # In this order, so that a signal handler that raises leaves no closed file in use.
        self._last_file = None
        if period == self._newest:
            self.newest_file = None
        self._shut(self._open_files.pop(period))

    def _shut(self, file: AppendFile) -> None:
        try:
            file.close()
        except OSError as error:
            if is_foreign(error):
                raise
            self._report(f"{file.path} may not be whole: {error}, as it was closed")

    def _open(self, period: Period) -> AppendFile:
        is_newest = self._is_newer(period)
        for other in list(self._open_files):
            if is_newest or other != self._newest:
                self._close(other)
                del self._parts[other]
                self._stamps.pop(other, None)
        part = self._parts[period] = self._part_of(period)
        file = AppendFile(
            self._names.path(period, part),
            self._new_lock(),  # for each its own: one may be held up, and the other not
            self._access,
            self._max_bytes,
            zone=self._zone,
            start=period.start,
            end=period.end,
            ended_by=self._ending_paths(period, part),
            sealed_after=period.end if self._compressor else float("inf"),
            cut_since=self.cut_since,
        )
        self._open_files[period] = file
        if is_newest:
            self._newest = period
        if period == self._newest:
            self.newest_file = file
        if is_newest or file.is_new:
            self._bring_along(period, file.path)
        if self._max_bytes:
            self._stamps[period] = self._stamp(period)
        return file

    def _is_newer(self, period: Period) -> bool:
        """Does the log go on here? Not in the future: that is a clock gone wild."""
        newest = self._newest
        return (newest is None or period.start > newest.start) and period.start <= time.time()

    def _part_of(self, period: Period) -> int:
        known = self._parts.get(period)
        return self._unsealed(period, self._last_part(period)) if known is None else known

    def _last_part(self, period: Period) -> int:
        return self._names.last_part(period) if self._max_bytes else 0

    def _stamp(self, period: Period) -> int | None:
        """Changes when a file comes to the period's directory, or goes."""
        try:
            return os.stat(os.path.dirname(self._names.path(period))).st_mtime_ns
        except OSError:
            return None

    def _unsealed(self, period: Period, part: int) -> int:
        while any(map(os.path.exists, self._sealing_paths(period, part))):
            part += 1
        return part

    def _ending_paths(self, period: Period, part: int) -> list[str]:
        # A part that another program has gone on from is old to retention.
        next_part = [self._names.path(period, part + 1)] if self._max_bytes else []
        return self._sealing_paths(period, part) + next_part

    def _sealing_paths(self, period: Period, part: int) -> list[str]:
        return [self._names.path(period, part, algorithm) for algorithm in ALGORITHMS]

    def _bring_along(self, period: Period, path: str) -> None:
        if sys.is_finalizing():
            return  # the next process does it, which can start a thread, or look at dates
        try:
            if not self.keep_house():
                self._see_to_house()
            if self._link is not None and period == self._newest:
                self._link.point_to(path)
            if self._compressor is not None:
                self._compressor.start()
        except OSError as error:
            self._report(f"the present file is written, but not what goes with it: {error}")
        except MPLoggingWarning as warning:  # raised, not shown
            self._report(str(warning))

    def keep_house(self) -> bool:
        """Delete what is too old or too much; False if it is to be tried again."""
        newest = self._newest
        if not self._retention.is_on or newest is None:
            return True
        active = {file.path for file in self._open_files.values()}
        rank = newest.start, self._parts.get(newest, 0)
        return self._retention.apply(rank, active, min(time.time(), newest.end))
