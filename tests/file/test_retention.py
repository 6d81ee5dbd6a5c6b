"""Old files go by number, age and size; nothing else is touched."""

from __future__ import annotations

import datetime
import errno
import logging
import os
import threading
import time

import pytest
from conftest import eventually, texts
from programs import end, start

from mplogging import DatedFileHandler

from .faults import failing

DAY = 86_400
NOON = 1_000_000_000 - 1_000_000_000 % DAY + DAY // 2  # 2001-09-09


def run(directory, days, **options):
    handler = DatedFileHandler(directory / "app.log", utc=True, delay=True, **options)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for day in days:
        handler.handle(logging.makeLogRecord({"msg": "x" * 9, "created": NOON + day * DAY}))
    handler.close()
    return kept(directory)


def kept(directory):
    """Which days have a file, counted from the first."""
    days = []
    for name in texts(directory):
        moment = datetime.datetime.strptime(name[8:18], "%Y-%m-%d")
        days.append((moment - datetime.datetime(2001, 9, 9)).days)
    return sorted(days)


@pytest.mark.parametrize("options, days", [
    ({}, [0, 1, 2, 3, 4, 5]),
    ({"backupCount": 2}, [3, 4, 5]),
    ({"maxTotalBytes": 35}, [2, 3, 4, 5]),  # when they are looked at, the newest is empty
    ({"backupCount": 5, "maxTotalBytes": 15}, [4, 5]),
    ({"backupCount": 1, "maxTotalBytes": 1000}, [4, 5]),
])
def test_by_number_and_size(tmp_path, options, days):
    """At each new period the oldest go."""
    assert run(tmp_path, range(6), **options) == days


def test_by_age(tmp_path):
    """From the period's end on; as seconds or as a timedelta."""
    for max_age in (3 * DAY, datetime.timedelta(days=3)):
        assert run(tmp_path, range(6), maxAge=max_age) == [3, 4, 5]


def test_skipped_days_do_not_count(tmp_path):
    """After a long stop there are still as many files as were asked for."""
    assert run(tmp_path, [0, 10, 20, 300], backupCount=2) == [10, 20, 300]


def test_at_open(tmp_path):
    """A restart in the same period applies what is set now."""
    run(tmp_path, range(6))
    assert run(tmp_path, [5], backupCount=1) == [4, 5]


def test_parts_count_as_files(tmp_path):
    """A part is a file; the active one is the newest part."""
    run(tmp_path, [0, 0, 0, 0], maxBytes=10, backupCount=2)
    assert set(texts(tmp_path)) == {f"app.log.2001-09-09.{part}" for part in (1, 2, 3)}


def test_what_is_newer_stays(tmp_path):
    """A program that is behind deletes nothing that the others are still to keep."""
    run(tmp_path, range(10))
    assert run(tmp_path, [3], backupCount=1) == [2, 3, 4, 5, 6, 7, 8, 9]


def test_the_open_late_file_stays(tmp_path):
    """A late record's file is not deleted from under it."""
    assert run(tmp_path, [5, 4, 3, 0], backupCount=1) == [0, 4, 5]


def test_a_clock_gone_wild(tmp_path):
    """One record from the far future does not make the others old."""
    today = (time.time() - NOON) // DAY
    days = [today - 2, today - 1, today, today + 40_000, today]
    assert run(tmp_path, days, maxAge=5 * DAY) == [int(day) for day in sorted(set(days))]


def test_nothing_else_is_touched(tmp_path):
    """Siblings, directories and links, whatever their names and age, are not ours."""
    names = [
        "app.log", "app.log.notes", "app.log.2001-09-01.bak", "app.log.2001-9-1",
        "app.log.2001-09-31", "app.log.2001-09-01.0", "app.log.2001-09-01.01",
        "app.log.2001-09-01.gz.tmp", "app-worker-2001-09-01.log", "app.log.2001-09-01.gz.bz2",
        "xapp.log.2001-09-01", "app.log.2001-09-01_12",
    ]
    for name in names:
        (tmp_path / name).write_text("not ours")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / "app.log.2001-09-02").mkdir()
    (tmp_path / "app.log.2001-09-03").symlink_to(tmp_path / "app.log")
    ours = ["app.log.2001-09-04", "app.log.2001-09-05.gz", "app.log.2001-09-05.1.gz"]
    for name in ours:
        (tmp_path / name).write_text("ours")
    handler = DatedFileHandler(
        tmp_path / "app.log", utc=True, delay=True, backupCount=1, maxAge=1, maxTotalBytes=1
    )
    for day in (0, 1):
        handler.handle(logging.makeLogRecord({"msg": "a", "created": NOON + day * DAY}))
    handler.close()
    assert set(texts(tmp_path)) == {*names, "app.log.2001-09-10"}
    assert (tmp_path / "app.log.2001-09-02").is_dir()
    assert (tmp_path / "app.log.2001-09-03").is_symlink()


def test_in_dated_directories(tmp_path):
    """`%Y/%m/app-%d.log` is looked after across its directories."""
    handler = DatedFileHandler(
        tmp_path / "%Y/%m/app-%d.log", utc=True, delay=True, backupCount=2
    )
    for day in (0, 20, 21, 22):
        handler.handle(logging.makeLogRecord({"msg": "a", "created": NOON + day * DAY}))
    handler.close()
    assert set(texts(tmp_path)) == {f"2001/{name}.log" for name in
                                    ("09/app-29", "09/app-30", "10/app-01")}


def test_in_several_programs_at_once(tmp_path):
    """Each applies it at each of forty rollovers; none minds what another has deleted."""
    programs = [
        start("write", filename=tmp_path / "app.log", tag=tag, count=400, created=NOON, step=0.1,
              options={"when": "S", "delay": True, "backupCount": 3})
        for tag in "abcd"
    ]
    for program in programs:
        program.stdout.readline()
    for program in programs:
        program.stdin.write("go\n")
        program.stdin.flush()
    for program in programs:
        assert end(program)[1] == ""
    last = [time.strftime("app.log.%Y-%m-%d_%H-%M-%S", time.gmtime(NOON + 39 - age))
            for age in range(4)]
    assert set(last) <= set(texts(tmp_path))


def test_two_at_once_by_size(tmp_path, monkeypatch):
    """What another process deletes meanwhile does not count for what stays."""
    unlink, stat = os.unlink, os.stat
    seen = []

    def stat_and_delete(path, *arguments, **options):
        status = stat(path, *arguments, **options)
        if str(path).endswith("2001-09-09") and not seen:
            seen.append(path)
            unlink(path)  # the other process is just a little ahead
        return status

    assert run(tmp_path, range(5)) == [0, 1, 2, 3, 4]
    monkeypatch.setattr("mplogging._file.retention.os.stat", stat_and_delete)
    assert run(tmp_path, [5], maxTotalBytes=45) == [1, 2, 3, 4, 5]
    assert seen


def test_what_cannot_be_deleted(tmp_path, monkeypatch):
    """It is told once, tried again by itself, and told again if it comes again."""
    monkeypatch.setattr("mplogging._file.handler._HOUSE_SECONDS", 0.02)
    handler = DatedFileHandler(tmp_path / "app.log", utc=True, delay=True, backupCount=1)
    reports = []
    handler.handleError = lambda record: reports.append(record.getMessage())

    def log(day):
        handler.handle(logging.makeLogRecord({"msg": "a", "created": NOON + day * DAY}))

    for times in (1, 2):
        with monkeypatch.context() as patched:
            patched.setattr(os, "unlink", failing(errno.EPERM))
            for day in range(8):
                log(day)
        assert len(reports) == times and "can't be deleted" in reports[-1]
        eventually(lambda: kept(tmp_path) == [6, 7])  # though nothing is logged
        eventually(lambda: not [
            thread for thread in threading.enumerate() if thread.name == "mplogging-retention"
        ])
        for path in tmp_path.iterdir():
            path.unlink()
        handler.close()


def test_a_directory_that_cannot_be_read(tmp_path, monkeypatch):
    """For want of a descriptor, say: it is tried again, and the line is in its file."""
    monkeypatch.setattr("mplogging._file.handler._HOUSE_SECONDS", 0.02)
    run(tmp_path, range(3))
    handler = DatedFileHandler(tmp_path / "app.log", utc=True, delay=True, backupCount=1)
    reports = []
    handler.handleError = lambda record: reports.append(record.getMessage())
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", failing(errno.EMFILE))
        handler.handle(logging.makeLogRecord({"msg": "a", "created": NOON + 3 * DAY}))
    assert len(reports) == 1
    eventually(lambda: kept(tmp_path) == [2, 3])
    handler.close()
