"""The reader's note, pure: how far the journal is read, and what is about to be written.

    intend ──► the line stands in the log ──► settle       each saved before the next begins
         └───► the log refuses it ──────────► defer

Whoever comes after a reader that died finds the last saved state. Without an
intent, all before the places has been dealt with. With one, just that stretch is
in doubt: the log itself tells how much of it was written.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_MAGIC = b"mplnote2"
# What writers look at, 20 times a second each: flags, segment, the next one, where the
# reader is in which segment, and how many bytes it had to pass over.
_HEAD = struct.Struct("<8sIIIIQQ")
HEAD_BYTES = _HEAD.size
_COUNTS = struct.Struct("<IIB")
_PLACE = struct.Struct("<IQ")
_STRETCH = struct.Struct("<IQQ")
_INTENT = struct.Struct("<IQQQQQQ")
_OVER, _REFUSED = 1, 2
# The note must fit one page, which the kernel writes whole even if its writer is killed.
NOTE_BYTES = 4096
MOST_PLACES = 100
MOST_STRETCHES = 80


class Stretch(NamedTuple):
    """Some whole frames of a segment."""

    segment: int
    start: int
    stop: int


class Intent(NamedTuple):
    """These frames' lines are about to be appended to that file, in one write."""

    segment: int
    start: int
    stop: int
    device: int
    inode: int
    end: int  # of the file, before
    size: int  # of the lines

    @property
    def stretch(self) -> Stretch:
        return Stretch(*self[:3])


class Head(NamedTuple):
    """What a writer wants to know of the reader."""

    is_over: bool  # nobody reads any more: log another way
    is_refused: bool  # the log takes no lines at present
    segment: int  # to write to
    next: int  # the same, or the one to which all are about to go
    place: tuple[int, int]  # segment and offset up to which all has been read
    passed_over: int  # bytes before that, which wait

    @classmethod
    def load(cls, data: bytes) -> Head:
        """From the first `HEAD_BYTES` of a note.

        Raises:
            ValueError: They are none.
        """
        if len(data) < HEAD_BYTES or data[: len(_MAGIC)] != _MAGIC:
            raise ValueError(f"no note of a journal of this version: {data[:8]!r}")
        _, flags, segment, following, number, offset, passed_over = _HEAD.unpack_from(data)
        return cls(
            bool(flags & _OVER), bool(flags & _REFUSED), segment, following,
            (number, offset), passed_over,
        )  # fmt: skip


class Note:
    """What is known of one journal. (See the module.)"""

    def __init__(self, segment: int = 1, offset: int = 0) -> None:
        self.is_over = self.is_refused = False
        self.segment = self.next = segment
        self.places = {segment: offset}  # by segment, the oldest first
        self.passed_over: list[Stretch] = []  # in order
        self.done: set[int] = set()  # of the places: read, and left by all who wrote there
        self.intent: Intent | None = None

    def intend(self, intent: Intent) -> None:
        """These lines are about to be written."""
        self.intent = intent

    def settle(self, stretch: Stretch) -> None:
        """This stretch has been dealt with."""
        self.intent = None
        if self._advance(stretch):
            return
        left = []
        for other in self.passed_over:
            if other.segment != stretch.segment:
                left.append(other)
                continue
            for start, stop in (
                (other.start, min(other.stop, stretch.start)),
                (max(other.start, stretch.stop), other.stop),
            ):
                if start < stop:
                    left.append(Stretch(other.segment, start, stop))
        self.passed_over = left

    def defer(self, stretch: Stretch) -> None:
        """The log refuses the lines of this stretch for the time being."""
        self.intent = None
        if not self._advance(stretch):
            return  # it has been deferred before
        last = self.passed_over[-1] if self.passed_over else None
        if last and (last.segment, last.stop) == (stretch.segment, stretch.start):
            self.passed_over[-1] = last._replace(stop=stretch.stop)
        else:
            self.passed_over.append(stretch)

    def can_defer(self) -> bool:
        """False if no more stretches fit on the note."""
        return len(self.passed_over) < MOST_STRETCHES

    def _advance(self, stretch: Stretch) -> bool:
        if self.places.get(stretch.segment) != stretch.start:
            return False
        self.places[stretch.segment] = stretch.stop
        return True

    def announce_segment(self) -> int:
        """Writers shall get ready for another segment; returns its number."""
        self.next = self.segment + 1
        return self.next

    def call_off_segment(self) -> None:
        """Writers shall stay where they are."""
        self.next = self.segment

    def begin_segment(self, offset: int) -> None:
        """Writers shall go to the announced segment, whose frames begin at this offset."""
        self.segment = self.next
        self.places[self.segment] = offset

    def can_announce(self) -> bool:
        """False while another segment is announced, or no more places fit on the note."""
        return self.next == self.segment and len(self.places) < MOST_PLACES

    def end_segment(self, number: int) -> None:
        """This one is read, and nobody writes to it any more."""
        del self.places[number]
        self.done.discard(number)

    def is_needed(self, number: int) -> bool:
        """True if something in this segment still waits, or is in doubt."""
        return any(stretch.segment == number for stretch in self.passed_over) or (
            self.intent is not None and self.intent.segment == number
        )

    def dump(self) -> bytes:
        """As it is saved."""
        flags = _OVER * self.is_over | _REFUSED * self.is_refused
        place = next(place for place in self.places.items() if place[0] not in self.done)
        waiting = sum(stop - start for _, start, stop in self.passed_over)
        intents = [] if self.intent is None else [_INTENT.pack(*self.intent)]
        return b"".join([
            _HEAD.pack(_MAGIC, flags, self.segment, self.next, *place, waiting),
            _COUNTS.pack(len(self.places), len(self.passed_over), len(intents)),
            *[_PLACE.pack(*place) for place in self.places.items()],
            *[_STRETCH.pack(*stretch) for stretch in self.passed_over],
            *intents,
        ])

    @classmethod
    def load(cls, data: bytes) -> Note:
        """As `dump` made it; what follows is ignored.

        Raises:
            ValueError: It is none.
        """
        head = Head.load(data)
        note = cls()
        note.is_over, note.is_refused = head.is_over, head.is_refused
        note.segment, note.next = head.segment, head.next
        try:
            places, stretches, intents = _COUNTS.unpack_from(data, HEAD_BYTES)
            at = HEAD_BYTES + _COUNTS.size
            note.places = {}
            for _ in range(places):
                number, offset = _PLACE.unpack_from(data, at)
                note.places[number] = offset
                at += _PLACE.size
            for _ in range(stretches):
                note.passed_over.append(Stretch(*_STRETCH.unpack_from(data, at)))
                at += _STRETCH.size
            if intents:
                note.intent = Intent(*_INTENT.unpack_from(data, at))
        except struct.error as error:
            raise ValueError(f"the note of a journal is cut short: {error}") from None
        if note.segment not in note.places:
            raise ValueError("the note of a journal does not know its own segment")
        return note
