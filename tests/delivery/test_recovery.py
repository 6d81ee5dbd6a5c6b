"""What a session leaves when all are dead comes into its log, once, with the settings it had."""

from __future__ import annotations

import datetime
import inspect
import json
import logging
import os
import signal

import pytest

from mplogging import DatedFileHandler
from mplogging._delivery import recovery as recovery_module
from mplogging._delivery.recovery import Recovery, describe, recover
from mplogging._wire.drops import DropCount
from mplogging._wire.frames import HELLO, RECORD, Message, join_record
from mplogging._wire.note import Intent
from mplogging._wire.place import Place
from mplogging._wire.where import make_place

from .journals import DAY, NOON, TODAY, YESTERDAY, Journal, line, logs, new_file


@pytest.fixture
def left(tmp_path):
    """Makes what a dead session left: its path."""
    paths = []

    def _left(
        *messages: Message, file: DatedFileHandler | None = None, prepare=None, boot: str = ""
    ) -> str:
        place = make_place([str(tmp_path)])
        own = file or new_file(tmp_path)
        described = json.loads(describe(own, []))
        described["boot"] = boot or described["boot"]
        place.write_recovery(json.dumps(described).encode())
        own.close()
        journal = Journal(place)
        journal.add(*messages)
        if prepare is not None:
            prepare(place, journal)
        place.close()
        paths.append(place.path)
        return place.path

    yield _left
    for path in paths:
        if os.path.exists(path):
            place = Place.open(path)
            place.remove()
            place.close()


def mine(tmp_path) -> dict[str, list[str]]:
    """The log without what recovery itself says."""
    return {
        name: [text for text in lines if "were recovered that" not in text]
        for name, lines in logs(tmp_path).items()
    }


LINES = [line("1"), line("old", NOON - DAY), Message(HELLO, 7, 0.0, b"n"), line("2")]


# --- the settings -----------------------------------------------------------------------

# Every argument of DatedFileHandler but the name, with a value that is not its default.
ARGUMENTS = {
    "when": "H", "interval": 3, "backupCount": 4, "encoding": "utf-16-le", "utc": True,
    "atTime": datetime.time(3, 4, 5), "errors": "replace", "suffix": "%Y%m%d-%H",
    "maxAge": datetime.timedelta(days=2, seconds=1.5), "maxTotalBytes": 123_456,
    "maxBytes": 4567, "compress": "gz", "compressAfter": 7.5, "symlink": "current",
    "mode": 0o640, "dirMode": 0o750, "lock": "exclusive", "lockTimeout": 1.25,
    "bufferBytes": 789, "newlines": "escape",
}  # fmt: skip
WHEN = {"atTime": "midnight", "suffix": "H"}


def restored(file: DatedFileHandler) -> DatedFileHandler:
    described = json.loads(describe(file, []))
    with recovery_module._file_of(described) as made:
        return made


def test_all_arguments_are_tried():
    known = set(inspect.signature(DatedFileHandler.__init__).parameters)
    assert known - {"self", "filename", "delay"} == set(ARGUMENTS)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_settings_travel_as_json(tmp_path, name):
    """Each comes back as it was: the restored handler has the same, and makes the same lines."""
    arguments = {name: ARGUMENTS[name]}
    if name in WHEN:
        arguments["when"] = WHEN[name]
    if name == "compressAfter":
        arguments["compress"] = "gz"
    file = DatedFileHandler(tmp_path / "log", delay=True, **arguments)
    file.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M"))
    other = restored(file)
    wanted = {**file._settings, "delay": True}
    if name == "maxAge":
        wanted["maxAge"] = wanted["maxAge"].total_seconds()
    assert other._settings == wanted
    record = logging.makeLogRecord({"msg": "Ünïcode\nsecond", "created": NOON})
    assert other.line(record) == file.line(record)
    assert other.activeFilename == file.activeFilename
    file.close()


@pytest.mark.parametrize("style", ["%", "{", "$"])
def test_a_formatter_of_another_style(tmp_path, left, style):
    """Recovery's own word can be made in any case."""
    fmt = {"%": "%(message)s", "{": "{message}", "$": "${message}"}[style]
    file = new_file(tmp_path)
    file.setFormatter(logging.Formatter(fmt, style=style))
    assert recover(left(line("1"), file=file)).records == 1
    assert logs(tmp_path)[TODAY][0] == "1" and len(logs(tmp_path)[TODAY]) == 2


# --- what becomes of it -----------------------------------------------------------------


def test_it_comes_into_the_log(tmp_path, left):
    """Each line into its own day's file, with a word of it; the directory goes."""
    path = left(*LINES)
    assert recover(path) == Recovery(path, records=3)
    assert mine(tmp_path) == {TODAY: ["1", "2"], YESTERDAY: ["old"]}
    assert "3 records were recovered that a session had left in" in logs(tmp_path)[TODAY][-1]
    assert not os.path.exists(path)
    assert recover(path).problem.endswith("is over, or there never was one")


def test_nothing_was_left(tmp_path, left):
    """Then nothing is said."""
    path = left()
    assert recover(path) == Recovery(path)
    assert logs(tmp_path) == {} and not os.path.exists(path)


def test_nothing_is_unpickled(tmp_path, left):
    """A record's line is there, or its stand-in."""
    path = left(
        Message(RECORD, 7, NOON, join_record(b"line\n", b"no pickle")),
        Message(RECORD, 7, NOON, join_record(b"stand-in\n", b"no pickle", True)),
    )
    assert recover(path).records == 2
    assert mine(tmp_path) == {TODAY: ["line", "stand-in"]}


def test_drops_are_told(tmp_path, left):
    def drop(place: Place, journal: Journal) -> None:
        drops = DropCount(place)
        drops.add(NOON, False, "W")
        drops.close()

    recover(left(prepare=drop))
    assert "dropped 1 records" in logs(tmp_path)[TODAY][0]


def test_a_trial(tmp_path, left):
    """It only says how much there is."""
    path = left(*LINES)
    assert recover(path, is_trial=True).problem == "3 records to recover"
    assert logs(tmp_path) == {} and os.path.exists(path)
    assert recover(left(), is_trial=True).problem == "nothing to recover"


def test_the_log_refuses_them(tmp_path, left):
    """What could not be written stays there, and is recovered later."""
    path = left(line("1"), line("old", NOON - DAY))
    (tmp_path / YESTERDAY).mkdir()
    try:
        done = recover(path)
    finally:
        (tmp_path / YESTERDAY).rmdir()
    assert (done.records, done.left > 0) == (1, True)
    assert str(done).endswith(f"1 records recovered; {done.left} bytes could not be written,"
                              " and stay there")  # fmt: skip
    assert recover(path).records == 1
    assert mine(tmp_path) == {TODAY: ["1"], YESTERDAY: ["old"]}


def test_an_unfinished_write(tmp_path, left):
    """Its lines may be there twice only if their file is gone."""

    def intend(place: Place, journal: Journal) -> None:
        note = place.load()[0]
        start, stop = note.places[1], os.path.getsize(journal.path())
        note.intend(Intent(1, start, stop, 1, 2, 0, 4))
        place.save(note, str(tmp_path / "gone"))

    done = recover(left(line("1"), line("2"), prepare=intend))
    assert (done.records, done.doubtful) == (2, 2)
    assert "2 of them perhaps twice" in str(done)


# --- what is left alone -----------------------------------------------------------------


@pytest.mark.parametrize("what", ["try_reader_lock", "hold"])
def test_in_use(tmp_path, left, what):
    """Somebody reads it, or is attached."""
    path = left(*LINES)
    ready, say = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            place = Place.open(path)
            getattr(place, what)()
            os.write(say, b"!")
            signal.pause()
        finally:
            os._exit(0)
    os.read(ready, 1)
    os.close(ready), os.close(say)
    assert recover(path, is_forced=True) == Recovery(path, problem="in use")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert recover(path).records == 3


def test_after_another_start_of_the_machine(tmp_path, left):
    """It needs force, and is called doubtful."""
    path = left(*LINES, boot="another")
    assert "--force" in recover(path).problem and logs(tmp_path) == {}
    done = recover(path, is_forced=True)
    assert (done.records, done.doubtful) == (3, 3)
    assert mine(tmp_path) == {TODAY: ["1", "2"], YESTERDAY: ["old"]}
    assert logs(tmp_path)[TODAY][-1].endswith("(at least once: the machine crashed)")


def test_on_a_file_system_of_several_machines(tmp_path, left, monkeypatch):
    """It needs force: their locks are not seen here."""
    path = left(*LINES)
    monkeypatch.setattr(recovery_module, "is_shared_with_other_machines", lambda path: True)
    assert "--force" in recover(path).problem
    done = recover(path, is_forced=True)
    assert (done.records, done.doubtful) == (3, 0)


@pytest.mark.parametrize("described", [b"{}", b'{"version": 99}', b"[]", b"null", b"7"])
def test_another_version(left, described):
    """It is left alone, and named."""
    path = left(*LINES, prepare=lambda place, journal: place.write_recovery(described))
    for is_forced in (False, True):
        assert "another version" in recover(path, is_forced).problem
    assert os.path.exists(path)


@pytest.mark.parametrize("age", [0, 3600])
@pytest.mark.parametrize("described", [None, b"", bytes(4096), b'{"versi', b"\xff\xfe"])
def test_an_unfinished_directory(left, described, age):
    """It may be just being made; after a while it is removed."""

    def spoil(place: Place, journal: Journal) -> None:
        if described is None:
            place.unlink("recovery")
        else:
            place.write_recovery(described)

    path = left(prepare=spoil)
    then = os.stat(path).st_mtime - age
    os.utime(path, (then, then))
    problem = recover(path).problem
    assert problem == ("was never finished: removed" if age else "is just being made")
    assert os.path.exists(path) == (not age)


# --- what the machine's crash has left --------------------------------------------------


def is_sound(tmp_path, expected: list[str]) -> None:
    """The log has nothing but lines that were logged, in order, and no junk."""
    for name, lines in mine(tmp_path).items():
        data = (tmp_path / name).read_bytes()
        assert b"\0" not in data and b"\xf7" not in data and data.endswith(b"\n")
        assert [text for text in expected if text in lines] == lines


EXPECTED = [f"line {number} {'x' * (number % 5)}" for number in range(6)]


def spoil_at_every_byte(tmp_path, left, spoil) -> None:
    number = 0
    while True:
        path = left(*map(line, EXPECTED), boot="another")
        (journal,) = [f"{path}/{name}" for name in os.listdir(path) if "journal" in name]
        data = open_bytes(journal)
        if number > len(data):
            return
        with open(journal, "wb") as file:
            file.write(spoil(data, number))
        done = recover(path, is_forced=True)
        is_sound(tmp_path, EXPECTED)
        assert done.problem or not os.path.exists(path)
        for name in logs(tmp_path):
            (tmp_path / name).unlink()
        number += 1


def open_bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def test_the_journal_cut_at_every_byte(tmp_path, left):
    """What is left of it is recovered."""
    spoil_at_every_byte(tmp_path, left, lambda data, at: data[:at])


@pytest.mark.parametrize("size", [1, 16, 64])
def test_a_zeroed_page_anywhere(tmp_path, left, size):
    """Its lines are lost, and no zero comes into the log."""
    spoil_at_every_byte(
        tmp_path, left,
        lambda data, at: data[:at] + bytes(len(data[at : at + size])) + data[at + size :],
    )  # fmt: skip


def test_garbage_behind(tmp_path, left):
    """A page as it was before: no line of it comes into the log."""
    junk = os.urandom(5000).replace(b"\n", b"") + b"junk\n"
    path = left(
        *map(line, EXPECTED), boot="another",
        prepare=lambda place, journal: journal.add_bytes(junk),
    )  # fmt: skip
    assert recover(path, is_forced=True).records == len(EXPECTED)
    is_sound(tmp_path, EXPECTED)


def test_the_log_cut_at_every_byte(tmp_path, left):
    """Half a line is cut off, or is a line; what the journal has comes after it."""
    whole = b"before 0\nbefore 1\n"
    for cut in range(len(whole) + 1):
        (tmp_path / TODAY).write_bytes(whole[:cut])
        path = left(line("1"), line("2"), boot="another")
        assert recover(path, is_forced=True).records == 2
        kept = whole[:cut].decode().splitlines(keepends=True)
        assert mine(tmp_path)[TODAY] == [
            *[text[:-1] for text in kept if text.endswith("\n")], "1", "2",
        ]  # fmt: skip


@pytest.mark.parametrize("length", [0, 7, 8, 20, 48, 50, 56, 4095])
def test_a_note_that_is_cut_short(tmp_path, left, length):
    """It can't be read, or can; the directory stays if not."""
    path = left(*LINES)
    os.truncate(f"{path}/note", length)
    done = recover(path)
    assert done.problem.startswith("can't be read") == (length < 60)
    assert os.path.exists(path) == (length < 60)
    if length < 60:
        for name in os.listdir(path):
            os.unlink(f"{path}/{name}")
        os.rmdir(path)
