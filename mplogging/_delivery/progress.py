"""How far the lines of a stretch of the journal have come, over the writes that they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable

from .._file.appending import AppendFile
from .._wire.frames import Framing
from .._wire.note import Intent, Note, Stretch
from .._wire.segments import Part


class Progress:
    """Keeps the note while the lines of a stretch are written.

    A write that fills its file is followed by another, to the next part: each is
    noted before it is made.

    Args:
        save: Saves the note, with the path of the file that it is about.
        count: Is told of the lines that are written.
    """

    def __init__(
        self,
        note: Note,
        part: Part,
        framing: Framing,
        lines: Sequence[bytes],
        stretch: Stretch,
        save: Callable[[str], None],
        count: Callable[[Sequence[bytes]], None],
    ) -> None:
        self._note = note
        self._part = part
        self._framing = framing
        self._lines = lines
        self._save = save
        self._count = count
        self.rest = stretch  # what is left of it
        self.written = 0  # lines of it that are settled
        self._announced = 0  # these, and those that were about to be written last

    def announce(self, file: AppendFile, end: int, chunks: Sequence[bytes]) -> None:
        """Note what is about to be written; the write before, if there was one, is done."""
        if self._announced > self.written:
            self.settle(self._announced)
            self._save("")  # first: the path of the other file must not meet this intent
        self._announced += len(chunks)
        start, stop = self.rest.start, self._stop(self._announced)
        size = sum(map(len, chunks))
        self._note.intend(Intent(self.rest.segment, start, stop, *file.identity, end, size))
        self._save(file.path)

    def settle(self, count: int) -> None:
        """So many lines of the stretch are in the log by now."""
        if count > self.written:
            stop = self._stop(count)
            self._note.settle(self.rest._replace(stop=stop))
            self._count(self._lines[self.written : count])
            self.rest = self.rest._replace(start=stop)
            self.written = self._announced = count

    def _stop(self, count: int) -> int:
        if count == len(self._lines):
            return self.rest.stop
        offset = self._part.offset
        return offset + self._framing.stop_of_lines(
            self._part.data, self.rest.start - offset, self.rest.stop - offset,
            count - self.written,
        )  # fmt: skip
