"""Which old files go: by number, age and total size."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterator
from typing import Callable

from .names import FileNames, LogFile


class Retention:
    """Deletes old log files of one name, and nothing else.

    Any number of processes may do so at once: a file that is already gone is
    what each of them wanted.

    Args:
        count: How many old files to keep beside the active one, 0 for all.
        max_age: Seconds to keep a file after its period's end, 0 for ever.
        max_total_bytes: What all files together may take, 0 for any size.
        report: Is told of what can't be deleted, once until all can be.
    """

    def __init__(
        self,
        names: FileNames,
        count: int,
        max_age: float,
        max_total_bytes: int,
        report: Callable[[str], None],
    ) -> None:
        self._names = names
        self._count = count
        self._max_age = max_age
        self._max_total_bytes = max_total_bytes
        self._report = report
        self._is_told = False
        self.is_on = bool(count or max_age or max_total_bytes)

    def apply(self, newest: tuple[int, int], active: Collection[str], now: float) -> bool:
        """Delete what is too much; False if it is to be tried again.

        Args:
            newest: Start of the period and part of the file that old files are
                older than. Others may be ahead of us: what is newer stays.
            active: Paths that stay too.
            now: What `max_age` counts back from.
        """
        failure: OSError | None = None
        try:
            for file in self._too_much(newest, active, now):
                try:
                    os.unlink(file.path)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    failure = failure or error
        except OSError as error:  # a directory that can't be read
            failure = error
        if failure is not None and not self._is_told:
            self._report(f"old files can't be deleted, they stay for now: {failure}")
        self._is_told = failure is not None
        return failure is None

    def _too_much(
        self, newest: tuple[int, int], active: Collection[str], now: float
    ) -> Iterator[LogFile]:
        # A file and its compressed form, both there for a moment, are one.
        groups = [
            list(files)
            for _, files in itertools.groupby(
                self._names.scan(), key=lambda file: (file.period.start, file.part)
            )
        ]
        old, other_bytes = [], 0
        for files in groups:
            is_older = (files[0].period.start, files[0].part) < newest
            if is_older and not any(file.path in active for file in files):
                old.append(files)
            else:
                other_bytes += self._size(files)
        return self._doomed(old, now, other_bytes)

    def _doomed(
        self, old: list[list[LogFile]], now: float, total_bytes: int
    ) -> Iterator[LogFile]:
        for rank, files in enumerate(reversed(old), start=1):
            total_bytes += self._size(files)
            if (
                (self._count and rank > self._count)
                or (self._max_age and files[0].period.end <= now - self._max_age)
                or (self._max_total_bytes and total_bytes > self._max_total_bytes)
            ):
                yield from files

    def _size(self, files: list[LogFile]) -> int:
        if not self._max_total_bytes:
            return 0  # nobody asks
        return sum(_size(file.path) for file in files)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
