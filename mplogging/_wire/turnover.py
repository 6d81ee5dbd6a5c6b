"""How a journal goes on from one segment to the next, with nobody left behind.

    announced ── all writers look before each write ── begun ── old one read and left ── gone

Between the first two lies longer than a writer goes without looking. So once the first
of them writes to the new segment, none begins another write to the old one (but one
that can't open the new one, and stays).
"""

from __future__ import annotations

from time import monotonic
from typing import Callable

from .note import Note
from .place import Place
from .segments import SEGMENT_BYTES, Segments
from .writer import LOOK_SECONDS

_SWITCH_SECONDS = 2 * LOOK_SECONDS
# While one is announced, writers glance at the note before each record. So where much is
# logged a segment may grow to so many times its size, rather than last less than a second.
_SEGMENT_SECONDS = 1.0
_MOST_SIZES = 8
# For so long an old segment is kept after its last writer left: a thread of that
# process may be in a write, and stopped there by a busy machine.
_GRACE_SECONDS = 10.0


class Turnover:
    """Begins segments and ends them.

    Args:
        save: Saves the note.
        own_segment: The segment that this very process writes to, of which its own
            lock tells it nothing.
    """

    def __init__(
        self,
        place: Place,
        segments: Segments,
        save: Callable[[], None],
        own_segment: Callable[[], int] = lambda: 0,
    ) -> None:
        self._place = place
        self._segments = segments
        self._save = save
        self._own_segment = own_segment
        self._next_offset = 0
        self._switch_due = float("inf")
        self._young_until = monotonic() + _SEGMENT_SECONDS
        self._leaving: dict[int, float] = {}  # old segments, by when they may go
        self.left: set[int] = set()  # of them: what is cut short there stays so

    def see_to(self, note: Note) -> None:
        """Do what is due."""
        if note.is_over:
            return
        if note.next != note.segment:
            if monotonic() >= self._switch_due:
                if self._segments.is_linked(note.next):
                    note.begin_segment(self._next_offset)
                    self._young_until = monotonic() + _SEGMENT_SECONDS
                else:  # the directory has been removed meanwhile
                    note.call_off_segment()
                self._save()
        elif note.can_announce() and self._is_large(note.segment):
            self._announce(note)
        for number in list(note.places)[:-1]:
            self._end(note, number)

    def _is_large(self, number: int) -> bool:
        most = _MOST_SIZES if monotonic() < self._young_until else 1
        return self._segments.size(number) >= most * SEGMENT_BYTES

    def _announce(self, note: Note) -> None:
        try:
            self._next_offset = self._segments.create(note.segment + 1, self._segments.framing)
        except OSError:
            return  # it goes on where it is
        note.announce_segment()
        self._save()
        self._switch_due = monotonic() + _SWITCH_SECONDS

    def _end(self, note: Note, number: int) -> None:
        now = monotonic()
        if now < self._leaving.get(number, 0.0):
            if number not in note.done and note.places[number] == self._segments.size(number):
                note.done.add(number)
                self._save()
            return
        is_left = (
            not note.is_needed(number)
            and number != self._own_segment()
            and not self._place.is_segment_held(number)
        )
        if not is_left:
            # Held by one that sleeps, say: to be looked at again, without a grace so far.
            self._leaving.pop(number, None)
            note.done.discard(number)
        elif number not in self._leaving:
            self._leaving[number] = now + _GRACE_SECONDS
        elif note.places[number] < self._segments.size(number):
            self.left.add(number)
        else:
            del self._leaving[number]
            places = dict(note.places)
            note.end_segment(number)
            self._save()
            if self._place.is_segment_held(number):
                note.places = places  # by one who has not seen that yet
                self._save()
            else:
                self._segments.remove(number)
