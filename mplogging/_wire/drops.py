"""What a process had to drop, counted where its death can't take the count along."""

from __future__ import annotations

import os
import struct
import time
from collections import deque
from collections.abc import Iterator
from threading import Lock
from typing import NamedTuple

from .._closing import close
from .descriptors import leads_to
from .place import Place

_FIGURES = struct.Struct("<Qdd?")
_PREFIX = "dropped-"
_NAME_BYTES = 256  # of a process's name, lest its frame grow too long


class Dropped(NamedTuple):
    """How many records a process dropped, and between which times (unix seconds)."""

    records: int
    first: float
    last: float
    is_refused: bool  # because the log took no lines, not because its reader was slow
    process_name: str

    def dump(self) -> bytes:
        name = self.process_name.encode("utf-8", "replace")[:_NAME_BYTES]
        return _FIGURES.pack(*self[:4]) + name

    @classmethod
    def load(cls, data: bytes) -> Dropped:
        records, first, last, is_refused = _FIGURES.unpack_from(data)
        name = data[_FIGURES.size :].decode("utf-8", "replace")
        return cls(records, first, last, is_refused, name)

    def joined(self, later: Dropped) -> Dropped:
        """Both counts as one."""
        if not self.records:
            return later
        return self._replace(
            records=self.records + later.records,
            last=later.last,
            is_refused=self.is_refused or later.is_refused,
        )


NOTHING = Dropped(0, 0.0, 0.0, False, "")


class DropCount:
    """The drops of this process: in memory, and in a file of the session's place.

    `add` may run in a signal handler that interrupts another `add`, or `take`. So it
    never waits for the lock: it queues its drop, and whoever has the lock counts it.

    Args:
        place: Where the file goes; None for memory only.
    """

    def __init__(self, place: Place | None) -> None:
        self._place = place
        self._name = ""
        self._descriptor, self._identity = -1, (0, 0)
        self._news: deque[Dropped] = deque()
        self._lock = Lock()  # for the counts, and is never waited for
        self._all = self._unreported = NOTHING

    def add(self, created: float, is_refused: bool, process_name: str) -> None:
        """Count a dropped record; never waits."""
        self._news.append(Dropped(1, created, created, is_refused, process_name))
        self._count_news()

    def take(self) -> Iterator[Dropped]:
        """What is not reported yet, if anything. It counts as reported once the caller
        asks for the next item; one whose sending fails comes again."""
        if self._lock.acquire(blocking=False):
            try:
                if self._unreported.records:
                    yield self._unreported
                    self._unreported = NOTHING
            finally:
                self._lock.release()
                self._count_news()

    def close(self) -> None:
        """Close the file, which stays for the listener."""
        self._place = None
        descriptor, self._descriptor = self._descriptor, -1
        if leads_to(descriptor, self._identity):
            close(descriptor)

    def _count_news(self) -> None:
        while self._news and self._lock.acquire(blocking=False):
            try:
                while self._news:
                    dropped = self._news.popleft()
                    self._all = self._all.joined(dropped)
                    self._unreported = self._unreported.joined(dropped)
                self._save()
            finally:
                self._lock.release()

    def _save(self) -> None:
        if self._place is not None:
            try:
                if not leads_to(self._descriptor, self._identity):
                    self._open(self._place)
                os.pwrite(self._descriptor, self._all.dump(), 0)
            except OSError:
                self._place = None

    def _open(self, place: Place) -> None:
        self._name = self._name or f"{_PREFIX}{os.getpid()}-{time.time_ns()}"
        # Again under the same name if the program has closed it, as daemons do.
        self._descriptor = place.open_file(self._name, os.O_WRONLY | os.O_CREAT)
        status = os.fstat(self._descriptor)
        self._identity = status.st_dev, status.st_ino


def write_drops(place: Place, pid: int, key: str, whole: Dropped) -> None:
    """Say how much of what a process wrote was passed over by its reader, in all."""
    place.replace(f"{_PREFIX}{pid}-{key}", whole.dump())


def read_drops(place: Place) -> Iterator[tuple[int, Dropped]]:
    """The pid and the whole count of every process that dropped records."""
    try:
        names = [name for name in place.names() if name.startswith(_PREFIX)]
    except OSError:
        return
    for name in names:
        try:
            with os.fdopen(place.open_file(name, os.O_RDONLY), "rb") as file:
                yield int(name.split("-")[1]), Dropped.load(file.read())
        except (OSError, ValueError, struct.error):
            continue
