"""The reading end of a journal: every line into the log once, whoever dies in between.

    Segments.read ─ Framing.decode ─ Run ─┬─ lines ─ writing.LineWriter ─ DatedFileHandler
                                          └─ events ─ Delivery

Each step is saved on the note before the next begins (`note`), so that whoever takes
over from a reader that died goes on where it was.
"""

from __future__ import annotations

import time
from time import monotonic
from typing import Callable

from .._wire.frames import EVER, HEADER_BYTES, RECORD, ROUTED, Message, Run
from .._wire.note import Note, Stretch
from .._wire.place import Place
from .._wire.segments import Part, Segments
from .._wire.turnover import Turnover
from .._wire.writer import JournalWriter
from .delivery import Delivery
from .writing import RETRY_SECONDS, LineWriter

# So much is written at once.
_READ_BYTES = 1 << 17


class Reader:
    """Reads a journal on from its place. Its user holds the reader's lock.

    Args:
        makes_lines: Lines that a worker could not make as asked are made here.
        is_suspicious: The machine has crashed since: what can't be a line is none.
        writer: What this process sends with, if it does.
    """

    def __init__(
        self,
        place: Place,
        delivery: Delivery,
        makes_lines: bool = False,
        is_suspicious: bool = False,
        writer: Callable[[], JournalWriter | None] = lambda: None,
    ) -> None:
        self._place = place
        self._delivery = delivery
        self._file = delivery.file
        self._makes_lines = makes_lines and self._file is not None
        self._writer = writer
        self._segments = Segments(place, self._spare)
        self._lines = LineWriter(place, self._segments, delivery, is_suspicious)
        self._turnover = Turnover(place, self._segments, self._lines.save, self._own_segment)
        self.is_final = False  # nobody writes any more: what is cut short stays so
        self.has_more = False  # the last read brought all that it could
        self.last_bytes = 0  # which it brought
        self._is_handing_on = False
        self._zone, self._newest = time.tzname, delivery.bounds(time.time())
        self._seen: dict[int, int] = {}  # up to where nothing whole is left, by segment

    def take_up(self) -> None:
        """Begin where the last reader ended, with what it left in doubt.

        Raises:
            OSError, ValueError: The journal can't be read.
        """
        for number in self._place.load()[0].places:
            if self._segments.is_gone(number):
                self._delivery.warn(
                    "%s was removed, with what had not been read yet in its segment %d",
                    self._place.path, number,
                )  # fmt: skip
        self._lines.take_up()

    def look(self) -> None:
        """See where the last reader ended, and change nothing.

        Raises:
            OSError, ValueError: The journal can't be read.
        """
        self._lines.note = self._place.load()[0]

    @property
    def note(self) -> Note:
        """How far it is."""
        return self._lines.note

    @property
    def doubtful(self) -> int:
        """Lines that may be in the log twice."""
        return self._lines.doubtful

    def turn(self) -> bool:
        """Read on; True if there was anything.

        Raises:
            OSError, ValueError: The journal can't be read.
        """
        note = self.note
        if note.passed_over and monotonic() >= self._lines.retry_due:
            self._retry()
        if self._lines.is_blocked():
            return False
        self._turnover.see_to(note)
        *older, newest = list(note.places)
        if not older:
            return self._read(newest, None)
        # What stands in the newest by now was not caused by what the older ones still get.
        limit = self._segments.size(newest)
        has_moved = False
        for number in older:
            while self._read(number, None):
                has_moved = True
        return self._read(newest, limit) or has_moved

    def is_at_end(self) -> bool:
        """True if nothing waits, for the file or the handlers beside it; for any thread."""
        note = self.note
        try:
            is_read = not note.passed_over and all(
                offset == self._segments.size(number)
                for number, offset in list(note.places.items())
            )
        except OSError:
            return False
        # After that: what is read comes to the handlers once it is in the file.
        return is_read and not self._is_handing_on

    def unread(self) -> int:
        """How many bytes the log has not got yet."""
        waiting = sum(stop - start for _, start, stop in self.note.passed_over)
        return waiting + sum(
            max(0, self._segments.size(number) - offset)
            for number, offset in list(self.note.places.items())
        )

    def count_unread(self, is_read: bool = False) -> int:
        """How many records that are; with `is_read`, only those that the log has refused."""
        return sum(
            len(run.lines) if self._file
            else sum(event.kind in (RECORD, ROUTED) for event in run.events)
            for run in self._unread_runs(is_read)
        )

    def unread_lines(self) -> list[bytes]:
        """The lines of these records."""
        return [line for run in self._unread_runs(False) for line in run.lines]

    def _unread_runs(self, is_read: bool) -> list[Run]:
        stretches = list(self.note.passed_over)
        if not is_read:
            stretches += [
                Stretch(number, offset, self._segments.size(number))
                for number, offset in self.note.places.items()
            ]
        return [
            self._segments.framing.decode(part.data, *EVER, is_final=True)
            for stretch in stretches
            for part in self._segments.parts(stretch, _READ_BYTES)
        ]

    def targets(self) -> dict[int, int]:
        """Where all that stands in the journal by now ends, by segment."""
        return {number: self._segments.size(number) for number in list(self.note.places)}

    def read_up_to(self, targets: dict[int, int]) -> None:
        """Read on until all up to there has been dealt with, or nothing moves any more."""
        while self._are_ahead(targets) and self.turn():
            pass

    def _are_ahead(self, targets: dict[int, int]) -> bool:
        # What a writer has died in was never accepted: nobody waits for its rest.
        places, seen = self.note.places, self._seen
        return any(
            max(places.get(number, target), seen.get(number, 0)) < target
            for number, target in targets.items()
        )

    def has_reached(self, targets: dict[int, int]) -> bool:
        """True once all up to there is in the log."""
        return not (self.note.passed_over or self._are_ahead(targets))

    def end(self) -> None:
        """Mark the journal as over: whoever has something to say writes it elsewhere."""
        self.note.is_over = True
        self._lines.save()

    def close(self) -> None:
        """Close what is open."""
        self._segments.close()

    def _own_segment(self) -> int:
        writer = self._writer()
        return 0 if writer is None else writer.segment

    def _spare(self, number: int) -> int:
        writer = self._writer()
        return -1 if writer is None else writer.descriptor_of(number)

    # -- reading on --------------------------------------------------------------------

    def _read(self, number: int, limit: int | None) -> bool:
        """Deal with what this segment brings, up to an offset."""
        offset = self.note.places[number]
        if limit is not None and offset >= limit:
            return False
        size = _READ_BYTES if limit is None else min(_READ_BYTES, limit - offset)
        data = self._segments.read(number, offset, size)
        if not data:
            return False
        self.last_bytes = len(data)
        self.has_more = len(data) == _READ_BYTES
        self._take(Part(number, offset, data))
        if self.note.places[number] > offset or self._lines.is_blocked():
            return self.note.places[number] > offset
        if self.has_more:
            return self._read_large(number, offset, limit)
        self._seen[number] = offset + len(data)
        return False

    def _read_large(self, number: int, offset: int, limit: int | None) -> bool:
        """Deal with a frame, or with what is none, that is larger than a read."""
        header = self._segments.read(number, offset, HEADER_BYTES)
        length = self._segments.framing.frame_bytes(header) or 0
        stop = self._segments.size(number) if limit is None else limit
        size = max(length, 2 * _READ_BYTES)
        while True:
            size = min(size, stop - offset)
            try:
                self._take(Part(number, offset, self._segments.read(number, offset, size)))
            except MemoryError:
                if not 0 < length <= stop - offset:
                    return False  # it is not whole yet
                self._lines.settle(Stretch(number, offset, offset + length))
                self._delivery.mishap(
                    "failed", f"there was no memory for a record of {length} bytes"
                )
            if self.note.places[number] > offset or self._lines.is_blocked():
                return self.note.places[number] > offset
            if offset + size == stop:
                self._seen[number] = stop
                return False
            size *= 2

    def _take(self, part: Part, is_retry: bool = False) -> None:
        """Deal with the frames in these bytes."""
        self._is_handing_on = True
        try:
            self._take_runs(part, is_retry)
        finally:
            self._is_handing_on = False

    def _take_runs(self, part: Part, is_retry: bool) -> None:
        if time.tzname is not self._zone:  # the program has set another (`time.tzset`)
            self._zone, self._newest = time.tzname, self._delivery.bounds(time.time())
        at, bounds = 0, self._newest
        end = part.offset + len(part.data)
        is_final = is_retry or (
            (self.is_final or part.segment in self._turnover.left)
            and end == self._segments.size(part.segment)
        )
        while True:
            run = self._segments.framing.decode(
                part.data, *bounds, at=at, is_final=is_final, makes_lines=self._makes_lines
            )
            if self._lines.is_blocked():
                return
            if run.stop > at:
                stretch = part.stretch(at, run.stop)
                if run.foreign is not None:
                    self._take_foreign(part, run.foreign, stretch, is_retry)
                else:
                    self._take_run(part, run, bounds[0], stretch, is_retry)
                at, bounds = run.stop, self._newest
            elif run.stray is None:
                return
            else:
                bounds = self._delivery.bounds(run.stray)
                if not bounds[0] <= run.stray < bounds[1]:
                    at = self._take_timeless(part, at, bounds[0], is_retry)
                elif self._newest[0] < bounds[0] <= time.time():  # later: a clock gone wild
                    self._newest = bounds

    def _take_timeless(self, part: Part, at: int, period: float, is_retry: bool) -> int:
        """Deal with one frame, whose time is beyond the calendar; returns where it ends."""
        header = part.data[at : at + HEADER_BYTES]
        stop = at + (self._segments.framing.frame_bytes(header) or len(part.data))
        run = self._segments.framing.decode(part.data[:stop], *EVER, at=at)
        self._take_run(part, run, period, part.stretch(at, stop), is_retry)
        return stop

    def _take_run(
        self, part: Part, run: Run, period: float, stretch: Stretch, is_retry: bool
    ) -> None:
        delivery = self._delivery
        if run.torn and not is_retry:
            delivery.counts["incomplete"] += run.torn
        if self._file is not None and self._lines.has_junk(run.lines):
            self._lines.write_one_by_one(part, run.lines, period, stretch)
        elif run.lines and self._file is not None:
            self._lines.write(part, run.lines, period, stretch)
        else:
            self._lines.settle(stretch)
        if is_retry:
            return
        for event in run.events:
            if event.kind == RECORD:
                if self._file is None:
                    delivery.counts["records"] += 1
                delivery.offer(event)
            else:
                delivery.take(event)

    def _take_foreign(
        self, part: Part, message: Message, stretch: Stretch, is_retry: bool
    ) -> None:
        try:
            line = self._delivery.line_of(message)
        except Exception as error:
            line = b""
            self._delivery.mishap(
                "failed", f"a record of process {message.pid} is of no use: {error!r}"
            )
        if line:
            period = self._delivery.bounds(message.created)[0]
            self._lines.write(part, [line], period, stretch)
        else:
            self._lines.settle(stretch)
        if not is_retry:
            self._delivery.offer(message)

    def _retry(self) -> None:
        """See whether the log takes by now what it has refused."""
        lines = self._lines
        lines.refused.clear()
        for stretch in list(self.note.passed_over):
            for part in self._segments.parts(stretch, _READ_BYTES):
                self._take(part, is_retry=True)
        lines.retry_due = monotonic() + RETRY_SECONDS
        self.note.is_refused = bool(lines.refused)
        lines.save()
