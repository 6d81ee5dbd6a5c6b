"""The writing end of a reader: lines into the log, each write told by the note before it is made.

What a write came to is told after it: settled, or put off if the log refuses. Who takes
over from a reader that died finds what is in doubt, and what of it the log has.
"""

from __future__ import annotations

from time import monotonic

from .._errors import is_foreign
from .._file.finding import has_grown, lines_found
from .._file.unwritten import Failed
from .._wire.frames import EVER, split_record
from .._wire.note import Intent, Note, Stretch
from .._wire.place import Place
from .._wire.segments import Part, Segments
from .crashes import is_junk
from .delivery import Delivery
from .progress import Progress

# Seconds between two attempts while the log refuses lines.
RETRY_SECONDS = 0.5


class LineWriter:
    """Writes the lines of a journal, and keeps the note.

    Args:
        is_suspicious: The machine has crashed since: what can't be a line is none.

    Attributes:
        refused: By their start, the periods whose lines the log refuses.
        retry_due: When to try again.
        doubtful: Lines that may be there twice.
    """

    def __init__(
        self, place: Place, segments: Segments, delivery: Delivery, is_suspicious: bool
    ) -> None:
        self._place = place
        self._segments = segments
        self._delivery = delivery
        self._file = delivery.file
        self._is_suspicious = is_suspicious
        self.note = Note()
        self.refused: dict[float, Failed] = {}
        self.retry_due = 0.0
        self.doubtful = 0

    def take_up(self) -> None:
        """Find the note as the last reader left it, and settle what is in doubt.

        Raises:
            OSError, ValueError: It can't be read.
        """
        self.note, path = self._place.load()
        if self.note.intent is not None:
            self._resolve(self.note.intent, path)

    def is_blocked(self) -> bool:
        """True if the log refuses lines, and no more of them can be put off."""
        return bool(self.refused) and not self.note.can_defer()

    def has_junk(self, lines: list[bytes]) -> bool:
        """True if one of them is what the machine's crash has left."""
        return self._is_suspicious and any(map(self._is_junk, lines))

    def settle(self, stretch: Stretch) -> None:
        """Nothing in this stretch is to be written."""
        self.note.settle(stretch)
        self.save()

    def write(
        self, part: Part, lines: list[bytes], period: float, stretch: Stretch
    ) -> None:
        """Write the lines of a stretch, or put it off.

        Args:
            period: Whose they all are; its start.
        """
        assert self._file is not None
        if period in self.refused:
            self._defer(stretch)
            return
        progress = self._progress(part, lines, stretch)
        try:
            self._file._append(period, lines, progress.announce)
        except Failed as failed:
            progress.settle(len(lines) - len(failed.chunks))
            self._refuse(period, failed)
            self._defer(progress.rest)
        except Exception as error:  # one of them is at fault, its neighbours are not
            if is_foreign(error):
                raise  # by a signal handler: it is in doubt what was written
            if len(lines) > 1:
                rest = lines[progress.written :]
                self.write_one_by_one(part, rest, period, progress.rest)
            else:
                self.note.settle(stretch)
                self._delivery.mishap("failed", f"a line could not be written: {error!r}")
        else:
            progress.settle(len(lines))
        self.save()

    def write_one_by_one(
        self, part: Part, lines: list[bytes], period: float, stretch: Stretch
    ) -> None:
        """As `write`, where one of them is at fault."""
        framing, start = self._segments.framing, stretch.start
        for line in lines:
            stop = part.offset + framing.stop_of_lines(
                part.data, start - part.offset, stretch.stop - part.offset, 1
            )
            one = Stretch(stretch.segment, start, stop)
            if self._is_suspicious and self._is_junk(line):
                self._delivery.counts["corrupt"] += 1
                self.note.settle(one)
            else:
                self.write(part, [line], period, one)
            start = stop
        if start < stretch.stop:
            self.note.settle(Stretch(stretch.segment, start, stretch.stop))

    def _is_junk(self, line: bytes) -> bool:
        assert self._file is not None
        return is_junk(line, self._file)

    def _progress(self, part: Part, lines: list[bytes], stretch: Stretch) -> Progress:
        return Progress(
            self.note, part, self._segments.framing, lines, stretch, self.save,
            self._delivery.count,
        )  # fmt: skip

    def _defer(self, stretch: Stretch) -> None:
        self.note.defer(stretch)
        self.save()

    def _refuse(self, period: float, failed: Failed) -> None:
        if not self.refused:
            self.retry_due = monotonic() + RETRY_SECONDS
            if not self.note.is_refused:
                assert self._file is not None
                cause = failed.__cause__
                self._file._report(f"can't be written, lines wait in the journal: {cause}")
        self.refused[period] = failed
        self.note.is_refused = True

    def save(self, path: str = "") -> None:
        """Save the note, with the path of the file that its intent is about."""
        self._place.save(self.note, path)

    def _is_stand_in(self, part: Part, intent: Intent) -> bool:
        run = self._segments.framing.decode(part.data, *EVER, is_final=True, makes_lines=True)
        if run.foreign is None:
            return False
        return len(split_record(run.foreign.payload)[0]) != intent.size

    def _resolve(self, intent: Intent, path: str) -> None:
        """Settle what stands in the log already of what was about to be written there."""
        assert self._file is not None
        stretch = intent.stretch
        number, start, stop = stretch
        part = Part(number, start, self._segments.read(number, start, stop - start))
        run = self._segments.framing.decode(part.data, *EVER, is_final=True)
        identity = intent.device, intent.inode
        found: int | None
        if self._is_stand_in(part, intent):
            # The line was made where it was written: nobody else knows what it was.
            found = int(has_grown(path, identity, intent.end + intent.size))
        else:
            found = lines_found(path, identity, intent.end, run.lines, self._file._line_end)
        if found is None:
            self.doubtful += len(run.lines)
            self._delivery.warn(
                "%s is gone: what was just being written to it, %d lines, may be there twice",
                path, len(run.lines),
            )  # fmt: skip
        progress = self._progress(part, run.lines, stretch)
        progress.settle(found or 0)
        self.note.intent = None  # also if nothing was found
        self.save()
