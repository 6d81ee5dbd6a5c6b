"""What a process had to drop, counted where its death can't take the count along."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from typing import NamedTuple

from ._place import Place

_FIGURES = struct.Struct("<Qdd")
_PREFIX = "dropped-"


class Dropped(NamedTuple):
    """How many records a process dropped, and between which times (unix seconds)."""

    records: int
    first: float
    last: float
    process_name: str

    def dump(self) -> bytes:
        return _FIGURES.pack(*self[:3]) + self.process_name.encode("utf-8", "replace")

    @classmethod
    def load(cls, data: bytes) -> Dropped:
        records, first, last = _FIGURES.unpack_from(data)
        return cls(records, first, last, data[_FIGURES.size :].decode("utf-8", "replace"))


class DropCount:
    """The drops of this process: in memory, and in a file of the session's place.

    Args:
        place: Where the file goes; None for memory only.
    """

    def __init__(self, place: Place | None) -> None:
        self._place = place
        self._descriptor = -1
        self._all = self._unreported = Dropped(0, 0.0, 0.0, "")

    def add(self, created: float, process_name: str) -> None:
        """One more."""
        self._all = _with_one(self._all, created, process_name)
        self._unreported = _with_one(self._unreported, created, process_name)
        if self._place is not None:
            try:
                if self._descriptor < 0:
                    name = f"{_PREFIX}{os.getpid()}-{time.time_ns()}"
                    self._descriptor = self._place.open_file(name, os.O_WRONLY | os.O_CREAT)
                os.pwrite(self._descriptor, self._all.dump(), 0)
            except OSError:
                self._place = None

    def take(self) -> Iterator[Dropped]:
        """What is still to be reported; goes for reported once the caller comes back."""
        report = self._unreported
        if report.records:
            yield report
            self._unreported = Dropped(0, 0.0, 0.0, "")

    def close(self) -> None:
        """Close the file, which stays for the listener."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _with_one(dropped: Dropped, created: float, process_name: str) -> Dropped:
    first = dropped.first if dropped.records else created
    return Dropped(dropped.records + 1, first, created, process_name)


def read_drops(place: Place) -> Iterator[tuple[int, Dropped]]:
    """The pid and the whole count of every process that dropped records."""
    try:
        names = [name for name in os.listdir(place.path) if name.startswith(_PREFIX)]
    except OSError:
        return
    for name in names:
        try:
            with os.fdopen(place.open_file(name, os.O_RDONLY), "rb") as file:
                yield int(name.split("-")[1]), Dropped.load(file.read())
        except (OSError, ValueError, struct.error):
            continue
