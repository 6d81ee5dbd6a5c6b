"""Nothing in a message stops the delivery: its neighbours are written, and it is counted."""

from __future__ import annotations

import logging
import struct
import time
from pathlib import Path

import pytest
from conftest import texts

from mplogging import DatedFileHandler
from mplogging._delivery.delivery import Delivery, LastResort
from mplogging._records import dump_record
from mplogging._wire.drops import Dropped
from mplogging._wire.frames import (
    DROPPED,
    HELLO,
    LINE,
    MARK,
    RECORD,
    Batch,
    Message,
    join_record,
)

DAY = 86_400
NOON = time.time() // DAY * DAY + DAY / 2


class Side:
    """Takes records as a sideline does."""

    def __init__(self, handler: logging.Handler | None = None) -> None:
        self.handler = handler
        self.dropped = self.failed = 0
        self.records: list[logging.LogRecord] = []

    def offer(self, record: logging.LogRecord, may_wait: bool = True) -> None:
        self.records.append(record)

    @property
    def messages(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@pytest.fixture
def file(tmp_path):
    handler = DatedFileHandler(tmp_path / "log", utc=True)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    yield handler
    handler.close()


def name_of(created: float) -> str:
    return time.strftime("log.%Y-%m-%d", time.gmtime(created))


TODAY = name_of(NOON)


def events(*messages: Message) -> Batch:
    return Batch(list(messages))


def line(text: str, created: float = NOON, pid: int = 7) -> Message:
    return Message(LINE, pid, created, text.encode() + b"\n")


def record(text: str = "record", **fields: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"msg": text, "levelno": logging.INFO, "levelname": "INFO", "created": NOON, **fields}
    )


def sent(made: logging.LogRecord, text: bytes | None) -> Message:
    """With its line, or with one that its reader is to make."""
    payload = join_record(b"stand-in\n" if text is None else text, dump_record(made), text is None)
    return Message(RECORD, 7, made.created, payload)


def lines_of(tmp_path: Path, name: str = TODAY) -> list[str]:
    return texts(tmp_path).get(name, "").splitlines()


# --- what goes where --------------------------------------------------------------------


def test_lines_of_several_periods(tmp_path, file):
    """Each goes to the file of its own date, in order, from whichever part of the batch."""
    delivery = Delivery(file)
    strays = [line(f"{day} {n}", NOON + day * DAY) for n in range(3) for day in (-1, 0, -2, 1)]
    delivery.deliver(events(line("lines first"), *strays))
    assert texts(tmp_path) == {
        name_of(NOON + day * DAY): ("lines first\n" if day == 0 else "")
        + "".join(f"{day} {n}\n" for n in range(3))
        for day in (-2, -1, 0, 1)
    }
    assert delivery.counts["records"] == 13


@pytest.mark.parametrize(
    "created", [float("nan"), float("inf"), -float("inf"), 1e300, -1e300, 1e18, 1e12, -1e12]
)
def test_times_beyond_the_calendar(tmp_path, file, created):
    """A line of no possible date goes to the present file, and so do its neighbours."""
    delivery = Delivery(file)
    delivery.deliver(events(line("before"), line("wild", created), line("after")))
    assert lines_of(tmp_path) == ["before", "wild", "after"]
    assert delivery.counts == {"records": 3, "bytes": 18}


def test_a_record(tmp_path, file):
    """Its line goes to the file and the record to the handlers."""
    side = Side()
    delivery = Delivery(file, [side])
    delivery.deliver(events(sent(record("both"), b"both\n"), sent(record("side only"), b"")))
    assert lines_of(tmp_path) == ["both"]
    assert side.messages == ["both", "side only"]


def test_a_record_without_its_line(tmp_path, file):
    """The file's handler makes it, in order with the lines around, if its level and filters do."""
    file.setLevel(logging.INFO)
    file.addFilter(lambda record: "secret" not in record.getMessage())
    delivery = Delivery(file)
    made = [record("made here"), record("secret"), record("debug", levelno=logging.DEBUG)]
    delivery.deliver(events(line("1"), *(sent(one, None) for one in made), line("2")))
    assert lines_of(tmp_path) == ["1", "INFO made here", "2"]


def test_without_a_file(tmp_path):
    """Lines go nowhere, records to the handlers, where they count."""
    side = Side()
    delivery = Delivery(None, [side])
    delivery.deliver(events(line("line"), sent(record("record"), None), line("x", float("nan"))))
    assert side.messages == ["record"] and texts(tmp_path) == {}
    assert delivery.counts["records"] == 1


def test_marks(tmp_path, file):
    """A mark is told of once all before it is in the file."""
    seen = []
    delivery = Delivery(file)
    delivery.on_mark = lambda mark: seen.append((mark, lines_of(tmp_path)))
    mark = Message(MARK, 7, 0.0, b"mark")
    delivery.deliver(events(line("0"), line("1"), mark, line("2")))
    assert seen == [(b"mark", ["0", "1"])]
    assert lines_of(tmp_path) == ["0", "1", "2"]


def test_processes(file):
    """Those that introduced themselves are known."""
    delivery = Delivery(file)
    hellos = [Message(HELLO, pid, 0.0, b"Worker \xff") for pid in (5, 6, 5)]
    delivery.deliver(events(*hellos))
    assert delivery.pids == {5, 6}


# --- what is malformed ------------------------------------------------------------------

MALFORMED = {
    "record of nothing": Message(RECORD, 7, NOON, b""),
    "record too short": Message(RECORD, 7, NOON, struct.pack("<I", 100) + b"short"),
    "record without pickle": Message(RECORD, 7, NOON, join_record(b"x\n", b"", True)),
    "no pickle": Message(RECORD, 7, NOON, join_record(b"", b"nothing of the kind")),
    "other pickle": Message(RECORD, 7, NOON, join_record(b"x\n", b"I5\n.", True)),
    "record without level": Message(
        RECORD, 7, NOON, join_record(b"x\n", dump_record(record(levelno=None)), True)
    ),
    "dropped": Message(DROPPED, 7, NOON, b"short"),
    "dropped at no time": Message(
        DROPPED, 7, NOON, struct.pack("<Qdd?", 0, float("nan"), 1e300, False)
    ),
    "unknown kind": Message(99, 7, NOON, b""),
    "no message": Message("?", "?", "?", "?"),  # out of a queue that others put into
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(tmp_path, file, name):
    """It is counted, the first of its kind is reported, and its neighbours are written."""
    side = Side()
    delivery = Delivery(file, [side])
    batch = events(line("before"), *[MALFORMED[name]] * 3, line("after"))
    delivery.deliver(batch)
    assert delivery.counts["failed"] == 3
    written = lines_of(tmp_path)
    assert [text for text in written if not text.startswith("WARNING")] == ["before", "after"]
    (warning,) = [text for text in written if text.startswith("WARNING")]
    assert f"process {MALFORMED[name].pid} " in warning
    assert warning.endswith("(further ones are counted)")


def test_garbage(tmp_path, file):
    """Corrupt stretches are counted and the first is reported."""
    delivery = Delivery(file)
    delivery.deliver(Batch([line("before")], 2))
    delivery.deliver(Batch([line("after")], 1))
    assert delivery.counts["corrupt"] == 3
    assert lines_of(tmp_path) == [
        "before",
        "WARNING something came that is no record (further ones are counted)",
        "after",
    ]


def test_extra_fields_that_cannot_be_unpickled(tmp_path, file):
    """The record arrives, and what was left out is reported."""
    side = Side()
    delivery = Delivery(file, [side])
    missing = dump_record(record(when=time.struct_time(range(9)))).replace(
        b"struct_time", b"strict_time"
    )
    delivery.deliver(events(Message(RECORD, 7, NOON, join_record(b"line\n", missing))))
    assert side.messages[0] == "record"
    assert "extra fields of a record could not be unpickled" in lines_of(tmp_path)[1]
    assert delivery.counts["failed"] == 1


class Raising(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        raise RuntimeError("on purpose")


def test_a_filter_that_raises(tmp_path, file):
    """The record that the file's own filter raises on is counted; lines go on."""
    file.addFilter(Raising())
    delivery = Delivery(file)
    delivery.deliver(events(line("1"), sent(record(), None), sent(record(), None), line("2")))
    written = lines_of(tmp_path)
    assert [written[0], written[-1]] == ["1", "2"] and len(written) == 3
    assert "RuntimeError('on purpose')" in written[1]
    assert delivery.counts["failed"] == 2


def test_a_file_that_raises(tmp_path, file, monkeypatch):
    """One line at fault takes none of its neighbours with it."""
    write = file._write

    def picky(created: float, chunks: list[bytes]) -> None:
        if b"bad\n" in chunks:
            raise MemoryError("on purpose")
        write(created, chunks)

    monkeypatch.setattr(file, "_write", picky)
    delivery = Delivery(file)
    delivery.deliver(events(*map(line, ("1", "bad", "2", "bad", "3", "bad"))))
    written = lines_of(tmp_path)
    assert [text for text in written if not text.startswith("WARNING")] == ["1", "2", "3"]
    assert len(written) == 4 and delivery.counts["failed"] == 3
    assert delivery.counts["records"] == 3


def test_a_formatter_that_raises(tmp_path, file):
    """A warning of our own comes in a plain format then, and lines go on."""
    file.setFormatter(logging.Formatter("%(nothing)s"))
    delivery = Delivery(file)
    delivery.deliver(Batch([line("1"), MALFORMED["unknown kind"], line("2")], 1))
    *unknown, last, corrupt = lines_of(tmp_path)
    assert (unknown[0], last) == ("1", "2") and len(unknown) == 2
    assert " WARNING a record of process 7 is of no use: " in unknown[1]
    assert " WARNING something came that is no record" in corrupt


# --- what is reported -------------------------------------------------------------------


def test_warnings_are_formatted_once(tmp_path, file):
    """Text of a message that is quoted in a warning is no format."""
    side = Side()
    delivery = Delivery(file, [side])
    delivery.mishap("failed", "100% of %s and {}")
    delivery.mishap("failed", "never seen")
    delivery.warn("%s of %d", "one", 2)
    expected = ["100% of %s and {} (further ones are counted)", "one of 2"]
    assert lines_of(tmp_path) == [f"WARNING {text}" for text in expected]
    assert side.messages == expected
    assert {(made.name, made.levelno) for made in side.records} == {("mplogging", 30)}


def test_dropped(tmp_path, file):
    """What a process reports, and what it left in its file, add up; one warning each."""
    delivery = Delivery(file)
    reported = Dropped(3, NOON, NOON + 5, False, "Worker-5")
    delivery.deliver(events(Message(DROPPED, 5, NOON, reported.dump())))
    delivery.settle_drops(5, Dropped(3, NOON, NOON + 5, False, "Worker-5"))
    delivery.settle_drops(6, Dropped(2, NOON, NOON, False, "Worker-6"))
    moments = [
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(NOON + seconds)) for seconds in (0, 5)
    ]
    assert lines_of(tmp_path) == [
        f"WARNING process 5 (Worker-5) dropped 3 records between {moments[0]} and {moments[1]}:"
        " the journal was full",
        f"WARNING process 6 (Worker-6) dropped 2 records between {moments[0]} and {moments[0]}:"
        " the journal was full",
    ]
    assert delivery.counts["dropped"] == 5


@pytest.mark.parametrize("reported", [0, 2, 3, 7, 12])
def test_dropped_by_two_processes_of_one_pid(file, reported):
    """The whole is what both counted, however much of it had been reported."""
    delivery = Delivery(file)
    if reported:
        dropped = Dropped(reported, NOON, NOON, False, "W")
        delivery.deliver(events(Message(DROPPED, 5, NOON, dropped.dump())))
    for count in (3, 9):
        delivery.settle_drops(5, Dropped(count, NOON, NOON, False, "W"))
    assert delivery.counts["dropped"] == 12


def test_sum_up(tmp_path, file):
    """At the end: how often what happened more than once, and what each handler left undone."""
    slow, raising = Side(logging.NullHandler()), Side(logging.NullHandler())
    slow.dropped, raising.failed = 4, 5
    delivery = Delivery(file, [slow, raising])
    delivery.counts.update({"failed": 2, "corrupt": 1})
    delivery.sum_up()
    delivery.sum_up_handlers({"<Console>": 6})
    null = repr(slow.handler)
    assert lines_of(tmp_path) == [
        "WARNING 2 in all: failed",
        f"WARNING 4 records were dropped because {null} was too slow",
        f"WARNING {null} raised on 5 records",
        "WARNING <Console> did not finish in time: 6 records are left",
    ]


def test_nothing_to_sum_up(tmp_path, file):
    """An end without mishaps says nothing."""
    delivery = Delivery(file, [Side()])
    delivery.sum_up()
    delivery.sum_up_handlers({})
    assert lines_of(tmp_path) == []


def test_last_resort(capsys):
    """Where there is no handler at all, warnings go to stderr as logging does it."""
    delivery = Delivery(None, [LastResort()])
    quiet, loud = record("quiet"), record("loud", levelno=logging.ERROR, exc_info=None)
    delivery.deliver(events(sent(quiet, None), sent(loud, None)))
    assert capsys.readouterr().err == "loud\n"


def test_dropped_because_the_log_was_at_fault(tmp_path, file):
    """That is another count, and another word."""
    delivery = Delivery(file)
    delivery.settle_drops(5, Dropped(3, NOON, NOON, True, "W"))
    assert lines_of(tmp_path)[0].endswith(": the log could not be written")
    assert (delivery.counts["lost"], delivery.counts["dropped"]) == (3, 0)


def test_a_record_that_nobody_takes_is_not_unpickled(tmp_path, file):
    """It might run code of a program's that is dead."""
    payload = join_record(b"line\n", b"no pickle")
    Delivery(file).offer(Message(RECORD, 7, NOON, payload))
    Delivery(file).take(Message(RECORD, 7, NOON, payload))
    assert lines_of(tmp_path) == []


def test_what_another_thread_has_written(file):
    """It counts once it is absorbed."""
    delivery = Delivery(file)
    delivery.add_written(5)
    delivery.add_written(6)
    assert delivery.counts == {}
    delivery.absorb()
    delivery.absorb()
    assert delivery.counts == {"records": 2, "bytes": 11}
