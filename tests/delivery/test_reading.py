"""Every line of a journal comes into the log once, in order, at whichever step a reader dies."""

from __future__ import annotations

import logging
import os

import pytest
from conftest import texts

from mplogging._delivery import reading as reading_module
from mplogging._delivery import writing as writing_module
from mplogging._delivery.reading import Reader
from mplogging._file import appending
from mplogging._records import dump_record
from mplogging._wire.frames import EVER, HELLO, RECORD, Message, join_record
from mplogging._wire.note import MOST_STRETCHES, NOTE_BYTES, Intent, Note

from .journals import (
    DAY,
    NOON,
    TODAY,
    YESTERDAY,
    Journal,
    Side,
    line,
    logs,
    new_file,
    read_all,
    reading,
)


@pytest.fixture
def journal(place):
    return Journal(place)


@pytest.fixture
def file(tmp_path):
    made = new_file(tmp_path)
    yield made
    made.close()


@pytest.fixture
def at_once(monkeypatch):
    """What was refused is tried again at every turn."""
    for module in (reading_module, writing_module):
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)


def record(text: str, payload: bytes, is_stand_in: bool = False) -> Message:
    made = logging.makeLogRecord({"msg": text, "created": NOON, "levelno": 20})
    return Message(RECORD, 7, NOON, join_record(payload, dump_record(made), is_stand_in))


def numbered(count: int, first: int = 0) -> list[str]:
    return [f"line {number}" for number in range(first, first + count)]


# --- what goes where --------------------------------------------------------------------


def test_the_end_is_reached_once_handlers_have_it_all(place, journal, file):
    """Whoever then writes past the journal comes after what was in it, for them too."""

    class Asking(Side):
        def offer(self, record, may_wait=True) -> None:
            super().offer(record)
            at_end.append(reader.is_at_end())

    at_end: list[bool] = []
    side = Asking()
    journal.add(record("one", b"one\n"), record("two", b"two\n"))
    with reading(place, file, [side]) as reader:
        read_all(reader)
        assert side.messages == ["one", "two"] and at_end == [False, False]
        assert reader.is_at_end()


def test_lines_of_several_periods(tmp_path, place, journal, file):
    """Each goes to the file of its own date, in order; all is dealt with then."""
    days = [0, 0, -1, 0, -1, -1, 0, 1]
    journal.add(*[line(f"{n} {day}", NOON + day * DAY) for n, day in enumerate(days)])
    with reading(place, file) as reader:
        read_all(reader)
        assert reader.unread() == 0 and reader.is_at_end()
        assert not reader.turn()
    assert list(logs(tmp_path).values()) == [
        [f"{n} {day}" for n, day in enumerate(days) if day == wanted] for wanted in (-1, 0, 1)
    ]


@pytest.mark.parametrize(
    "created", [float("nan"), float("inf"), -float("inf"), 1e300, -1e300, 1e18, 1e12, -1e12]
)
def test_times_beyond_the_calendar(tmp_path, place, journal, file, created):
    """A line of no possible date goes to the present file, and so do its neighbours."""
    journal.add(line("before"), line("wild", created), line("wild too", created), line("after"))
    with reading(place, file) as reader:
        assert reader.count_unread() == 4
        read_all(reader)
        assert reader.unread() == 0
    assert logs(tmp_path) == {TODAY: ["before", "wild", "wild too", "after"]}


@pytest.mark.parametrize("size", [1, 60, 100, 1000])
def test_wherever_a_read_ends(tmp_path, place, journal, file, monkeypatch, size):
    """Frames that a read cuts, and those larger than a read, are whole in the log."""
    monkeypatch.setattr(reading_module, "_READ_BYTES", size)
    expected = [f"{n} {'x' * (37 * n % 300)}" for n in range(60)]
    expected[20] += "y" * 5000
    with reading(place, file) as reader:
        journal.add(*map(line, expected[:40]))
        read_all(reader)
        journal.add(*map(line, expected[40:]))
        read_all(reader)
        assert reader.unread() == 0
    assert logs(tmp_path) == {TODAY: expected}


@pytest.mark.parametrize("is_final", [False, True])
@pytest.mark.parametrize("size", [100, 100_000])
def test_a_record_that_breaks_off_at_every_byte(
    tmp_path, place, journal, file, monkeypatch, is_final, size
):
    """It is waited for, unless another follows or nobody writes any more."""
    monkeypatch.setattr(reading_module, "_READ_BYTES", size)
    frame = journal.framing.frame(*line("cut " * 100))
    with reading(place, file) as reader:
        reader.is_final = is_final
        expected = []
        for cut in [*range(1, 60), 150, len(frame) - 1]:
            journal.add(line(f"before {cut}"))
            journal.add_bytes(frame[:cut])
            read_all(reader)
            assert (reader.unread() == 0) == is_final
            assert reader.has_reached(reader.targets())  # nobody waits for its rest
            journal.add(line(f"after {cut}"))
            assert not reader.has_reached(reader.targets())
            read_all(reader)
            assert reader.unread() == 0
            expected += [f"before {cut}", f"after {cut}"]
        assert reader._delivery.counts["incomplete"] == len(expected) // 2
    assert logs(tmp_path) == {TODAY: expected}


def test_much_that_is_no_frame(tmp_path, place, journal, file):
    """However much it is, what follows is read."""
    journal.add(line("before"))
    journal.add_bytes(bytes(3_000_000))
    journal.add(line("after"))
    with reading(place, file, is_suspicious=True) as reader:
        read_all(reader)
        assert reader.unread() == 0
    assert logs(tmp_path) == {TODAY: ["before", "after"]}


def test_events(tmp_path, place, journal, file):
    """A record's line goes to the file and the record to the handlers, once each."""
    side = Side()
    journal.add(
        Message(HELLO, 7, 0.0, b"name"), record("both", b"both\n"), line("1"),
        record("side only", b""), record("made anew", b"stand-in\n", True), line("2"),
    )  # fmt: skip
    with reading(place, file, [side], makes_lines=True) as reader:
        read_all(reader)
        assert reader._delivery.pids == {7}
    assert logs(tmp_path) == {TODAY: ["both", "1", "made anew", "2"]}
    assert side.messages == ["both", "side only", "made anew"]


def test_where_nobody_can_make_the_line(tmp_path, place, journal, file):
    """Its stand-in serves, and nothing is unpickled for nobody."""
    message = record("made anew", b"stand-in\n", True)
    journal.add(message._replace(payload=join_record(b"stand-in\n", b"no pickle", True)))
    with reading(place, file) as reader:
        read_all(reader)
        assert reader._delivery.counts["failed"] == 0
    assert logs(tmp_path) == {TODAY: ["stand-in"]}


def test_without_a_file(place, journal):
    """Lines go nowhere and records to the handlers; all is dealt with."""
    side = Side()
    journal.add(line("line"), record("one", b""), line("wild", float("nan")))
    with reading(place, None, [side]) as reader:
        read_all(reader)
        assert reader.unread() == 0
    assert side.messages == ["one"]


# --- a log that refuses lines -----------------------------------------------------------


def refuse(monkeypatch, refused: set[str]) -> None:
    """Let the files of these names, as long as they are in the set, take nothing."""
    append = appending.AppendFile.append

    def picky(self, chunks, announce=None):
        if os.path.basename(self.path) in refused:
            raise appending.Failed(chunks) from OSError(28, "on purpose")
        append(self, chunks, announce)

    monkeypatch.setattr(appending.AppendFile, "append", picky)


@pytest.fixture
def quiet(monkeypatch, file):
    """What the file reports is not written to stderr."""
    monkeypatch.setattr(file, "_report", lambda what: None)


def test_one_of_two_periods_is_refused(
    tmp_path, place, journal, file, quiet, monkeypatch, at_once
):
    """The other goes on; when it is accepted, its lines come in order, once."""
    refused = {YESTERDAY}
    refuse(monkeypatch, refused)
    side = Side()
    with reading(place, file, [side]) as reader:
        for turn in range(3):
            journal.add(
                line(f"new {turn}"), line(f"old {turn}", NOON - DAY),
                record(f"side {turn}", b""),
            )  # fmt: skip
            read_all(reader)
            assert reader.note.is_refused and not reader.is_at_end()
            assert not reader.has_reached(reader.targets())
        assert logs(tmp_path)[TODAY] == ["new 0", "new 1", "new 2"]
        assert reader.count_unread() == 3
        refused.clear()
        reader.turn()
        assert not reader.note.is_refused and reader.is_at_end()
    assert logs(tmp_path) == {
        TODAY: ["new 0", "new 1", "new 2"], YESTERDAY: ["old 0", "old 1", "old 2"],
    }  # fmt: skip
    assert side.messages == ["side 0", "side 1", "side 2"]


def test_a_frame_that_was_cut_short_among_what_is_refused(
    tmp_path, place, journal, file, quiet, monkeypatch, at_once
):
    """No line behind it is lost, and it is counted once."""
    refused = {TODAY}
    refuse(monkeypatch, refused)
    monkeypatch.setattr(reading_module, "_READ_BYTES", 700)
    with reading(place, file) as reader:
        journal.add(*map(line, numbered(20)))
        journal.add_bytes(journal.framing.frame(*line("x" * 300))[:100])
        journal.add(*map(line, numbered(20, 20)))
        read_all(reader)
        for _ in range(3):
            reader.turn()
        assert reader.count_unread() == 40
        refused.clear()
        reader.turn()
        assert reader.unread() == 0
        assert reader._delivery.counts["incomplete"] == 1
    assert logs(tmp_path) == {TODAY: numbered(40)}


@pytest.mark.parametrize("accepted_first", [TODAY, YESTERDAY])
def test_more_stretches_than_the_note_has_room_for(
    tmp_path, place, journal, file, quiet, monkeypatch, at_once, accepted_first
):
    """The rest waits where it is; nothing is lost, doubled or out of order."""
    refused = {YESTERDAY, TODAY}
    refuse(monkeypatch, refused)
    count = 5 * MOST_STRETCHES
    journal.add(*[line(str(n), NOON - n % 2 * DAY) for n in range(count)])
    with reading(place, file) as reader:
        read_all(reader)
        assert len(reader.note.passed_over) == 1  # all of it
        refused.remove(accepted_first)
        for _ in range(3):
            reader.turn()
            assert len(reader.note.passed_over) <= MOST_STRETCHES
            assert len(reader.note.dump()) <= NOTE_BYTES
        journal.add(*[line(str(n), NOON - n % 2 * DAY) for n in range(count, 2 * count)])
        for _ in range(3):
            reader.turn()
        assert reader.count_unread() > count // 2
    with reading(place, file) as reader:  # another takes over
        refused.clear()
        reader.turn()
        read_all(reader)
        assert reader.unread() == 0
    assert logs(tmp_path) == {
        TODAY: [str(n) for n in range(0, 2 * count, 2)],
        YESTERDAY: [str(n) for n in range(1, 2 * count, 2)],
    }


def test_a_line_at_fault(tmp_path, place, journal, file, monkeypatch):
    """It takes none of its neighbours with it."""
    append = file._append

    def picky(created, chunks, announce=None):
        if b"bad\n" in chunks:
            int("on purpose")
        append(created, chunks, announce)

    monkeypatch.setattr(file, "_append", picky)
    monkeypatch.setattr(writing_module, "is_foreign", lambda error: False)
    journal.add(line("1"), line("bad"), Message(HELLO, 7, 0.0, b"n"), line("2"), line("bad"))
    with reading(place, file) as reader:
        read_all(reader)
        assert reader.unread() == 0 and reader._delivery.counts["failed"] == 2
    assert [text for text in logs(tmp_path)[TODAY] if len(text) < 5] == ["1", "2"]


def test_no_memory_for_a_large_record(tmp_path, place, journal, file, monkeypatch):
    """It harms itself alone."""
    monkeypatch.setattr(reading_module, "_READ_BYTES", 1000)
    journal.add(line("1"), line("x" * 50_000), line("2"))
    with reading(place, file) as reader:
        read = reader._segments.read

        def read_little(number, offset, size):
            if size > 40_000:
                raise MemoryError
            return read(number, offset, size)

        monkeypatch.setattr(reader._segments, "read", read_little)
        read_all(reader)
        assert reader._delivery.counts["failed"] == 1
    written = logs(tmp_path)[TODAY]
    assert [written[0], written[-1]] == ["1", "2"] and len(written) == 3
    assert "no memory for a record of" in written[1]


# --- segments ---------------------------------------------------------------------------


def add_segment(reader: Reader, journal: Journal) -> None:
    """Let writers go to another."""
    note = reader.note
    offset = reader._segments.create(note.segment + 1, journal.framing)
    note.announce_segment()
    note.begin_segment(offset)
    reader._lines.save()
    journal.number = note.segment


def test_the_older_segment_comes_first(tmp_path, place, journal, file, monkeypatch):
    """And what comes to the newer while the older is read waits for the next turn."""
    monkeypatch.setattr(reading_module, "_READ_BYTES", 1000)
    with reading(place, file) as reader:
        add_segment(reader, journal)
        journal.add(line("third " + "x" * 5000))
        journal.number = 1
        journal.add(line("first"))
        read = reader._segments.read
        late = [lambda: journal.add(line("fifth")), lambda: journal.add(line("fourth"))]

        def read_late(number, offset, size):
            data = read(number, offset, size)
            if not data and number == 1 and late:
                journal.number = 2  # caused by what the next line does
                late.pop(0)()
                journal.number = 1
                late.pop(0)()
            return data

        monkeypatch.setattr(reader._segments, "read", read_late)
        assert reader.turn()
        assert [text[:5] for text in logs(tmp_path)[TODAY]] == ["first", "third"]
        read_all(reader)
    written = [text[:6] for text in logs(tmp_path)[TODAY]]
    assert written == ["first", "third ", "fourth", "fifth"]


# --- taking over ------------------------------------------------------------------------


@pytest.fixture
def left(tmp_path, place, journal):
    """A journal whose reader has died in a write: how it is left, by what of it was written."""

    def _left(written: str, before: str = "", after: str = "", noted: str | None = None) -> None:
        path = tmp_path / TODAY
        path.write_text((before if noted is None else noted) + written + after)
        status = path.stat()
        note = Note(1, os.path.getsize(journal.path()))
        journal.add(*map(line, numbered(5)))
        stop = os.path.getsize(journal.path())
        journal.add(line("next"))
        note.intend(
            Intent(1, note.places[1], stop, status.st_dev, status.st_ino, len(before), 5 * 7)
        )
        place.save(note, str(path))

    return _left


def take_over(place, file) -> Reader:
    with reading(place, file) as reader:
        read_all(reader)
        assert reader.unread() == 0
    return reader


@pytest.mark.parametrize("after", ["", "of another\n"])
@pytest.mark.parametrize("between", ["", "of another\n", "line 0 more\n", "line 1\n"])
@pytest.mark.parametrize("count", range(6))
def test_what_was_written_of_an_unfinished_write(
    tmp_path, place, file, left, count, between, after
):
    """None, a part or all of it: only what is missing is written, wherever it begins."""
    written = "".join(f"{text}\n" for text in numbered(count))
    left(between + written, before="long before\nline 0\n", noted="long before\nline 0\n",
         after=after)  # fmt: skip
    reader = take_over(place, file)
    assert reader.doubtful == 0
    assert (tmp_path / TODAY).read_text() == (
        "long before\nline 0\n" + between + written + after
        + "".join(f"{text}\n" for text in [*numbered(5)[count:], "next"])
    )  # fmt: skip


@pytest.mark.parametrize("cut", range(1, 7))
def test_half_a_line_of_it(tmp_path, place, file, left, cut):
    """It is cut off, and written whole."""
    left("line 0\nline 1\n" + "line 2"[:cut], before="before\n")
    file._cut_half_lines()
    take_over(place, file)
    assert logs(tmp_path) == {TODAY: ["before", *numbered(5), "next"]}


def test_half_a_line_before_it(tmp_path, place, file, left):
    """Where another has cut it off, the write began before the noted end."""
    left("line 0\nline 1\n", before="before\nhalf", noted="before\n")
    take_over(place, file)
    assert logs(tmp_path) == {TODAY: ["before", *numbered(5), "next"]}


def test_the_file_is_gone(tmp_path, place, file, left):
    """All is written again, and it is said which may be there twice."""
    left("line 0\nline 1\n")
    os.rename(tmp_path / TODAY, tmp_path / "elsewhere")
    reader = take_over(place, file)
    assert reader.doubtful == 5
    written = logs(tmp_path)[TODAY]
    assert "is gone" in written[0] and written[1:] == [*numbered(5), "next"]


@pytest.mark.parametrize("algorithm", ["gz"])
def test_the_file_has_been_compressed(tmp_path, place, file, left, algorithm):
    """What stands there is not written again."""
    import gzip

    left("line 0\nline 1\n", before="before\n")
    path = tmp_path / TODAY
    with gzip.open(f"{path}.{algorithm}", "wb") as packed:
        packed.write(path.read_bytes())
    path.unlink()
    reader = take_over(place, file)
    assert reader.doubtful == 0
    assert logs(tmp_path)[f"{TODAY}.1"] == [*numbered(5)[2:], "next"]


# --- killed at every step ---------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


class Steps:
    """Kills at the n-th step, before or after it is done."""

    def __init__(self, monkeypatch, modules) -> None:
        self.count, self.deadly, self.is_done_then = 0, 0, False
        for module, name in modules:
            monkeypatch.setattr(module, name, self._step(getattr(module, name)))

    def _step(self, function):
        def step(*args, **keywords):
            if not self.deadly:
                return function(*args, **keywords)
            self.count += 1
            if self.count > self.deadly or (self.count == self.deadly and not self.is_done_then):
                raise Killed
            done = function(*args, **keywords)
            if self.count == self.deadly and function is _open:
                os.close(done)  # as the kernel does then
            if self.count == self.deadly:
                raise Killed
            return done

        return step


_open = os.open
STEPS = [
    (os, "pwrite"), (os, "open"), (os, "ftruncate"), (os, "unlink"), (os, "write"),
    (appending, "write"),
]  # fmt: skip


def prepare(journal: Journal, is_suspicious: bool = False) -> dict[str, list[str]]:
    """Lines of two days, a torn frame, events; returns what the logs are to have."""
    journal.add(*[line(text, NOON - n % 7 // 5 * DAY) for n, text in enumerate(numbered(40))])
    journal.add_bytes(journal.framing.frame(*line("x" * 900))[:70])
    journal.add(record("with", b"line 40\n"), *map(line, numbered(9, 41)))
    expected = {TODAY: [], YESTERDAY: []}
    for n, text in enumerate(numbered(50)):
        expected[YESTERDAY if n < 40 and n % 7 // 5 else TODAY].append(text)
    return expected


@pytest.mark.parametrize("max_bytes", [0, 60])
@pytest.mark.parametrize("is_done_then", [False, True])
@pytest.mark.parametrize("again", [0, 1, 3])
def test_killed_at_every_step(tmp_path, place, monkeypatch, is_done_then, again, max_bytes):
    """And the next again, so many steps later: no line is lost, doubled, torn or moved."""
    steps = Steps(monkeypatch, STEPS)
    start = place.load()[0]
    end = os.path.getsize(Journal(place).path())
    deadly = 0
    while True:
        deadly += 1
        journal = Journal(place)
        os.truncate(journal.path(), end)
        place.save(start, "")
        for name in logs(tmp_path):
            (tmp_path / name).unlink()
        expected = prepare(journal)
        is_killed = False
        for step in [deadly, again] if again else [deadly]:
            steps.count, steps.deadly, steps.is_done_then = 0, step, is_done_then
            try:
                is_killed = not read_once(tmp_path, place, max_bytes)
            finally:
                steps.deadly = 0
        assert read_once(tmp_path, place, max_bytes)
        assert joined(tmp_path) == expected, (deadly, again)
        if not is_killed and deadly > 10 and not again or deadly > 150:
            return


def read_once(tmp_path, place, max_bytes: int) -> bool:
    """False if it was killed in the midst."""
    file = new_file(tmp_path, maxBytes=max_bytes)
    file._cut_half_lines()
    try:
        with reading(place, file) as reader:
            read_all(reader)
            return True
    except Killed:
        return False
    finally:
        file.close()


def joined(tmp_path) -> dict[str, list[str]]:
    """The lines of each day, its parts in order."""
    found: dict[str, list[str]] = {TODAY: [], YESTERDAY: []}
    parts = {name: int(name[len(TODAY) + 1 :] or 0) for name in logs(tmp_path)}
    for name in sorted(parts, key=parts.__getitem__):
        found[name[: len(TODAY)]] += logs(tmp_path)[name]
    return found


def test_the_state_on_the_note_at_every_step(tmp_path, place, journal, file, monkeypatch):
    """What is before its places stands in the log; what is in doubt may, and no other."""
    prepare(journal)
    data = (tmp_path / journal.path()).read_bytes()
    start = place.load()[0].places[1]
    seen = []
    save = place.save

    def check(note: Note, path: str = "") -> None:
        save(note, path)
        loaded = place.load()[0]
        done = journal.framing.decode(data[: loaded.places[1]], *EVER, at=start)
        written = sum(map(len, logs(tmp_path).values()))
        seen.append((len(done.lines), written, loaded.intent is not None))

    monkeypatch.setattr(place, "save", check)
    with reading(place, file) as reader:
        read_all(reader)
    assert all(done == written for done, written, _ in seen)
    assert [in_doubt for *_, in_doubt in seen][:2] == [True, False]
    assert texts(tmp_path) and seen[-1] == (50, 50, False)


def test_interrupted_by_a_signal_handler(tmp_path, place, journal, file, monkeypatch):
    """Its exception passes; what had been written is not written again."""
    journal.add(*map(line, numbered(5)))

    def write_and_be_interrupted(descriptor, data):
        os.write(descriptor, data)
        raise TimeoutError("of the program's own")

    with monkeypatch.context() as patched:
        patched.setattr(appending, "write", write_and_be_interrupted)
        with reading(place, file) as reader, pytest.raises(TimeoutError):
            read_all(reader)
    with reading(place, file) as reader:
        read_all(reader)
    assert logs(tmp_path) == {TODAY: numbered(5)}


