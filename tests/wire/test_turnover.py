"""From one segment to the next nobody is left behind, and the order is that of causes."""

from __future__ import annotations

import os
import signal

import pytest

from mplogging._wire import turnover as turnover_module
from mplogging._wire import writer as writer_module
from mplogging._wire.bell import Bell
from mplogging._wire.frames import EVER, LINE
from mplogging._wire.note import Stretch
from mplogging._wire.place import Place
from mplogging._wire.segments import Segments
from mplogging._wire.turnover import Turnover
from mplogging._wire.writer import JournalWriter

TINY = 2000


@pytest.fixture
def tiny(monkeypatch):
    """Segments are full soon, and done with at once."""
    monkeypatch.setattr(turnover_module, "SEGMENT_BYTES", TINY)
    monkeypatch.setattr(turnover_module, "_MOST_SIZES", 1)
    monkeypatch.setattr(turnover_module, "_GRACE_SECONDS", 0.0)
    monkeypatch.setattr(turnover_module, "_SWITCH_SECONDS", 0.0)


class Reading:
    """A reader's part of it: reads all, and turns over."""

    def __init__(self, place: Place, own_segment=lambda: 0) -> None:
        self.place = place
        self.segments = Segments(place)
        self.note = place.load()[0]
        self.lines: list[bytes] = []
        self.turnover = Turnover(place, self.segments, self.save, own_segment)

    def save(self) -> None:
        self.place.save(self.note)

    def read(self, number: int, limit: int | None = None) -> bool:
        start = self.note.places[number]
        stop = self.segments.size(number) if limit is None else limit
        data = self.segments.read(number, start, stop - start)
        run = self.segments.framing.decode(data, *EVER)
        self.lines += run.lines
        self.note.settle(Stretch(number, start, start + run.stop))
        return run.stop > 0

    def turn(self) -> bool:
        self.turnover.see_to(self.note)
        *older, newest = list(self.note.places)
        limit = self.segments.size(newest)
        found = [self.read(number) for number in older]
        return self.read(newest, limit) or any(found)


@pytest.fixture
def reader(place):
    made = Reading(place)
    yield made
    made.segments.close()


@pytest.fixture
def writer(place):
    made = JournalWriter(place, Bell(""), 1 << 30, lambda: iter(()), is_read_here=lambda: True)
    yield made
    made.close()


def names(place: Place) -> list[str]:
    return sorted(name for name in place.names() if name.startswith("journal"))


def fill(reader: Reading) -> None:
    """The segment has grown large."""
    descriptor = reader.place.open_segment(reader.note.segment, os.O_WRONLY | os.O_APPEND)
    frame = reader.segments.framing.frame(LINE, 7, 1.0, b"x" * TINY)
    os.write(descriptor, frame)
    os.close(descriptor)


def test_one_that_is_small_serves_on(place, tiny, reader):
    for _ in range(3):
        reader.turn()
    assert (reader.note.segment, reader.note.next, names(place)) == (1, 1, ["journal-1"])


def test_announced_begun_ended(place, tiny, reader):
    """Each is saved before the next; the old one goes with all that was in it."""
    fill(reader)
    reader.turn()
    head = place.read_head()
    assert (head.segment, head.next) == (1, 2) and names(place) == ["journal-1", "journal-2"]
    reader.turnover.see_to(reader.note)
    assert (place.read_head().segment, place.load()[0].places.keys()) == (2, {1, 2})
    for _ in range(2):
        reader.turn()
    assert place.load()[0].places.keys() == {2} and names(place) == ["journal-2"]


def test_one_that_fills_at_once_may_grow(place, tiny, monkeypatch, reader):
    """A segment lasts a second, if it does not become too large by then."""
    monkeypatch.setattr(turnover_module, "_MOST_SIZES", 8)
    now = [0.0]
    monkeypatch.setattr(turnover_module, "monotonic", lambda: now[0])
    begun = [place.load()[0].segment]
    for later in (0.0, 0.5, 0.9, 1.5):
        now[0] = 1e9 + later
        fill(reader)
        for _ in range(3):
            reader.turn()
        begun.append(place.load()[0].segment)
    assert begun == [1, 2, 2, 2, 3]
    while place.load()[0].segment == 3:
        assert reader.segments.size(3) < 8 * TINY + 500
        fill(reader)
        reader.turn()
    assert reader.segments.size(3) >= 8 * TINY


def test_no_sooner_than_all_have_looked(place, monkeypatch, reader):
    """Between announcing and beginning it passes more than a writer goes without looking."""
    monkeypatch.setattr(turnover_module, "SEGMENT_BYTES", TINY)
    monkeypatch.setattr(turnover_module, "_MOST_SIZES", 1)
    now = [100.0]
    monkeypatch.setattr(turnover_module, "monotonic", lambda: now[0])
    fill(reader)
    reader.turn()
    for later in (0.0, turnover_module.LOOK_SECONDS, 1.99 * turnover_module.LOOK_SECONDS):
        now[0] = 100.0 + later
        reader.turn()
        assert reader.note.segment == 1
    now[0] = 100.0 + 2.01 * turnover_module.LOOK_SECONDS
    reader.turn()
    assert reader.note.segment == 2
    monkeypatch.undo()


def test_one_that_is_kept_for_a_while_only(place, tiny, monkeypatch, reader):
    """All of it is read, and nobody is there to write: writers need not ask about it."""
    monkeypatch.setattr(turnover_module, "_GRACE_SECONDS", 60.0)
    turned(reader)
    assert place.read_head().place[0] == 1
    for _ in range(2):
        reader.turn()
    assert place.read_head().place == (2, reader.note.places[2])
    assert names(place) == ["journal-1", "journal-2"]


def test_no_room_for_another(place, tiny, reader):
    """It goes on where it is, until there is."""
    os.mkdir(os.path.join(place.path, "journal-2"))
    fill(reader)
    reader.turn()
    assert (reader.note.next, place.read_head().next) == (1, 1)
    os.rmdir(os.path.join(place.path, "journal-2"))
    reader.turn()
    assert place.read_head().next == 2


def turned(reader: Reading) -> None:
    """Fill the segment, and go to the next."""
    segment = reader.note.segment
    fill(reader)
    while reader.note.segment == segment:
        reader.turn()


@pytest.mark.parametrize("why", ["unread", "deferred", "own", "held"])
def test_an_old_segment_stays(place, tiny, why):
    """While something in it waits, or somebody may write to it."""
    own = [0]
    reader = Reading(place, lambda: own[0])
    child = 0
    if why == "own":
        own[0] = 1
    elif why == "held":
        (ready, say), (until, let) = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            place.hold_segment(1)
            os.write(say, b"!")
            os.close(let)
            os.read(until, 1)
            os._exit(0)
        os.read(ready, 1)
    elif why == "deferred":
        reader.note.defer(Stretch(1, reader.note.places[1], reader.note.places[1] + 5))
        reader.note.settle(Stretch(1, reader.note.places[1], reader.note.places[1]))
    turned(reader)
    if why == "unread":
        descriptor = place.open_segment(1, os.O_WRONLY | os.O_APPEND)
        os.write(descriptor, b"half a fra")
        os.close(descriptor)
    for _ in range(2):
        reader.turn()
    if why == "held":
        assert names(place) == ["journal-1", "journal-2"]
        for descriptor in (ready, say, until, let):
            os.close(descriptor)
        os.waitpid(child, 0)
        reader.turn()
    expected = [] if why == "held" else ["journal-1"]
    if why == "unread":
        # Nobody is left to finish it: who reads passes it over, and then it goes.
        assert reader.turnover.left == {1}
        reader.note.settle(Stretch(1, reader.note.places[1], reader.segments.size(1)))
        reader.turn()
        expected = []
    for _ in range(3):
        reader.turn()
    assert names(place) == [*expected, "journal-2"]
    reader.segments.close()


def test_after_the_end_nothing_changes(place, tiny, reader):
    fill(reader)
    reader.note.is_over = True
    reader.turn()
    assert names(place) == ["journal-1"]


def test_a_writer_goes_along(place, tiny, reader, writer):
    """Its descriptor keeps its number; the old segment goes."""
    writer.send(LINE, 1.0, b"0\n")
    number = writer.descriptor
    for count in range(1, 6):
        turned(reader)
        writer._look_due = float("-inf")
        writer.send(LINE, 1.0, b"%d\n" % count)
        assert (writer.descriptor, writer.segment) == (number, 1 + count)
    for _ in range(3):
        reader.turn()
    assert [line for line in reader.lines if line[0] != ord("x")] == [
        b"%d\n" % count for count in range(6)
    ]
    assert names(place) == ["journal-6"]


def pass_on(place: Place, number: int, rounds: int, before: int, after: int) -> None:
    """Log before handing the token on; in a process of its own."""
    mine = Place.open(place.path)
    writer = JournalWriter(mine, Bell(""), 1 << 30, lambda: iter(()))
    for turn in range(rounds):
        os.read(before, 1)
        writer.send(LINE, 1.0, b"%d %d\n" % (turn, number))
        os.write(after, b"!")
    os._exit(0)


@pytest.mark.parametrize("rounds", [10_000])
def test_what_was_caused_comes_after_its_cause(place, monkeypatch, reader, rounds):
    """Three processes in a ring hand a token on, each once its record is accepted."""
    monkeypatch.setattr(turnover_module, "SEGMENT_BYTES", TINY)
    monkeypatch.setattr(turnover_module, "_MOST_SIZES", 1)
    # In haste, but with the margin that there is.
    monkeypatch.setattr(writer_module, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(turnover_module, "_SWITCH_SECONDS", 0.002)
    monkeypatch.setattr(turnover_module, "_GRACE_SECONDS", 0.01)
    pipes = [os.pipe() for _ in range(3)]
    children = []
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            try:
                pass_on(place, number, rounds, pipes[number][0], pipes[(number + 1) % 3][1])
            finally:
                os.kill(os.getpid(), signal.SIGKILL)
        children.append(pid)
    os.write(pipes[0][1], b"!")
    expected = 3 * rounds
    try:
        while len(reader.lines) < expected:
            reader.turn()
    finally:
        for pid in children:
            if len(reader.lines) < expected:
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for descriptor in sum(pipes, ()):
            os.close(descriptor)
    assert reader.lines == [
        b"%d %d\n" % (turn, number) for turn in range(rounds) for number in range(3)
    ]
    assert reader.note.segment > 2  # how often is the machine's choice
