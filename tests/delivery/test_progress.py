"""Whatever writes the lines of a stretch take, the note says before each what is in doubt."""

from __future__ import annotations

import os

import pytest

from mplogging._delivery.progress import Progress
from mplogging._file.unwritten import Failed
from mplogging._wire.frames import HELLO, LINE, Framing, Message
from mplogging._wire.note import Note, Stretch
from mplogging._wire.segments import Part

from .journals import NOON, new_file

FRAMING = Framing(b"lot\x00")
OFFSET = 1000
TORN = FRAMING.frame(LINE, 7, NOON, b"x" * 500)[:60]
MESSAGES = [
    Message(HELLO, 7, NOON, b"n"), *[Message(LINE, 7, NOON, b"%d\n" % n) for n in range(6)]
]  # fmt: skip


class Noted:
    """A stretch of six lines, a torn frame in its midst, and what is saved of it."""

    def __init__(self) -> None:
        frames = [FRAMING.frame(*message) for message in MESSAGES]
        frames[3] = TORN + frames[3]
        self.stops = [OFFSET + sum(map(len, frames[: 2 + n])) for n in range(6)]
        data = b"".join(frames)
        self.note = Note(1, OFFSET)
        self.saved: list[tuple[Stretch | None, int, str]] = []
        self.counted: list[bytes] = []
        self.lines = [message.payload for message in MESSAGES[1:]]
        self.progress = Progress(
            self.note, Part(1, OFFSET, data), FRAMING, self.lines,
            Stretch(1, OFFSET, OFFSET + len(data)), self.save, self.counted.extend,
        )  # fmt: skip

    def save(self, path: str) -> None:
        intent = self.note.intent
        stretch = None if intent is None else intent.stretch
        self.saved.append((stretch, self.note.places[1], os.path.basename(path)))


@pytest.fixture
def noted():
    return Noted()


@pytest.mark.parametrize("count", range(7))
def test_some_are_written(noted, count):
    """Just these are settled; the rest is what is left."""
    noted.progress.settle(count)
    stop = noted.stops[count - 1] if count else OFFSET
    assert (noted.note.places[1], noted.progress.rest.start) == (stop, stop)
    assert (noted.progress.written, noted.counted) == (count, noted.lines[:count])
    noted.progress.settle(count)
    assert noted.counted == noted.lines[:count]


@pytest.mark.parametrize("size", [2, 4, 6, 8, 12])
def test_over_several_files(tmp_path, noted, size):
    """Each write is noted before it is made, and settled before the next is noted."""
    file = new_file(tmp_path, maxBytes=size)
    file._append(NOON, noted.lines, noted.progress.announce)
    noted.progress.settle(6)
    file.close()
    step = size // 2
    expected, start = [], OFFSET
    for part, first in enumerate(range(0, 6, step)):
        stop = noted.stops[min(first + step, 6) - 1]
        name = os.path.basename(file.activeFilename)[:14] + (f".{part}" if part else "")
        if part:  # the old path is left to the old intent
            expected.append((None, start, ""))
        expected.append((Stretch(1, start, stop), start, name))
        start = stop
    assert noted.saved == expected
    assert (noted.note.places, noted.note.intent) == ({1: noted.stops[-1]}, None)
    assert noted.counted == noted.lines


def test_one_that_fails_at_the_second_file(tmp_path, noted, monkeypatch):
    """What stands in the first is settled; the intent is for the rest."""
    file = new_file(tmp_path, maxBytes=4)
    (tmp_path / (os.path.basename(file.activeFilename) + ".1")).mkdir()
    with pytest.raises(Failed) as raised:
        file._append(NOON, noted.lines, noted.progress.announce)
    noted.progress.settle(6 - len(raised.value.chunks))
    file.close()
    assert noted.counted == noted.lines[:2]
    assert noted.progress.rest == Stretch(1, noted.stops[1], noted.stops[5])
