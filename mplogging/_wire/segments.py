"""The segments of a journal, as whoever reads it has them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Callable, NamedTuple

from .._closing import close
from .frames import EVER, MARK_BYTES, START, Framing
from .note import Stretch
from .place import Place

# Small enough that most are read and gone before the kernel writes them to the disk.
SEGMENT_BYTES = 8 << 20


class Part(NamedTuple):
    """Bytes of a segment, and where they stand there."""

    segment: int
    offset: int
    data: bytes

    def stretch(self, start: int, stop: int) -> Stretch:
        """The stretch of the segment between two positions in the bytes."""
        return Stretch(self.segment, self.offset + start, self.offset + stop)


class Segments:
    """Opens segments for reading, begins new ones, and removes those that are done with.

    Args:
        spare: Returns a descriptor of this segment that the process has besides, or -1:
            all that leads there if the directory has been removed.
    """

    def __init__(self, place: Place, spare: Callable[[int], int] = lambda number: -1) -> None:
        self._place = place
        self._spare = spare
        self._descriptors: dict[int, int] = {}
        self._framing: Framing | None = None

    @property
    def framing(self) -> Framing:
        """That of all segments of this journal.

        Raises:
            OSError, ValueError: No segment is there, or none that can be read.
        """
        if self._framing is None:
            places = self._place.load()[0].places
            beginnings = [self.read(number, 0, MARK_BYTES) for number in places]
            try:
                self._framing = Framing.of_segment(max(beginnings))
            except ValueError:  # the machine has crashed, and the first page is lost
                whole = (self.read(number, 0, self.size(number)) for number in places)
                self._framing = Framing.found_in(b"".join(whole))
        return self._framing

    def create(self, number: int, framing: Framing) -> int:
        """Make this segment; returns where its first message will stand."""
        with contextlib.suppress(OSError):
            self._place.remove_segment(number)  # of one who died before it was announced
        descriptor = self._place.open_segment(
            number, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
        )
        try:
            first = framing.frame(START, os.getpid(), time.time(), b"")
            written = os.write(descriptor, first)
            if written != len(first):
                raise OSError(f"segment {number} of {self._place.path!r} could not be begun")
        except BaseException:
            close(descriptor)
            raise
        self._close(number)
        self._descriptors[number] = descriptor
        self._framing = framing
        return written

    def size(self, number: int) -> int:
        """How many bytes stand in it by now."""
        descriptor = self._descriptor(number)
        return 0 if descriptor < 0 else os.fstat(descriptor).st_size

    def read(self, number: int, offset: int, size: int) -> bytes:
        """So many bytes of it, or as many as there are."""
        descriptor = self._descriptor(number)
        return b"" if descriptor < 0 else os.pread(descriptor, size, offset)

    def is_gone(self, number: int) -> bool:
        """True if the directory has been removed, and nothing of ours leads there."""
        return self._descriptor(number) < 0

    def is_linked(self, number: int) -> bool:
        """False if nobody else can open it any more."""
        descriptor = self._descriptor(number)
        return descriptor >= 0 and os.fstat(descriptor).st_nlink > 0

    def parts(self, stretch: Stretch, size: int) -> Iterator[Part]:
        """A stretch in pieces of whole frames, of about this size."""
        start, wanted = stretch.start, size
        while start < stretch.stop:
            data = self.read(stretch.segment, start, min(wanted, stretch.stop - start))
            is_rest = len(data) < wanted or start + len(data) == stretch.stop
            stop = len(data) if is_rest else self.framing.decode(data, *EVER).stop
            if stop:
                yield Part(stretch.segment, start, data[:stop])
                start, wanted = start + stop, size
            elif is_rest:
                return  # the segment has been cut
            else:
                wanted *= 2  # a frame larger than that

    def remove(self, number: int) -> None:
        """It is read, and nobody writes to it."""
        self._close(number)
        with contextlib.suppress(OSError):
            self._place.remove_segment(number)

    def close(self) -> None:
        """Close all."""
        for number in list(self._descriptors):
            self._close(number)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # it was not even begun
            self.close()  # an interruption may have come before anybody had it to close

    def _descriptor(self, number: int) -> int:
        descriptor = self._descriptors.get(number)
        if descriptor is None:
            try:
                opened = self._place.open_segment(number, os.O_RDONLY)
            except FileNotFoundError:
                spare = self._spare(number)
                if spare < 0:
                    return -1
                opened = os.dup(spare)
            # Another thread, which asks how far we are, may have opened it as well.
            descriptor = self._descriptors.setdefault(number, opened)
            if descriptor != opened:
                close(opened)
        return descriptor

    def _close(self, number: int) -> None:
        descriptor = self._descriptors.pop(number, None)
        if descriptor is not None:
            close(descriptor)
