"""The reader's note: at every step it says what is dealt with, what waits and what is in doubt."""

from __future__ import annotations

import itertools

import pytest

from mplogging._wire.note import (
    HEAD_BYTES,
    MOST_PLACES,
    MOST_STRETCHES,
    NOTE_BYTES,
    Head,
    Intent,
    Note,
    Stretch,
)


def intent(start: int, stop: int, segment: int = 1) -> Intent:
    return Intent(segment, start, stop, 64_769, 1 << 40, 123, stop - start)


def saved(note: Note) -> Note:
    """As whoever comes after this reader finds it."""
    found = Note.load(note.dump() + b"left over from a longer one")
    assert vars(found) == vars(note)
    return found


def test_a_stretch_is_intended_then_settled():
    note = Note(offset=24)
    note.intend(intent(24, 100))
    assert saved(note).places == {1: 24}
    assert saved(note).intent.stretch == Stretch(1, 24, 100)
    note.settle(Stretch(1, 24, 60))  # the first lines filled that file
    assert (saved(note).places, saved(note).intent) == ({1: 60}, None)
    note.settle(Stretch(1, 60, 100))
    assert saved(note).places == {1: 100}


def test_what_is_refused_waits():
    """Stretches that follow each other are one; settling takes out just what was written."""
    note = Note()
    for start in (0, 10, 20):
        note.defer(Stretch(1, start, start + 10))
    note.settle(Stretch(1, 30, 50))
    note.defer(Stretch(1, 50, 60))
    assert saved(note).passed_over == [Stretch(1, 0, 30), Stretch(1, 50, 60)]
    assert note.places == {1: 60}
    note.settle(Stretch(1, 10, 20))
    assert saved(note).passed_over == [Stretch(1, 0, 10), Stretch(1, 20, 30), Stretch(1, 50, 60)]
    note.defer(Stretch(1, 20, 30))  # refused again
    assert saved(note).passed_over == [Stretch(1, 0, 10), Stretch(1, 20, 30), Stretch(1, 50, 60)]
    assert Head.load(note.dump()).passed_over == 30


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_every_byte_is_dealt_with_once(order):
    """Each stretch refused, then settled, in whatever order: then nothing is left."""
    note = Note()
    stretches = [Stretch(1, 10 * number, 10 * number + 10) for number in range(4)]
    for stretch in stretches:
        note.defer(stretch)
    for done, number in enumerate(order, 1):
        note.settle(stretches[number])
        waiting = {
            byte // 10
            for stretch in saved(note).passed_over
            for byte in range(stretch.start, stretch.stop)
        }
        assert waiting == set(range(4)) - set(order[:done])
    assert (note.places, note.passed_over) == ({1: 40}, [])


def test_segments_follow_each_other():
    """Announced, begun, and ended once nothing of the old one waits."""
    note = Note(offset=24)
    assert note.announce_segment() == 2
    assert not note.can_announce()
    assert (Head.load(note.dump()).segment, Head.load(note.dump()).next) == (1, 2)
    note.begin_segment(24)
    assert saved(note).places == {1: 24, 2: 24}
    assert note.can_announce()
    note.defer(Stretch(1, 24, 50))
    assert note.is_needed(1) and not note.is_needed(2)
    note.settle(Stretch(1, 24, 50))
    assert not note.is_needed(1)
    note.intend(intent(50, 60, 1))
    assert note.is_needed(1)
    note.settle(Stretch(1, 50, 60))
    note.end_segment(1)
    assert saved(note).places == {2: 24}


def test_the_fullest_note_fits_a_page():
    """A page is written whole, or not at all."""
    note = Note()
    while note.can_announce():
        note.announce_segment()
        note.begin_segment(1 << 60)
    assert len(note.places) == MOST_PLACES
    number = 0
    while note.can_defer():
        note.defer(Stretch(1, number, number + 1))
        note.settle(Stretch(1, number + 1, number + 2))
        number += 2
    note.intend(intent(number, number + 10))
    assert len(note.passed_over) == MOST_STRETCHES
    assert len(note.dump()) <= NOTE_BYTES
    saved(note)


def test_what_a_writer_reads_of_it():
    """Where the reader is: in the oldest segment but for those that are only kept for a while."""
    note = Note(offset=24)
    note.defer(Stretch(1, 24, 124))
    note.is_refused = True
    head = Head.load(note.dump()[:HEAD_BYTES])
    assert (head.place, head.passed_over, head.is_refused) == ((1, 124), 100, True)
    note.announce_segment()
    note.begin_segment(24)
    assert Head.load(note.dump()).place == (1, 124)
    note.done.add(1)
    assert Head.load(note.dump()).place == (2, 24)
    note.end_segment(1)
    assert not note.done and Head.load(note.dump()).place == (2, 24)


@pytest.mark.parametrize("data", [b"", b"mplnote2", bytes(4096), b"mplnote1" + bytes(4088)])
def test_what_is_no_note(data):
    with pytest.raises(ValueError):
        Note.load(data)


def test_a_note_that_is_cut_short():
    whole = Note(offset=24)
    whole.defer(Stretch(1, 24, 30))
    whole.intend(intent(30, 40))
    for length in range(len(whole.dump())):
        with pytest.raises(ValueError):
            Note.load(whole.dump()[:length])
