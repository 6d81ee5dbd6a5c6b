"""Who logs when nobody reads writes to the file, after all that waits, and loses nothing."""

from __future__ import annotations

import os
import signal

import pytest

from mplogging._delivery import direct as direct_module
from mplogging._delivery.direct import DirectWriter
from mplogging._file import appending
from mplogging._wire import writer as writer_module
from mplogging._wire.bell import Bell
from mplogging._wire.frames import DROPPED, LINE, RECORD, join_record
from mplogging._wire.place import Place
from mplogging._wire.segments import Segments
from mplogging._wire.writer import JournalWriter

from .journals import NOON, TODAY, YESTERDAY, Journal, line, logs, new_file, reading


@pytest.fixture
def file(tmp_path):
    made = new_file(tmp_path)
    yield made
    made.close()


@pytest.fixture
def writer(place):
    made = JournalWriter(place, Bell(""), 1 << 30, lambda: iter(()), is_read_here=lambda: True)
    yield made
    made.close()


@pytest.fixture
def direct(place, file, writer):
    """The reader, which was this process, is gone."""
    writer.send(LINE, NOON, b"sent before\n")
    place.release_reader_lock()
    return DirectWriter(file, place, writer)


def written(tmp_path) -> list[str]:
    return logs(tmp_path).get(TODAY, [])


class Holder:
    """Another process that has the reader's lock, as one that is stopped while it reads."""

    def __init__(self, place: Place) -> None:
        ready, say = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                assert place.try_reader_lock()
                os.write(say, b"!")
                signal.pause()
            finally:
                os._exit(0)
        os.read(ready, 1)
        os.close(ready), os.close(say)

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.fixture
def impatient(monkeypatch):
    """What could not be done is tried again at once, and nobody waits long."""
    monkeypatch.setattr(direct_module, "_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(direct_module, "_LEAVING_SECONDS", 0.05)


def test_after_what_waits(tmp_path, place, direct):
    """It is read first, and the journal is over; then each line is there at once."""
    direct.send(LINE, NOON, b"1\n")
    assert written(tmp_path) == ["sent before", "1"]
    assert place.read_head().is_over and place.try_reader_lock()
    place.release_reader_lock()
    direct.send(RECORD, NOON, join_record(b"2\n", b"no pickle"))
    direct.send(RECORD, NOON, join_record(b"", b"no pickle"))
    direct.send(LINE, NOON - 86_400, b"yesterday's\n")
    assert logs(tmp_path) == {
        TODAY: ["sent before", "1", "2"], YESTERDAY: ["yesterday's"],
    }  # fmt: skip


def test_what_another_had_not_looked(tmp_path, place, direct):
    """One that comes to the journal though it is over is read before the next line."""
    direct.send(LINE, NOON, b"1\n")
    Journal(place).add(line("late"))
    direct.send(LINE, NOON, b"2\n")
    assert written(tmp_path) == ["sent before", "1", "late", "2"]


def test_with_another_segment(tmp_path, place, direct, writer):
    """Which its writer has not seen: every line is in the file when the call returns."""
    note = place.load()[0]
    segments = Segments(place)
    offset = segments.create(2, segments.framing)
    segments.close()
    note.announce_segment()
    note.begin_segment(offset)
    place.save(note)
    journal = Journal(place)
    journal.number = 2
    journal.add(line("in the second"))
    for count in range(5):
        direct.send(LINE, NOON, b"%d\n" % count)
        assert written(tmp_path) == ["sent before", "in the second", *map(str, range(count + 1))]


def test_another_is_at_it(tmp_path, place, direct, impatient):
    """Then it goes to the journal, and is read later, in order."""
    holder = Holder(place)
    for count in range(3):
        direct.send(LINE, NOON, b"%d\n" % count)
    assert written(tmp_path) == []
    holder.end()
    direct.send(LINE, NOON, b"3\n")
    assert written(tmp_path) == ["sent before", "0", "1", "2", "3"]


def test_at_the_end(tmp_path, place, direct, impatient):
    """What waits is read, unless another has it."""
    holder = Holder(place)
    assert not direct.take_over()
    holder.end()
    assert direct.take_over() and direct.take_over()
    assert written(tmp_path) == ["sent before"]


def test_the_log_refuses_lines(tmp_path, place, file, direct, monkeypatch, impatient):
    """They stand in the journal, where they outlive this process."""
    monkeypatch.setattr(file, "_report", lambda what: None)
    append, refuses = appending.AppendFile.append, True

    def picky(self, chunks, announce=None):
        if refuses:
            raise appending.Failed(chunks) from OSError(28, "on purpose")
        append(self, chunks, announce)

    monkeypatch.setattr(appending.AppendFile, "append", picky)
    for count in range(3):
        direct.send(LINE, NOON, b"%d\n" % count)
    assert written(tmp_path) == [] and file.waiting == 0
    refuses = False
    direct.send(LINE, NOON, b"3\n")
    assert written(tmp_path) == ["sent before", "0", "1", "2", "3"]


def test_the_log_refuses_a_line_of_its_own(tmp_path, file, direct, monkeypatch, impatient):
    """Though all was read: that line comes next."""
    direct.send(LINE, NOON, b"0\n")
    monkeypatch.setattr(file, "_report", lambda what: None)
    with monkeypatch.context() as patched:
        def refuse(*_: object) -> None:
            raise direct_module.Failed([b"1\n"])

        patched.setattr(file, "_append", refuse)
        direct.send(LINE, NOON, b"1\n")
    direct.send(LINE, NOON, b"2\n")
    assert written(tmp_path) == ["sent before", "0", "1", "2"]


@pytest.mark.parametrize("is_done", [False, True])
def test_interrupted_by_a_signal_handler(tmp_path, direct, monkeypatch, is_done):
    """What it had begun is tried again with the next line; nothing is there twice."""

    def interrupted(descriptor, data):
        if is_done:
            os.write(descriptor, data)
        raise TimeoutError("of the program's own")

    with monkeypatch.context() as patched:
        patched.setattr(appending, "write", interrupted)
        with pytest.raises(TimeoutError):
            direct.send(LINE, NOON, b"1\n")
    direct.send(LINE, NOON, b"2\n")
    assert written(tmp_path) == ["sent before", "2"]


def test_from_a_signal_handler(tmp_path, direct, monkeypatch):
    """In the midst of another line: it comes after that, from the journal."""
    write, nested = appending.write, [b"nested\n"]

    def interrupted(descriptor, data):
        if nested:
            direct.send(LINE, NOON, nested.pop())
        return write(descriptor, data)

    monkeypatch.setattr(appending, "write", interrupted)
    for text in (b"1\n", b"2\n"):
        direct.send(LINE, NOON, text)
    assert sorted(written(tmp_path)) == ["1", "2", "nested", "sent before"]
    assert written(tmp_path)[-1] == "2"


def test_neither_the_journal_nor_the_log_takes_it(
    tmp_path, place, file, direct, writer, monkeypatch, impatient
):
    """It waits in memory, as with a handler without a session."""
    holder = Holder(place)

    def fail(*_: object) -> None:
        raise OSError(28, "on purpose")

    monkeypatch.setattr(writer_module, "write", fail)
    monkeypatch.setattr(writer_module, "is_foreign", lambda error: False)
    direct.send(LINE, NOON, b"1\n")
    assert written(tmp_path) == ["1"]
    holder.end()


def test_aside(tmp_path, place, direct, monkeypatch):
    """A full journal whose reader lives: what went before is waited for, but once only."""
    holder = Holder(place)
    monkeypatch.setattr(direct_module, "_LEAVING_SECONDS", 0.3)
    slept = []
    monkeypatch.setattr(direct_module, "sleep", lambda seconds: slept.append(seconds))
    monkeypatch.setattr(direct, "_has_put_off", lambda *message: False)
    direct.aside(LINE, NOON, b"1\n")
    assert slept
    slept.clear()
    direct.aside(LINE, NOON, b"2\n")
    assert not slept and written(tmp_path) == ["1", "2"]
    holder.end()


def test_aside_of_a_journal_that_takes_it_now(tmp_path, place, direct):
    """It had refused it for once: there it stands after what went before."""
    holder = Holder(place)
    direct.aside(LINE, NOON, b"1\n")
    assert not written(tmp_path)
    holder.end()


def test_aside_of_a_reader_that_is_dead(tmp_path, place, direct, writer, monkeypatch):
    """What went before is read first."""
    monkeypatch.setattr(writer, "is_read_here", lambda: False)
    monkeypatch.setattr(direct, "_has_put_off", lambda *message: False)
    direct.aside(LINE, NOON, b"1\n")
    assert written(tmp_path) == ["sent before", "1"]


def test_without_a_file(place, writer, capsys):
    """Records go where logging itself sends them."""
    import logging

    from mplogging._records import dump_record

    direct = DirectWriter(None)
    made = logging.makeLogRecord({"msg": "loud", "levelno": logging.ERROR})
    direct.send(RECORD, NOON, join_record(b"", dump_record(made)))
    direct.send(DROPPED, NOON, b"short")
    direct.wait(), direct.speak_first()
    assert "loud" in capsys.readouterr().err


def test_several_processes_take_over(tmp_path, place, direct):
    """Each line is there once, in the order of its process."""
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                mine = Place.open(place.path)
                mine.hold()
                own_file = new_file(tmp_path)
                writer = JournalWriter(mine, Bell(""), 1 << 30, lambda: iter(()))
                own = DirectWriter(own_file, mine, writer)
                writer.append(LINE, NOON, b"%d begins\n" % number)
                for count in range(100):
                    own.send(LINE, NOON, b"%d %d\n" % (number, count))
                own.take_over()
                own_file.close()
            finally:
                os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    with reading(place, None) as reader:
        assert reader.unread() == 0
    found = written(tmp_path)
    for number in range(4):
        own = [text for text in found if text.startswith(f"{number} ")]
        assert own == [f"{number} begins", *[f"{number} {count}" for count in range(100)]]
    assert len(found) == 405 and found[0] == "sent before"
