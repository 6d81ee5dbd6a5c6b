"""A segment is made whole or not at all, and read in pieces that cut no frame in two."""

from __future__ import annotations

import os

import pytest

from mplogging._wire.frames import EVER, LINE, Framing
from mplogging._wire.note import Note, Stretch
from mplogging._wire.place import Place
from mplogging._wire.segments import Part, Segments


@pytest.fixture
def segments(place):
    made = Segments(place)
    yield made
    made.close()


def lines(*sizes: int) -> list[bytes]:
    return [b"%d %s\n" % (number, b"x" * size) for number, size in enumerate(sizes)]


def write(place: Place, data: bytes, number: int = 1) -> Stretch:
    """Append to a segment; returns the stretch."""
    descriptor = place.open_segment(number, os.O_RDWR | os.O_APPEND)
    start = os.fstat(descriptor).st_size
    assert os.write(descriptor, data) == len(data)
    os.close(descriptor)
    return Stretch(number, start, start + len(data))


def framed(framing: Framing, payloads: list[bytes]) -> bytes:
    return b"".join(framing.frame(LINE, 7, 150.0, payload) for payload in payloads)


def test_what_stands_in_one(place, segments):
    """Its size, and any of its bytes."""
    offset = segments.size(1)
    assert write(place, b"0123456789") == (1, offset, offset + 10)
    assert segments.size(1) == offset + 10
    assert segments.read(1, offset + 3, 4) == b"3456"
    assert segments.read(1, offset + 8, 100) == b"89"
    assert segments.read(1, offset + 10, 100) == b""


def test_the_next_one_has_the_same_framing(place, segments):
    """And begins with a frame that shows it."""
    offset = segments.create(2, segments.framing)
    beginning = segments.read(2, 0, 100)
    assert len(beginning) == offset == segments.size(2)
    assert Framing.of_segment(beginning).mark == segments.framing.mark
    other = Segments(place)
    assert other.framing.mark == segments.framing.mark
    other.close()


def test_what_one_who_died_had_begun(place, segments):
    """A segment that was made and not announced is made anew."""
    segments.create(2, segments.framing)
    write(place, b"of nobody", 2)
    assert segments.create(2, segments.framing) == segments.size(2)


def test_no_segment(place, segments):
    """What is gone is empty; what is no segment has no framing."""
    assert (segments.size(7), segments.read(7, 0, 10)) == (0, b"")
    place.save(Note(7))
    os.close(place.open_segment(7, os.O_WRONLY | os.O_CREAT))
    for _ in range(2):
        other = Segments(place)
        with pytest.raises(ValueError):
            other.framing  # noqa: B018
        other.close()
        write(place, bytes(4096), 7)


def test_the_directory_has_been_removed(place):
    """What the process has open besides serves, and stays its own."""
    spare = place.open_segment(1, os.O_RDONLY)
    size = os.fstat(spare).st_size
    place.unlink("journal-1")
    segments = Segments(place, lambda number: spare if number == 1 else -1)
    assert (segments.size(1), segments.size(2)) == (size, 0)
    segments.close()
    os.close(spare)


def test_remove(place, segments):
    """Its name goes; a second time does no harm."""
    segments.create(2, segments.framing)
    segments.remove(1)
    segments.remove(1)
    assert set(place.names()) == {"note", "recovery", "journal-2"}


def parts_of(segments: Segments, stretch: Stretch, size: int) -> list[Part]:
    parts = list(segments.parts(stretch, size))
    assert b"".join(part.data for part in parts) == segments.read(
        stretch.segment, stretch.start, stretch.stop - stretch.start
    )
    starts = [part.offset for part in parts]
    assert starts == [stretch.start, *[part.offset + len(part.data) for part in parts]][:-1]
    return parts


def lines_of(framing: Framing, parts: list[Part]) -> list[bytes]:
    return [
        line
        for part in parts
        for line in framing.decode(part.data, *EVER, is_final=True).lines
    ]


@pytest.mark.parametrize("size", [1, 30, 100, 333, 1000, 100_000])
def test_pieces_of_whole_frames(place, segments, size):
    """Whatever their size is meant to be, and whatever the frames' is."""
    payloads = lines(0, 10, 200, 1, 1, 1, 1500, 0, 90, 0)
    stretch = write(place, framed(segments.framing, payloads))
    write(place, framed(segments.framing, lines(5)))  # is none of the stretch
    assert lines_of(segments.framing, parts_of(segments, stretch, size)) == payloads


@pytest.mark.parametrize("claimed", [1, 40, 100, 300, 5000])
def test_pieces_with_a_frame_that_was_cut_short(place, segments, claimed):
    """Whatever length it claims, no frame after it is cut in two."""
    framing = segments.framing
    payloads = lines(*[7 * number % 90 for number in range(30)])
    for cut in range(1, min(len(framed(framing, lines(claimed))), 60)):
        torn = framed(framing, lines(claimed))[:cut]
        stretch = write(place, torn + framed(framing, payloads))
        for size in (50, 200, 1000):
            assert lines_of(framing, parts_of(segments, stretch, size)) == payloads


def test_pieces_of_a_segment_that_has_been_cut(place, segments):
    """What is gone ends them."""
    stretch = write(place, framed(segments.framing, lines(10, 10)))
    os.truncate(os.path.join(place.path, "journal-1"), stretch.start + 60)
    assert len(list(segments.parts(stretch, 40))) == 2
    os.truncate(os.path.join(place.path, "journal-1"), stretch.start)
    assert list(segments.parts(stretch, 40)) == []
