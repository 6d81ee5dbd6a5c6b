"""`DatedFileHandler` as its users meet it: alone, in threads, forked, in unrelated programs."""

from __future__ import annotations

import collections
import copy
import datetime
import gc
import gzip
import json
import logging
import logging.config
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import eventually, needs_proc, texts
from programs import FORMAT, end, record, start

import mplogging
from mplogging import ConfigError, DatedFileHandler
from mplogging._event import Event
from mplogging._file.appending import AppendFile

DAY = 86_400
NOON = 1_000_000_000 - 1_000_000_000 % DAY + DAY // 2  # 2001-09-09 12:00 UTC


@pytest.fixture
def make(tmp_path):
    """Makes handlers for app.log that are closed at the end."""
    made = []

    def make_one(filename="app.log", **options):
        options = {"utc": True, "delay": True, **options}
        made.append(DatedFileHandler(tmp_path / filename, **options))
        made[-1].setFormatter(logging.Formatter("%(message)s"))
        return made[-1]

    yield make_one
    for handler in made:
        handler.close()


@pytest.fixture
def errors(capsys):
    """What went to stderr since the last call."""
    return lambda: capsys.readouterr().err


def log(handler, text, created=NOON):
    handler.handle(record(text, created))


# Which file


def test_the_records_own_time_names_the_file(tmp_path, make):
    """Not the clock, nor the order: a late record reaches its own period's file."""
    handler = make()
    for text, created in (("a", NOON), ("b", NOON + DAY), ("late", NOON), ("c", NOON + DAY)):
        log(handler, text, created)
    assert texts(tmp_path) == {
        "app.log.2001-09-09": "a\nlate\n", "app.log.2001-09-10": "b\nc\n",
    }
    assert handler.late == 1


def test_the_current_file_stays_open_while_late_records_come(tmp_path, make):
    """The newest period's descriptor serves on, whatever comes late."""
    handler = make()
    log(handler, "new", NOON + 5 * DAY)
    newest = handler._series.file_of(NOON + 5 * DAY)
    for day in (0, 1, 2, 0):
        log(handler, "late", NOON + day * DAY)
    assert handler._series.file_of(NOON + 5 * DAY) is newest
    assert len(list(handler._series._open_files)) == 2


def test_lines_come_in_batches(tmp_path, make):
    """`_write` takes whole lines of one period."""
    handler = make()
    handler._write(NOON, [b"one\n", b"two\n"])
    handler._write(NOON, [b"three\n"])
    assert texts(tmp_path) == {"app.log.2001-09-09": "one\ntwo\nthree\n"}


@pytest.mark.parametrize(
    "filename, name",
    [("app-%Y-%m-%d.log", "app-2001-09-09.log"), ("%Y/%m/app-%d.log", "2001/09/app-09.log")],
)
def test_directives_place_the_date(tmp_path, make, filename, name):
    """Directories are made as needed."""
    log(make(filename), "a")
    assert texts(tmp_path) == {name: "a\n"}


def test_a_suffix_of_ones_own(tmp_path, make):
    """Retention follows it without being told."""
    handler = make(suffix="%Y%m%d.txt", backupCount=1)
    for day in range(4):
        log(handler, "a", NOON + day * DAY)
    assert set(texts(tmp_path)) == {"app.log.20010911.txt", "app.log.20010912.txt"}


@pytest.mark.parametrize("timezone, moment, name", [
    ("Europe/Berlin", 1_711_846_799, "2024-03-31"),  # 01:59:59, before the hour is skipped
    ("Europe/Berlin", 1_729_987_200, "2024-10-27"),  # the day of 25 hours
    ("Europe/Berlin", 1_730_070_000, "2024-10-28"),
    ("Australia/Lord_Howe", 1_712_407_500, "2024-04-06"),
    ("Pacific/Apia", 1_325_239_199, "2011-12-29"),
    ("Pacific/Apia", 1_325_239_200, "2011-12-31"),  # there was no 30th
    ("Asia/Kolkata", 1_700_000_000, "2023-11-15"),
    ("America/Sao_Paulo", 1_541_300_400, "2018-11-04"),  # midnight was skipped
    ("America/New_York", 1_730_606_399, "2024-11-02"),
])
def test_local_days(tmp_path, timezone, moment, name):
    """The local calendar's day, in zones with every kind of peculiarity."""
    end(start("log_at", timezone, filename=tmp_path / "app.log", moments=[moment],
              options={"delay": True}))
    assert set(texts(tmp_path)) == {f"app.log.{name}"}


@pytest.fixture
def zone(monkeypatch):
    """Sets the time zone; it is put back."""

    def set_zone(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    set_zone("UTC")
    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("options", [{}, {"maxBytes": 1000}, {"backupCount": 9, "symlink": True}])
def test_the_zone_is_set_while_the_file_is_open(tmp_path, make, zone, options):
    """`time.tzset()`: the next line goes to the file that the new zone has it in."""
    handler = make(utc=False, **options)
    in_utc = make("utc.log", utc=True)
    evening = NOON + 8 * 3600
    for number, name in enumerate(("UTC", "Pacific/Auckland", "UTC", "Pacific/Auckland")):
        zone(name)
        log(handler, str(number), evening)
        log(in_utc, str(number), evening)
        day = time.localtime(evening).tm_mday
        assert handler._bounds(evening)[0] % DAY == (0 if day == 9 else DAY // 2)
    assert texts(tmp_path) == {
        "app.log.2001-09-09": "0\n2\n", "app.log.2001-09-10": "1\n3\n",
        "utc.log.2001-09-09": "0\n1\n2\n3\n",
    }


def test_the_zone_is_set_while_lines_wait(tmp_path, make, zone):
    """They go where their own time is, in the zone that is now."""
    handler = make(utc=False)
    handler.handleError = lambda record: None
    (tmp_path / "app.log.2001-09-09").mkdir()
    log(handler, "evening", NOON + 8 * 3600)
    zone("Pacific/Auckland")
    handler.flush()
    (tmp_path / "app.log.2001-09-09").rmdir()
    assert texts(tmp_path) == {"app.log.2001-09-10": "evening\n"}


def test_a_part_goes_on_where_a_file_is_full(tmp_path, make):
    """`maxBytes`: ".1", ".2", …; a line that is longer by itself is written whole."""
    handler = make(maxBytes=10)
    for text in ("aaaa", "bbbb", "cccc", "d" * 30, "ee"):
        log(handler, text)
    handler._write(NOON, [b"ffff\n", b"gggg\n", b"hhhh\n"])
    assert texts(tmp_path) == {
        "app.log.2001-09-09": "aaaa\nbbbb\n",
        "app.log.2001-09-09.1": "cccc\n",
        "app.log.2001-09-09.2": "d" * 30 + "\n",
        "app.log.2001-09-09.3": "ee\nffff\n",
        "app.log.2001-09-09.4": "gggg\nhhhh\n",
    }
    log(make(maxBytes=10), "i")  # another handler begins with the last part
    assert texts(tmp_path)["app.log.2001-09-09.5"] == "i\n"
    assert make(maxBytes=10).activeFilename.startswith(str(tmp_path / "app.log."))


def test_a_new_part_costs_the_same_however_many_there_are(tmp_path, make, monkeypatch):
    """The directory is not listed for it, unless another program has changed it."""
    handler = make(maxBytes=10)
    for _ in range(3):
        log(handler, "123456789")
    monkeypatch.setattr(os, "scandir", lambda path: pytest.fail("lists the directory"))
    for _ in range(100):
        log(handler, "123456789")
    monkeypatch.undo()
    assert len(texts(tmp_path)) == 103
    (tmp_path / "app.log.2001-09-09.500").touch()
    log(handler, "a")
    assert texts(tmp_path)["app.log.2001-09-09.500"] == "a\n"


# Threads, signals, forks, other programs


def test_late_lines_in_several_parts(tmp_path, make):
    """Each is counted, whichever part it came to stand in."""
    handler = make(maxBytes=6)
    log(handler, "newest")
    handler._write(NOON - DAY, [b"%d\n" % number for number in range(7)])
    assert handler.late == 7
    assert len(texts(tmp_path)) == 1 + 3


@pytest.mark.parametrize("looks", [True, False])
def test_parts_that_another_program_has_gone_on_to(tmp_path, make, monkeypatch, looks):
    """The one that logs least follows to the newest, and brings none back."""
    monkeypatch.setattr("mplogging._file.appending.LOOK_INTERVAL", 0.0 if looks else 60.0)
    slow, other = make(maxBytes=10), make(maxBytes=10)
    log(slow, "a")
    for _ in range(4):
        log(other, "123456789")
    if not looks:
        (tmp_path / "app.log.2001-09-09.1").unlink()  # as retention does
    for _ in range(6):
        log(slow, "b")
    parts = texts(tmp_path)
    assert parts.pop("app.log.2001-09-09") == ("a\n" if looks else "a\n" + "b\n" * 4)
    assert parts == {
        **{f"app.log.2001-09-09.{part}": "123456789\n" for part in (1, 2, 3, 4)[not looks:]},
        "app.log.2001-09-09.5": "b\n" * (5 if looks else 2),
        **({"app.log.2001-09-09.6": "b\n"} if looks else {}),
    }


def test_threads(tmp_path, make):
    """Each line whole and once, each thread's in order."""
    handler = make()

    def work(tag):
        for number in range(300):
            log(handler, f"{tag} {number}")

    threads = [threading.Thread(target=work, args=(tag,)) for tag in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = texts(tmp_path)["app.log.2001-09-09"].splitlines()
    for tag in "abcd":
        assert [x for x in lines if x[0] == tag] == [f"{tag} {n}" for n in range(300)]
    assert len(lines) == 1200


def test_two_handlers_of_one_file(tmp_path, make):
    """They share nothing but the file, its parts and its lock."""
    one, other = make(maxBytes=1000), make(maxBytes=1000)

    def work(handler, tag):
        for number in range(300):
            log(handler, f"{tag} {number}")

    threads = [threading.Thread(target=work, args=pair) for pair in ((one, "a"), (other, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = texts(tmp_path)
    assert sorted("".join(files.values()).splitlines()) == sorted(
        f"{tag} {n}" for tag in "ab" for n in range(300)
    )
    assert all(len(text) <= 1000 for text in files.values())


def test_programs_that_fill_parts_together(tmp_path):
    """They share a part's lock until it is nearly full, and yet none grows too large."""
    tags, count, size = "abcd", 3000, 100_000
    programs = [
        start(
            "write", filename=tmp_path / "app.log", tag=tag, count=count, created=NOON,
            options={"utc": True, "maxBytes": size},
        )
        for tag in tags
    ]  # fmt: skip
    for program in programs:
        program.stdout.readline()
    for program in programs:
        program.stdin.write("go\n")
        program.stdin.flush()
    for program in programs:
        end(program)
    files = texts(tmp_path)
    assert all(len(text) <= size for text in files.values()), {n: len(files[n]) for n in files}
    ordered = sorted(files, key=lambda name: (len(name), name))
    lines = "".join(files[name] for name in ordered).splitlines()
    for tag in tags:
        numbers = [int(line.split()[2]) for line in lines if line.split()[1] == tag]
        assert numbers == list(range(count)), tag
    assert len(lines) == len(tags) * count


def test_a_part_that_others_have_gone_on_from(tmp_path, make):
    """Whoever logs least does not bring back the parts in between, which are deleted."""
    handler = make(maxBytes=10)
    log(handler, "12345678")
    (tmp_path / "app.log.2001-09-09.3").write_text("x\n")
    log(handler, "abcd")
    handler.close()
    assert texts(tmp_path) == {
        "app.log.2001-09-09": "12345678\n", "app.log.2001-09-09.3": "x\nabcd\n",
    }


def test_a_signal_handler_logs_in_the_midst_of_a_write(tmp_path, make, monkeypatch):
    """Its line waits for the interrupted write, and no longer."""
    handler = make()
    log(handler, "before")
    file = handler._series.file_of(NOON)
    append = file.append

    def interrupted(chunks):
        monkeypatch.setattr(file, "append", append)
        signal.raise_signal(signal.SIGUSR1)
        append(chunks)
        signal.raise_signal(signal.SIGUSR1)

    monkeypatch.setattr(file, "append", interrupted)
    previous = signal.signal(signal.SIGUSR1, lambda *_: (log(handler, "signal"), handler.flush()))
    try:
        log(handler, "interrupted")
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert texts(tmp_path) == {"app.log.2001-09-09": "before\ninterrupted\nsignal\nsignal\n"}
    assert handler.waiting == 0


def test_a_signal_handler_logs_at_the_very_end_of_a_write(tmp_path, make, monkeypatch):
    """When the last look has found no more lines, and it still counts as writing."""
    handler = make()
    log(handler, "before")
    backlog = handler._backlog
    file = handler._series.file_of(NOON)
    append = file.append
    texts_to_come = ["second", "third"]

    class Interrupting(collections.deque):
        def __bool__(self):
            length = len(self)
            if not length and backlog.is_writing and texts_to_come:
                log(handler, texts_to_come.pop(0))
            return length > 0

    def interrupted(*arguments):
        monkeypatch.setattr(file, "append", append)
        append(*arguments)
        log(handler, "first")

    backlog._interrupting = Interrupting()
    monkeypatch.setattr(file, "append", interrupted)
    log(handler, "interrupted")
    assert texts(tmp_path) == {
        "app.log.2001-09-09": "before\ninterrupted\nfirst\nsecond\nthird\n"
    }


@pytest.mark.parametrize("created", [NOON, NOON - DAY])
def test_a_signal_handler_closes_in_the_midst_of_a_write(tmp_path, make, monkeypatch, created):
    """The write keeps its file; logging goes on."""
    handler = make()
    log(handler, "newest")
    log(handler, "before", created)
    file = handler._series.file_of(created)
    append = file.append

    def interrupted(chunks, announce=None):
        handler.close()
        handler.open()
        append(chunks, announce)

    monkeypatch.setattr(file, "append", interrupted)
    log(handler, "interrupted", created)
    log(handler, "after", created)
    text = "before\ninterrupted\nafter\n"
    if created == NOON:
        assert texts(tmp_path) == {"app.log.2001-09-09": "newest\n" + text}
    else:
        assert texts(tmp_path) == {"app.log.2001-09-09": "newest\n", "app.log.2001-09-08": text}


@pytest.mark.parametrize("created", [NOON, NOON - DAY])
@pytest.mark.parametrize("lock", [True, False])
def test_an_interrupt_while_a_file_is_closed(tmp_path, make, monkeypatch, lock, created):
    """KeyboardInterrupt as the file that was removed is left: the next line has a new one."""
    handler = make(lock=lock)
    log(handler, "newest")
    log(handler, "before", created)
    file, closed = handler._series.file_of(created), AppendFile.close
    (tmp_path / os.path.basename(file.path)).unlink()
    file._look_due = 0.0

    def interrupted(file):
        closed(file)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(AppendFile, "close", interrupted)
    with pytest.raises(KeyboardInterrupt):
        log(handler, "interrupted", created)
    log(handler, "after", created)
    assert texts(tmp_path)[os.path.basename(file.path)] == "after\n"


def test_an_interrupt_gives_the_lock_back(tmp_path, make, monkeypatch):
    """KeyboardInterrupt within the write: the next writer does not wait."""
    handler, other = make(), make(lockTimeout=60)
    log(handler, "a")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mplogging._file.appending.AppendFile._look", interrupted)
    handler._series.file_of(NOON)._look_due = 0.0
    with pytest.raises(KeyboardInterrupt):
        log(handler, "b")
    monkeypatch.undo()
    log(other, "c")
    log(handler, "d")
    assert texts(tmp_path) == {"app.log.2001-09-09": "a\nc\nd\n"}


@pytest.mark.parametrize("options", [{}, {"compress": "gz", "when": "S"}])
def test_forks_while_threads_log(tmp_path, options):
    """No child hangs, and nothing is written twice."""
    output, _ = end(start(
        "fork_while_threads_log", filename=tmp_path / "app.log", forks=60, options=options
    ))
    result = json.loads(output)
    assert set(result["statuses"]) == {0}
    lines = collections.Counter(
        line.split(" ", 1)[1] for text in texts(tmp_path).values() for line in text.splitlines()
    )
    expected = [f"{tag} {n}" for tag, count in result["counts"].items() for n in range(count)]
    assert lines == collections.Counter(expected + [f"child {n}" for n in range(60)])


def test_a_fork_does_not_share_the_parents_lock(tmp_path, make):
    """The child, which would get in with the parent's descriptor, waits for the parent."""
    handler = make(lockTimeout=0.1)
    log(handler, "parent")
    file = handler._series.file_of(NOON)
    assert file._lock.acquire(file.descriptor) and file._lock.upgrade(file.descriptor)
    child = os.fork()
    if child == 0:
        is_locked = True
        try:
            own = handler._series.file_of(NOON)
            is_locked = own._lock.acquire(own.descriptor)
        finally:
            os._exit(int(is_locked))
    assert os.waitpid(child, 0)[1] == 0
    # And the child's end has not given the lock away.
    other = make(lockTimeout=0.0)._series.file_of(NOON)
    assert not other._lock.acquire(other.descriptor)
    file._lock.release(file.descriptor)


def ended(programs):
    for program in programs:
        assert program.stdout.readline() == "ready\n", program.stderr.read()
    for program in programs:
        program.stdin.write("go\n")
        program.stdin.flush()
    for program in programs:
        end(program)


def check_lines(directory, tags, count):
    """Every line of `programs.write` is there once, whole, in order, in its second's file."""
    seen = {tag: [] for tag in tags}
    for name, text in texts(directory).items():
        assert text.endswith("\n")
        for line in text.splitlines():
            created, tag, number, wide = line.split(" ")
            assert wide == "x" * 40
            second = time.strftime("%Y-%m-%d_%H-%M-%S", time.gmtime(float(created)))
            assert name.startswith(f"app.log.{second}")
            seen[tag].append(int(number))
    assert {tag: sorted(numbers) for tag, numbers in seen.items()} == {
        tag: list(range(count)) for tag in tags
    }


@pytest.mark.parametrize("options", [{}, {"maxBytes": 5000}, {"symlink": True}])
def test_unrelated_programs_by_injected_time(tmp_path, options):
    """Four of them over eight rollovers: nothing lost, doubled, torn or misfiled."""
    options = {"when": "S", "delay": True, **options}
    ended([
        start("write", filename=tmp_path / "app.log", tag=tag, count=2000, created=NOON,
              step=0.004, options=options)
        for tag in "abcd"
    ])
    check_lines(tmp_path, "abcd", 2000)
    if "maxBytes" in options:
        assert all(len(text) <= 5000 for text in texts(tmp_path).values())
    if "symlink" in options:
        assert os.readlink(tmp_path / "app.log") == "app.log." + time.strftime(
            "%Y-%m-%d_%H-%M-%S", time.gmtime(NOON + 1999 * 0.004))


def test_unrelated_programs_by_the_clock(tmp_path):
    """The same by the real clock, over five rollovers."""
    ended([
        start("write", filename=tmp_path / "app.log", tag=tag, count=1040, step=0.005,
              options={"when": "S", "delay": True})
        for tag in "abcd"
    ])
    check_lines(tmp_path, "abcd", 1040)
    assert len(texts(tmp_path)) >= 6


def all_lines(directory):
    """Every line below the directory, those of compressed files too."""
    lines = []
    for path in sorted(directory.iterdir()):
        if path.is_symlink() or path.name.endswith(".tmp"):
            continue
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        assert text == "" or text.endswith("\n"), path
        lines += text.splitlines()
    return lines


def kill_one_of_four(directory, kills, options):
    """Four programs write; one of them is killed and started again, over and over."""
    logs, ledger = directory / "logs", directory / "ledger"
    options = {"when": "S", "symlink": True, "lockTimeout": 30, **options}
    arguments = {"filename": logs / "app.log", "ledger": ledger, "options": options}
    others = [start("write_until_told", tag=tag, **arguments) for tag in "abc"]
    chance = random.Random(3)
    for number in range(kills):
        tag = f"v{number}"
        victim = start("write_until_killed", tag=tag, **arguments)
        eventually(lambda tag=tag: ledger.exists() and f"{tag} " in ledger.read_text())
        time.sleep(chance.random() * 0.1)
        victim.send_signal(signal.SIGKILL)
        end(victim, -signal.SIGKILL)
    for other in others:
        end(other)
    finisher = DatedFileHandler(logs / "app.log", **options)  # after a kill, tidies up
    if finisher._compressor is not None:
        finisher._compressor.stop()
        finisher._compressor._stopping = Event()  # it goes on by hand
        eventually(finisher._compressor.compress_finished, 20)
    finisher.close()
    lines = collections.Counter(line.split(" ", 1)[1] for line in all_lines(logs))
    assert all(line.endswith(" " + "x" * 40) for line in lines)
    assert set(lines.values()) == {1}
    written = {line[:-41] for line in lines}
    accepted = set(ledger.read_text().splitlines())
    assert accepted <= written
    # What a killed program had written and could no longer tell: one line a kill at most.
    assert len(written - accepted) <= kills
    assert not [name for name in os.listdir(logs) if name.endswith(".tmp")]


def test_killed_programs(tmp_path):
    """SIGKILL at random moments, compression and retention running: nothing lost or torn."""
    kill_one_of_four(tmp_path, 15, {"compress": "gz", "compressAfter": 0.2, "backupCount": 1000})


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_killed_programs_for_long(tmp_path):
    """The same with a hundred kills."""
    kill_one_of_four(tmp_path, 100, {"compress": "gz", "compressAfter": 0.2, "backupCount": 1000})


# The file taken away


def test_a_removed_file_comes_back(tmp_path, make):
    """`rm`, logrotate's move, the directory's removal: noticed soon, without a stat a record."""
    handler = make("logs/app.log")
    path = tmp_path / "logs" / "app.log.2001-09-09"

    def again(text):
        log(handler, text)
        return path.exists()

    log(handler, "a")
    path.unlink()
    eventually(lambda: again("b"))
    path.rename(path.with_name("moved"))
    eventually(lambda: again("c"))
    path.unlink()
    path.with_name("moved").unlink()
    path.parent.rmdir()
    eventually(lambda: again("d"))
    assert set(texts(tmp_path)) == {"logs/app.log.2001-09-09"}
    assert set(texts(tmp_path)["logs/app.log.2001-09-09"].splitlines()) == {"d"}


# Settings

UTC = datetime.timezone.utc
BAD = {
    "filename": [None, 3, b"app.log", "", "logs/", "a\0b", "app-%Q.log", "app-%d.log"],
    "when": [None, 7, "", "midday", "W7"],
    "interval": [0, -1, 1.5, "1x", True, None],
    "backupCount": [-1, 1.5, "-7", "", True, None],
    "encoding": ["utf-99", 8, "base64"],
    "delay": ["no", 2, "False"],
    "utc": ["no", 2, "False"],
    "atTime": ["12:00", 12, datetime.time(1, 2, 3, 4), datetime.time(1, tzinfo=UTC)],
    "errors": ["nonsense", 3],
    "suffix": [3, "%Q", "a/b", "%H"],
    "maxAge": [-1, "7d", True, None, float("nan"), float("inf"), datetime.timedelta(-1)],
    "maxTotalBytes": [-1, 1.5, "1G", None],
    "maxBytes": [-1, 1.5, "1M", None],
    "compress": ["bz2", True, "", 3],
    "compressAfter": [-1, 0, "1h", None, float("inf"), float("nan")],
    "symlink": [None, 3, "", ".", "a\0b"],
    "mode": [-1, "0640", 0o10000, True, 600, 640, 644, 660, 664, 666],
    "dirMode": [-1, "0750", 0o10000, True, 700, 750, 755, 770, 775, 777, 1777, 2770, 2775],
    "lock": ["no", 2, None],
    "lockTimeout": [-1, "5", None, float("inf"), float("nan")],
    "bufferBytes": [-1, 1.5, "64M", None],
    "newlines": [None, "", "strip"],
}


def test_every_argument_has_bad_values():
    """The table above leaves out none of the constructor's."""
    import inspect

    assert set(BAD) == set(inspect.signature(DatedFileHandler).parameters)


@pytest.mark.parametrize("name, value", [(n, v) for n, values in BAD.items() for v in values])
def test_bad_arguments(tmp_path, monkeypatch, name, value):
    """Each is refused with its name and value, before anything is made."""
    monkeypatch.chdir(tmp_path)
    options = {"filename": "logs/app.log", name: value}
    if name == "compressAfter":
        options["compress"] = "gz"
    with pytest.raises(ConfigError) as caught:
        DatedFileHandler(**options)
    assert name in str(caught.value)
    assert repr(value) in str(caught.value) or value == "app-%Q.log"  # it names the whole path
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options, words", [
    ({"compress": "gz", "lock": False}, "lock"),
    ({"symlink": True, "filename": "app-%Y-%m-%d.log"}, "symlink"),
    ({"symlink": "app.log.2001-09-09"}, "symlink"),
    ({"when": "H", "atTime": datetime.time(1)}, "atTime"),
    ({"when": "H", "filename": "app-%Y-%m-%d.log"}, "filename"),
    ({"suffix": "%Y", "filename": "app-%Y-%m-%d.log"}, "suffix"),
])
def test_arguments_that_do_not_go_together(tmp_path, monkeypatch, options, words):
    """Said by name, too."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=words):
        DatedFileHandler(**{"filename": "app.log", **options})
    assert not list(tmp_path.iterdir())


def test_the_arguments_of_the_standard_handler(tmp_path, monkeypatch):
    """Positional, as `TimedRotatingFileHandler` takes them, with a path of either kind."""
    monkeypatch.chdir(tmp_path)
    handler = DatedFileHandler(
        Path("app.log"), "w0", 2, 7, None, True, True, datetime.time(3), None
    )
    assert (handler.when, handler.interval, handler.backupCount) == ("W0", 2, 7)
    assert handler.baseFilename == str(tmp_path / "app.log")
    assert not list(tmp_path.iterdir())
    handler.close()


def test_modes(tmp_path, make):
    """`mode` and `dirMode` hold whatever the umask; without them it decides."""
    for umask in (0, 0o077):
        previous = os.umask(umask)
        try:
            log(make(f"a{umask}/b/app.log", mode=0o640, dirMode=0o751), "a")
            log(make(f"c{umask}/app.log"), "a")
        finally:
            os.umask(previous)
        modes = {
            str(path.relative_to(tmp_path)): path.stat().st_mode & 0o777
            for path in tmp_path.rglob(f"*{umask}*/**/*")
        }
        assert modes[f"a{umask}/b"] == 0o751
        assert modes[f"a{umask}/b/app.log.2001-09-09"] == 0o640
        assert modes[f"c{umask}/app.log.2001-09-09"] == 0o666 & ~umask


def test_pickling(tmp_path, make, monkeypatch):
    """A copy, in whatever directory it wakes, writes to the same files in the same way."""
    monkeypatch.chdir(tmp_path)
    handler = DatedFileHandler("app.log", utc=True, delay=True, symlink="now", maxBytes=30)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("<%(message)s>"))
    handler.name = "mine"
    log(handler, "one")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for number, twin in enumerate((pickle.loads(pickle.dumps(handler)), copy.copy(handler))):
        assert (twin.level, twin.maxBytes, twin.name) == (logging.WARNING, 30, None)
        log(twin, str(number))
        twin.close()
    handler.close()
    assert texts(tmp_path) == {"app.log.2001-09-09": "<one>\n<0>\n<1>\n"}
    assert os.readlink(tmp_path / "now") == "app.log.2001-09-09"
    assert not list((tmp_path / "elsewhere").iterdir())


def test_dict_config(tmp_path, no_other_handlers):
    """With names of classes and arguments, as configurations are written."""
    logging.config.dictConfig({
        "version": 1, "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "%(levelname)s %(message)s"}},
        "handlers": {"file": {
            "class": "mplogging.DatedFileHandler", "formatter": "plain", "level": "INFO",
            "filename": str(tmp_path / "app.log"), "when": "midnight", "backupCount": 3,
            "mode": 0o640,
        }},
        "loggers": {"ours": {"handlers": ["file"], "level": "DEBUG", "propagate": False}},
    })
    logger = logging.getLogger("ours")
    logger.info("hello")
    logger.debug("not this")
    [handler] = logger.handlers
    logger.removeHandler(handler)
    assert texts(tmp_path) == {os.path.basename(handler.activeFilename): "INFO hello\n"}
    handler.close()


def test_file_config_and_shutdown(tmp_path):
    """`fileConfig` in a program that only ends: all is in the file."""
    (tmp_path / "logging.ini").write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=file\n[formatters]\nkeys=plain\n"
        "[logger_root]\nlevel=INFO\nhandlers=file\n"
        "[handler_file]\nclass=mplogging.DatedFileHandler\nformatter=plain\n"
        f"args=({str(tmp_path / 'logs' / 'app.log')!r}, 'D')\nkwargs={{'utc': True}}\n"
        "[formatter_plain]\nformat=%(message)s\n"
    )
    program = (
        "import logging, logging.config, sys\n"
        "logging.config.fileConfig(sys.argv[1])\n"
        "logging.info('hello')\n"
        "[handler] = logging.getLogger().handlers\n"
        "print(handler.baseFilename, hasattr(handler, 'stream'))\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path / "logging.ini")],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
        capture_output=True, text=True, timeout=60,
    )
    assert (result.stderr, result.returncode) == ("", 0)
    assert result.stdout == f"{tmp_path / 'logs' / 'app.log'} False\n"
    assert list(texts(tmp_path / "logs").values()) == ["hello\n"]


def test_closing(tmp_path, make):
    """Twice does nothing; a record after it opens the file again; so does none."""
    handler = make()
    handler.close()
    assert not texts(tmp_path)
    log(handler, "a")
    handler.close()
    handler.close()
    handler.flush()
    log(handler, "b")
    handler.close()
    assert texts(tmp_path) == {"app.log.2001-09-09": "a\nb\n"}


@pytest.mark.parametrize("option", ["", "'compress': 'gz'", "'maxBytes': 9", "'symlink': True"])
@pytest.mark.parametrize("is_delayed, is_used", [(True, False), (True, True), (False, True)])
def test_an_object_that_logs_as_it_goes(tmp_path, option, is_delayed, is_used):
    """From `__del__`, when the interpreter is ending and `logging.shutdown` has closed all."""
    program = (
        "import logging, sys, mplogging\n"
        "class Late:\n"
        "    def __init__(self): self.log = logging.getLogger()\n"
        "    def __del__(self):\n"
        "        for text in ('one', 'two'): self.log.warning('late %s', text)\n"
        f"handler = mplogging.DatedFileHandler(sys.argv[1], delay={is_delayed}, **{{{option}}})\n"
        "handler.setFormatter(logging.Formatter('%(asctime)s %(message)s'))\n"
        "logging.getLogger().addHandler(handler)\n"
        f"if {is_used}: logging.warning('early')\n"
        "late = Late()\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path / "logs" / "app.log")],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
        capture_output=True, text=True, timeout=60,
    )
    assert (result.stderr, result.returncode) == ("", 0)
    lines = "".join(text for _, text in sorted(texts(tmp_path / "logs").items())).splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == ["early"] * is_used + [
        "late one", "late two",
    ]


@needs_proc
def test_a_handler_that_nobody_closes(tmp_path):
    """Its descriptor goes with it, as that of a `FileHandler` does."""
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        log(DatedFileHandler(tmp_path / "app.log", utc=True, delay=True), "a")
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_delay(tmp_path):
    """Without it the file is there at once, as with the standard handlers."""
    handler = DatedFileHandler(tmp_path / "app.log", utc=True)
    assert texts(tmp_path) == {os.path.basename(handler.activeFilename): ""}
    handler.close()


def test_an_impossible_directory(tmp_path, errors, make):
    """The constructor raises; with `delay`, the lines wait and it is reported once."""
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(OSError):
        DatedFileHandler(tmp_path / "logs" / "app.log")
    handler = make("logs/app.log")
    log(handler, "one")
    log(handler, "two")
    handler.flush()
    log(handler, "three")
    assert handler.waiting == 3
    assert errors().count("Message:") == 1
    (tmp_path / "logs").unlink()
    handler.flush()
    assert texts(tmp_path) == {"logs/app.log.2001-09-09": "one\ntwo\nthree\n"}


def test_a_link_to_nowhere_for_a_directory(tmp_path, errors, make):
    """Neither open nor mkdir can work: an error, not an endless loop."""
    (tmp_path / "logs").symlink_to(tmp_path / "nowhere")
    handler = make("logs/app.log")
    log(handler, "one")
    assert handler.waiting == 1
    (tmp_path / "nowhere").mkdir()
    handler.flush()
    assert texts(tmp_path) == {"nowhere/app.log.2001-09-09": "one\n"}


def test_bad_records_do_not_disturb_others(tmp_path, make, errors):
    """What can't be formatted, dated or encoded goes to `handleError`, and nothing else."""
    handler = make(errors="strict")
    log(handler, "a")
    handler.handle(logging.makeLogRecord({"msg": "%d", "args": ("x",), "created": NOON}))
    handler.handle(record("nan", float("nan")))
    handler.handle(record("far", 1e18))
    log(handler, "\udcff")
    log(handler, "b")
    assert texts(tmp_path) == {"app.log.2001-09-09": "a\nb\n"}
    assert errors().count("--- Logging error ---") == 4


def test_a_format_method_of_a_subclass(tmp_path):
    """`Handler.format` may be overridden, as with any handler."""

    class Shouting(DatedFileHandler):
        def format(self, record):
            return super().format(record).upper()

    handler = Shouting(tmp_path / "app.log", utc=True, delay=True)
    log(handler, "a")
    handler.setFormatter(logging.Formatter("%(message)s!"))
    log(handler, "b")
    handler.close()
    assert texts(tmp_path) == {"app.log.2001-09-09": "A\nB!\n"}


@pytest.mark.parametrize("name", ["filter", "emit"])
def test_other_methods_of_a_subclass(tmp_path, name):
    """`filter` and `emit` too; and filters that are added."""

    def refuse(self, record):
        return False

    handler = type("Refusing", (DatedFileHandler,), {name: refuse})(
        tmp_path / "app.log", utc=True, delay=True
    )
    log(handler, "a")
    handler.close()
    assert not texts(tmp_path)


def test_a_subclass_with_a_formatter_of_its_own(tmp_path):
    """`setFormatter` overridden, and `formatter` set directly, as any handler allows."""

    class Decorating(DatedFileHandler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.mark = "!"

        def setFormatter(self, fmt):
            super().setFormatter(logging.Formatter(f"{fmt._fmt}{self.mark}"))

    handler = Decorating(tmp_path / "app.log", utc=True, delay=True)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log(handler, "a")
    handler.formatter = logging.Formatter("<%(message)s>")
    log(handler, "b")
    assert handler.formatter._fmt == "<%(message)s>"
    handler.close()
    assert texts(tmp_path) == {"app.log.2001-09-09": "a!\n<b>\n"}


def test_filters(tmp_path, make):
    """Filters of the handler hold, with whatever they do to the record."""
    handler = make()
    handler.addFilter(lambda record: record.msg != "no")
    log(handler, "yes")
    log(handler, "no")
    assert texts(tmp_path) == {"app.log.2001-09-09": "yes\n"}


def test_utf_16(tmp_path, make):
    """The byte order mark stands at the beginning of each file, and nowhere else."""
    for handler in (make(encoding="utf-16"), make(encoding="utf-16")):
        log(handler, "ä")
    assert (tmp_path / "app.log.2001-09-09").read_bytes() == "ä\nä\n".encode("utf-16")


def test_the_package_says_whose_it_is():
    """The public class is the one that is meant here."""
    assert mplogging.DatedFileHandler is DatedFileHandler
    assert FORMAT.usesTime() is False


# What is taken from configurations, and what is refused with the way out


@pytest.mark.parametrize("name, value, meant", [
    ("backupCount", "7", 7), ("backupCount", 7.0, 7), ("interval", "1", 1), ("interval", 1.0, 1),
    ("maxBytes", "1048576", 1 << 20), ("delay", None, False), ("utc", None, False),
    ("atTime", datetime.time(0), None), ("bufferBytes", 1e6, 1_000_000),
])
def test_values_out_of_text(tmp_path, name, value, meant):
    """What an INI or YAML file can't say otherwise is taken for what it plainly means."""
    options = {"utc": True, "when": "H", "delay": True, name: value}
    handler = DatedFileHandler(tmp_path / "app.log", **options)
    assert handler._settings[name] == meant
    assert getattr(handler, name, meant) == meant
    twin = pickle.loads(pickle.dumps(handler))
    assert twin._settings == {**handler._settings, "delay": True}
    handler.close()
    twin.close()


@pytest.mark.parametrize("mode", [0o600, 0o620, 0o622, 0o640, 0o644, 0o660, 0o664, 0o666, 0o222])
def test_modes_in_octal(tmp_path, mode):
    """None of those that make sense for a log is taken for a slip."""
    DatedFileHandler(tmp_path / "app.log", delay=True, mode=mode).close()


@pytest.mark.parametrize(
    "mode", [0o700, 0o750, 0o755, 0o770, 0o775, 0o777, 0o1777, 0o2770, 0o2775]
)
def test_directory_modes_in_octal(tmp_path, mode):
    """Nor of those for a directory."""
    DatedFileHandler(tmp_path / "app.log", delay=True, dirMode=mode).close()


def test_a_mode_in_decimal(tmp_path):
    """It is a slip, and what was meant is said."""
    with pytest.raises(ConfigError, match="mode must be written in octal: got 644, .* 0o644"):
        DatedFileHandler(tmp_path / "app.log", mode=644)


@pytest.mark.parametrize("kind", ["device", "fifo", "socket", "link", "link to a link", "stdout"])
def test_a_filename_that_is_no_file(tmp_path, monkeypatch, kind):
    """A device, a pipe or a link to one: no file can stand beside it."""
    path = tmp_path / "app.log"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, 0o140600)
    elif kind == "link":
        path.symlink_to("/dev/null")
    elif kind == "link to a link":
        (tmp_path / "other").symlink_to("/dev/stdout")  # wherever that leads
        path.symlink_to("other")
    else:
        path = Path({"device": "/dev/null", "stdout": "/dev/stdout"}[kind])
    before = set(os.listdir("/dev")), set(os.listdir(tmp_path))
    with pytest.raises(ConfigError, match="filename must not name a device.*StreamHandler"):
        DatedFileHandler(path)
    assert (set(os.listdir("/dev")), set(os.listdir(tmp_path))) == before


def test_a_filename_in_the_place_of_another_log(tmp_path):
    """A plain file, a link to one, or to nowhere, is what migrations find there."""
    (tmp_path / "plain.log").write_text("")
    for target in ("plain.log", "nowhere"):
        (tmp_path / "app.log").symlink_to(target)
        DatedFileHandler(tmp_path / "app.log", delay=True).close()
        (tmp_path / "app.log").unlink()
    DatedFileHandler(tmp_path / "plain.log", delay=True).close()


@pytest.mark.parametrize("name, value", [
    ("suffix", "%Y%m%d"), ("namer", lambda name: name), ("rotator", print), ("backupCount", 3),
    ("maxBytes", 5), ("extMatch", None), ("when", "H"), ("encoding", "latin-1"),
    ("stream", sys.stderr), ("terminator", "\r\n"), ("mode", "a"), ("baseFilename", "x"),
])
def test_attributes_that_come_too_late(tmp_path, name, value):
    """They would have no effect: an error that says the way out."""
    handler = DatedFileHandler(tmp_path / "app.log", delay=True)
    with pytest.raises(ConfigError, match=name):
        setattr(handler, name, value)
    if hasattr(handler, name):
        setattr(handler, name, getattr(handler, name))  # nothing is changed
    handler.own = value
    handler.close()


def test_attributes_of_dict_config(tmp_path, no_other_handlers):
    """Those under "." too."""
    configuration = {"version": 1, "handlers": {"file": {
        "class": "mplogging.DatedFileHandler", "filename": str(tmp_path / "app.log"),
        "delay": True, ".": {"suffix": "%Y%m%d"},
    }}}
    with pytest.raises(ValueError) as caught:
        logging.config.dictConfig(configuration)
    assert isinstance(caught.value.__cause__, ConfigError)
    assert "suffix" in str(caught.value.__cause__)


@pytest.mark.parametrize("name", ["namer", "rotator", "doRollover", "getFilesToDelete"])
def test_methods_that_nobody_would_call(tmp_path, name):
    """A subclass written for the standard handler is told, not ignored."""
    kind = type("Rotating", (DatedFileHandler,), {name: lambda self, *arguments: None})
    with pytest.raises(ConfigError, match=f"Rotating.{name}"):
        kind(tmp_path / "app.log", delay=True)


@pytest.mark.parametrize("name", ["filter", "format", "emit", "handle"])
def test_a_method_of_one_handler(tmp_path, name):
    """Set on the handler itself, whenever, it is obeyed as a subclass's."""
    handler = DatedFileHandler(tmp_path / "app.log", utc=True, delay=True)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log(handler, "before")
    assert handler._makes_plain_lines
    shout = {"format": lambda record: "other"}.get(name, lambda record: False)
    setattr(handler, name, shout)
    assert not handler._makes_plain_lines
    log(handler, "after")
    handler.close()
    expected = "before\nother\n" if name == "format" else "before\n"
    assert texts(tmp_path) == {"app.log.2001-09-09": expected}


def test_makes_plain_lines(tmp_path, make):
    """Not where a subclass has a say."""
    assert make()._makes_plain_lines
    for name in ("filter", "format", "emit", "handle"):
        kind = type("Own", (DatedFileHandler,), {name: lambda self, record: None})
        assert not kind(tmp_path / "app.log", delay=True)._makes_plain_lines


def test_the_descriptor(tmp_path):
    """`fileno()` is that of the present file, open; so a daemon can keep it."""
    handler = DatedFileHandler(tmp_path / "app.log", delay=True)
    descriptor = handler.fileno()
    assert os.path.samestat(os.fstat(descriptor), os.stat(handler.activeFilename))
    log(handler, "a", time.time())
    assert handler.fileno() == descriptor
    handler.close()
    with pytest.raises(OSError):
        os.fstat(descriptor)
