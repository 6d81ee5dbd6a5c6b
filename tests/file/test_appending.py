"""Whole lines only: full disks, half lines, stopped and killed writers."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import posix
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import texts
from programs import end, start

from mplogging import DatedFileHandler
from mplogging._file import appending
from mplogging._file.appending import AppendFile
from mplogging._file.opening import Access, open_for_append

from .faults import as_the_system, failing

NOON = 1_000_000_000.0
NAME = "app.log.2001-09-09"


def handler_for(directory, **options):
    handler = DatedFileHandler(directory / "app.log", **{"utc": True, "delay": True, **options})
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def log(handler, text, created=NOON):
    handler.handle(logging.makeLogRecord({"msg": text, "created": created}))


def filled(directory, **arguments):
    options = {"utc": True, "delay": True, **arguments.pop("options", {})}
    arguments.update(filename=directory / "app.log", options=options)
    output, errors = end(start("fill", **arguments))
    return json.loads(output), errors


def numbers(text):
    lines = text.splitlines()
    assert all(len(line) == 99 or line == "after" for line in lines)
    return [int(line[:3]) for line in lines if line != "after"]


@pytest.mark.parametrize("limit", [0, 1, 99, 100, 101, 250])
def test_a_full_disk(tmp_path, limit):
    """Whole lines stand in the file, the others wait, and follow in order; one report."""
    state, errors = filled(tmp_path, limit=limit, count=20)
    assert state["size"] == limit // 100 * 100
    assert state["waiting"] == 20 - limit // 100
    assert (state["lost"], state["left"]) == (0, 0)
    text = texts(tmp_path)[NAME]
    assert numbers(text) == list(range(20))
    assert text.endswith("\nafter\n")
    assert errors.count("--- Logging error ---") == 1
    assert "lines wait in memory" in errors


def test_a_full_disk_and_no_more_memory(tmp_path):
    """Beyond `bufferBytes` lines are counted; the first line after it says how many, and why."""
    state, errors = filled(tmp_path, limit=250, count=20, options={"bufferBytes": 500})
    assert state["waiting"] == 5
    assert state["lost"] == state["lost_in_all"] == 13
    files = texts(tmp_path)
    today = next(files.pop(name) for name in list(files) if name != NAME)
    assert "13 lines were lost" in today
    assert "File too large" in today
    assert numbers(files[NAME]) == list(range(7))
    assert errors.count("--- Logging error ---") == 1


def test_a_small_file_system(tmp_path):
    """A real full disk, then room again: every line in its order, those waiting too."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mounted)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not allowed")
    try:
        handler = handler_for(mounted)
        reports = []
        handler.handleError = reports.append
        (mounted / "ballast").write_bytes(b"x" * 40_000)
        lines = [f"{number:04d}".ljust(99, "x") for number in range(1000)]
        for line in lines[:500]:
            log(handler, line)
        text = (mounted / NAME).read_text()
        assert text.splitlines() == lines[: len(text) // 100]
        assert handler.waiting == 500 - len(text) // 100
        assert len(reports) == 1
        (mounted / "ballast").unlink()
        handler.flush()  # some of them find room
        subprocess.run(["mount", "-o", "remount,size=1m", str(mounted)], check=True)
        handler.flush()
        for line in lines[500:]:
            log(handler, line)
        handler.close()
        assert (mounted / NAME).read_text().splitlines() == lines
        assert handler.lost == 0
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def test_half_a_line_of_a_crash_stays(tmp_path):
    """It was written before this program began: it gets its newline."""
    (tmp_path / NAME).write_bytes(b"whole\nhal")
    os.utime(tmp_path / NAME, (NOON, NOON))
    handler = handler_for(tmp_path)
    log(handler, "next")
    handler.close()
    assert texts(tmp_path) == {NAME: "whole\nhal\nnext\n"}


def test_half_a_line_of_a_killed_writer_goes(tmp_path):
    """It came while we run, be our file open or not: no crash, but a call that never returned."""
    while True:  # until it is made within a part of a tick, however busy the machine is
        began = time.time()
        handler = handler_for(tmp_path)
        if time.time() - began < 0.005:
            break
        handler.close()
    for after in ("one", "two"):
        with open(tmp_path / NAME, "ab") as file:
            file.write(b"x" * 200_000)  # longer than one look backwards reaches
        os.utime(tmp_path / NAME, (began, began - 0.004))  # as kernels stamp: by the last tick
        log(handler, after)
    handler.close()
    assert texts(tmp_path) == {NAME: "one\ntwo\n"}


def test_half_a_line_goes_when_taking_over(tmp_path):
    """`cut_half_lines`: whose half line it is, is known."""
    (tmp_path / NAME).write_bytes(b"whole\nhal")
    os.utime(tmp_path / NAME, (NOON, NOON))
    handler = handler_for(tmp_path)
    handler._cut_half_lines()
    log(handler, "next")
    handler.close()
    assert texts(tmp_path) == {NAME: "whole\nnext\n"}


@pytest.mark.parametrize(("encoding", "half"), [("utf-8", "half"), ("utf-16-le", "hal")])
def test_half_a_line_without_lock(tmp_path, monkeypatch, encoding, half):
    """`lock=False`: it is not cut off, since somebody may be at it; but no line follows it."""
    monkeypatch.setattr(appending, "_UNLOCKED_SETTLING", 0)
    handler = handler_for(tmp_path, lock=False, encoding=encoding)
    for text in ("one", "two"):
        with open(tmp_path / NAME, "ab") as file:
            file.write("half".encode(encoding)[:5])
        log(handler, text)
    handler.close()
    assert (tmp_path / NAME).read_text(encoding) == f"{half}\none\n{half}\ntwo\n"


@pytest.mark.parametrize("lock", [True, False])
def test_half_a_line_that_goes_on_is_left_alone(tmp_path, monkeypatch, lock):
    """Someone appends without the lock: his line is not cut under his hands, or parted."""
    handler = handler_for(tmp_path, lock=lock)
    log(handler, "one")
    with open(tmp_path / NAME, "ab", buffering=0) as file:
        file.write(b"ha")
        monkeypatch.setattr(
            "mplogging._file.appending.sleep", lambda seconds: file.write(b"lf\n")
        )
        log(handler, "two")
    handler.close()
    assert texts(tmp_path) == {NAME: "one\nhalf\ntwo\n"}


def test_no_empty_line_for_one_that_is_being_written(tmp_path, monkeypatch):
    """On opening, half a line may belong to a living writer who is just at it."""
    (tmp_path / NAME).write_bytes(b"one\nha")
    os.utime(tmp_path / NAME, (NOON, NOON))
    handler = handler_for(tmp_path)
    with open(tmp_path / NAME, "ab", buffering=0) as file:
        monkeypatch.setattr(
            "mplogging._file.appending.sleep", lambda seconds: file.write(b"lf\n")
        )
        log(handler, "two")
    handler.close()
    assert texts(tmp_path) == {NAME: "one\nhalf\ntwo\n"}


@pytest.mark.parametrize("error", [TimeoutError, ValueError])
def test_a_signal_handler_that_raises(tmp_path, monkeypatch, error):
    """As soon as the line is written: it stands there once, and the error is no disk's."""
    def on_alarm(number, frame):
        raise error("too late")

    def write_and_signal(descriptor, data):
        written = os.write(descriptor, data)
        signal.raise_signal(signal.SIGALRM)
        return written

    old = signal.signal(signal.SIGALRM, on_alarm)
    handler = handler_for(tmp_path)
    errors = []
    handler.handleError = lambda record: errors.append(type(sys.exc_info()[1]))
    try:
        log(handler, "one")
        monkeypatch.setattr("mplogging._file.appending.write", write_and_signal)
        log(handler, "two")
    finally:
        monkeypatch.undo()
        signal.signal(signal.SIGALRM, old)
    log(handler, "three")
    assert (handler.waiting, errors) == (0, [error])
    handler.close()
    assert texts(tmp_path) == {NAME: "one\ntwo\nthree\n"}


def test_a_lock_that_is_held_up_is_one_files(tmp_path, monkeypatch):
    """Records of another period, whose file is free, don't make its users wait again."""
    handler = handler_for(tmp_path, lock="exclusive", lockTimeout=0.05)
    log(handler, "new")
    log(handler, "old", NOON - 86400)
    with open(tmp_path / "app.log.2001-09-08") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        log(handler, "old", NOON - 86400)
        monkeypatch.setattr("mplogging._lock.sleep", lambda seconds: pytest.fail("waits again"))
        for _ in range(3):
            log(handler, "new")
            log(handler, "old", NOON - 86400)
    monkeypatch.undo()
    handler.close()
    assert texts(tmp_path) == {NAME: "new\n" * 4, "app.log.2001-09-08": "old\n" * 5}


def test_a_stopped_holder(tmp_path):
    """It delays the others once; lines are appended whole; when it is free, all is as before."""
    handler = handler_for(tmp_path, lockTimeout=0.2)
    log(handler, "one")
    lock = handler._series.newest_file._lock
    holder = start("hold_lock", path=tmp_path / NAME)
    assert holder.stdout.readline() == "ready\n"
    holder.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    log(handler, "two")
    assert time.monotonic() - began >= 0.2
    assert lock.is_held_up
    waits = []
    wait, lock._wait = lock._wait, lambda *about: waits.append(wait(*about))
    for number in range(100):
        log(handler, str(number))
    assert waits == [False] * 100
    holder.kill()
    holder.send_signal(signal.SIGCONT)
    end(holder, -signal.SIGKILL)
    log(handler, "free")
    assert not lock.is_held_up
    handler.close()
    assert texts(tmp_path) == {
        NAME: "one\ntwo\n" + "".join(f"{number}\n" for number in range(100)) + "free\n"
    }


def test_without_lock(tmp_path):
    """`lock=False`: nobody is waited for."""
    handler = handler_for(tmp_path, lock=False, lockTimeout=60)
    log(handler, "one")
    holder = start("hold_lock", path=tmp_path / NAME)
    assert holder.stdout.readline() == "ready\n"
    log(handler, "two")
    end(holder)
    handler.close()
    assert texts(tmp_path) == {NAME: "one\ntwo\n"}


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    """`flock` fails there: lines are appended without it, late ones for compression too."""
    monkeypatch.setattr("mplogging._lock.flock", failing(errno.EOPNOTSUPP))
    handler = handler_for(tmp_path, compress="gz", compressAfter=60)
    log(handler, "one")
    log(handler, "two")
    handler.close()
    assert texts(tmp_path) == {NAME: "one\ntwo\n"}


@pytest.mark.parametrize("kind", ["directory", "fifo", "device"])
def test_no_regular_file(tmp_path, kind):
    """What is no file is not written to."""
    path = tmp_path / NAME
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    with pytest.raises(OSError):
        open_for_append(str(path), Access())


def test_links_where_others_may_write(tmp_path):
    """Followed where the directory is ours; a trap, and refused, where others write to it."""
    (tmp_path / "target").write_text("")
    (tmp_path / NAME).symlink_to(tmp_path / "target")
    descriptor, is_new = open_for_append(str(tmp_path / NAME), Access())
    os.close(descriptor)
    assert not is_new
    os.chmod(tmp_path, 0o777)
    with pytest.raises(OSError, match="symbolic links"):
        open_for_append(str(tmp_path / NAME), Access())


def test_a_killed_writer_leaves_no_lock(tmp_path):
    """Its lock dies with it; the next write waits for nothing."""
    handler = handler_for(tmp_path, lockTimeout=60)
    log(handler, "one")
    holder = start("hold_lock", path=tmp_path / NAME)
    assert holder.stdout.readline() == "ready\n"
    holder.kill()
    end(holder, -signal.SIGKILL)
    log(handler, "two")
    handler.close()
    assert texts(tmp_path) == {NAME: "one\ntwo\n"}


def test_the_mark_at_the_beginning_stands_there_once(tmp_path, monkeypatch):
    """Two that come to the empty file at the same moment don't both write it."""
    handlers = [handler_for(tmp_path, encoding="utf-16") for _ in range(2)]
    together, begin = threading.Barrier(2, timeout=10), AppendFile._begin

    def begin_together(*arguments):
        together.wait()
        return begin(*arguments)

    monkeypatch.setattr(AppendFile, "_begin", begin_together)
    threads = [threading.Thread(target=log, args=(handler, "ä")) for handler in handlers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for handler in handlers:
        handler.close()
    assert (tmp_path / NAME).read_bytes() == "ä\nä\n".encode("utf-16")


@pytest.mark.parametrize("whole", ["", "whole\n"])
@pytest.mark.parametrize("half", ["ha", "h\u0a00\u0a00\n"[:3], "ha\u0a00\u000a"[:3]])
@pytest.mark.parametrize("odd", [0, 1])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_half_a_line_of_wide_characters(tmp_path, encoding, odd, half, whole):
    """What looks like a line's end in the midst of two characters is none; the mark stays."""
    handler = handler_for(tmp_path, encoding=encoding)
    data = f"{whole}{half}".encode(encoding)
    (tmp_path / NAME).write_bytes(data[: len(data) - odd])
    log(handler, "next")
    handler.close()
    assert (tmp_path / NAME).read_bytes() == f"{whole}next\n".encode(encoding)


def test_half_a_character_of_a_crash(tmp_path):
    """It goes, and the rest of the line that was cut short stays."""
    (tmp_path / NAME).write_bytes("whole\nhalf".encode("utf-16")[:-1])
    os.utime(tmp_path / NAME, (NOON, NOON))
    handler = handler_for(tmp_path, encoding="utf-16")
    log(handler, "next")
    handler.close()
    assert (tmp_path / NAME).read_bytes() == "whole\nhal\nnext\n".encode("utf-16")


def test_a_mark_without_a_line(tmp_path):
    """The disk had room for no more: the first line comes after it."""
    (tmp_path / NAME).write_bytes("".encode("utf-16"))
    handler = handler_for(tmp_path, encoding="utf-16")
    log(handler, "first")
    handler.close()
    assert (tmp_path / NAME).read_bytes() == "first\n".encode("utf-16")


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_a_lock_that_cannot_be_given_back(tmp_path, monkeypatch, failures):
    """What was written counts as written, and the next writer does not wait."""
    handler = handler_for(tmp_path, lock="exclusive")
    log(handler, "before")
    flock, refused = appending.flock, []

    @as_the_system
    def failing(descriptor, operation):
        if operation == fcntl.LOCK_UN and len(refused) < failures:
            refused.append(descriptor)
            raise OSError(errno.ENOLCK, "No locks available")
        return flock(descriptor, operation)

    monkeypatch.setattr(appending, "flock", failing)
    handler._write(NOON, [b"one\n", b"two\n"])
    with open(tmp_path / NAME) as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody has it
    handler._write(NOON, [b"three\n"])
    handler.close()
    assert texts(tmp_path) == {NAME: "before\none\ntwo\nthree\n"}
    assert (handler.waiting, handler.lost) == (0, 0)


class Disk:
    """Has `room` for that many bytes, and gives nothing back: nothing can be cut off."""

    def __init__(self, monkeypatch, room):
        self.room = room

        @as_the_system
        def write_some(descriptor, data):
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            written = os.write(descriptor, data[: self.room])
            self.room -= written
            return written

        monkeypatch.setattr(appending, "write", write_some)
        monkeypatch.setattr(os, "ftruncate", failing(errno.EIO))


@pytest.mark.parametrize("options", [{}, {"lock": False}, {"maxBytes": 1000}])
@pytest.mark.parametrize("room", range(1, 12))
def test_what_was_cut_in_two_cannot_be_cut_off(tmp_path, monkeypatch, room, options):
    """A short write, and `ftruncate` fails too: the rest comes right after, once."""
    handler = handler_for(tmp_path, **options)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    disk = Disk(monkeypatch, room)
    handler._write(NOON, [b"one\n", b"two\n", b"three\n"])
    for disk.room in (0, 1, 2, 0, 1):  # as little as that each time it is tried
        handler.flush()
    disk.room = 100
    handler.flush()
    log(handler, "four")
    handler.close()
    assert texts(tmp_path) == {NAME: "one\ntwo\nthree\nfour\n"}
    assert (handler.waiting, handler.lost) == (0, 0)


@pytest.mark.parametrize("options", [{}, {"lock": False}])
def test_half_a_line_that_is_given_up(tmp_path, monkeypatch, options):
    """It goes when the file is closed, or else before the next line comes."""
    handler = handler_for(tmp_path, **options)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    log(handler, "one")
    Disk(monkeypatch, 2)
    log(handler, "two")
    assert (tmp_path / NAME).read_text() == "one\ntw"
    monkeypatch.setattr(os, "ftruncate", posix.ftruncate)
    handler._backlog.give_up()
    monkeypatch.undo()
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    handler.flush()  # says what was lost
    log(handler, "three")
    disk = Disk(monkeypatch, 2)
    log(handler, "four")
    assert (tmp_path / NAME).read_text() == "one\nthree\nfo"
    disk.room = 0
    monkeypatch.setattr(os, "ftruncate", posix.ftruncate)
    handler.close()
    assert texts(tmp_path)[NAME] == "one\nthree\n"


def test_another_program_cuts_our_half_line_off(tmp_path, monkeypatch):
    """Then the whole of it comes again, after what that program has written."""
    # It began before: what was half a line by then would stay, as a crash's.
    other, handler = handler_for(tmp_path), handler_for(tmp_path)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    log(handler, "one")
    Disk(monkeypatch, 2)
    log(handler, "two")
    monkeypatch.undo()
    log(other, "3")
    other.close()
    handler.flush()
    handler.close()
    assert texts(tmp_path) == {NAME: "one\n3\ntwo\n"}


def test_a_short_write_that_a_signal_ends(tmp_path, monkeypatch):
    """The line that it leaves cut in two is no other's beginning, lock or no lock."""
    for number, options in enumerate(({}, {"lock": False})):
        handler = handler_for(tmp_path / str(number), **options)
        log(handler, "one")

        def write(descriptor, data):
            if len(data) == 2:
                raise KeyboardInterrupt
            return os.write(descriptor, data[:2])

        monkeypatch.setattr(appending, "write", write)
        with pytest.raises(KeyboardInterrupt):
            log(handler, "two")
        monkeypatch.undo()
        log(handler, "three")
        handler.close()
        assert texts(tmp_path / str(number)) == {NAME: "one\nthree\n"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_half_a_line_in_an_append_only_file(tmp_path, encoding):
    """It can't be cut off: a line break goes there, and writing goes on."""
    handler = handler_for(tmp_path, encoding=encoding)
    log(handler, "one")
    path = tmp_path / NAME
    if not shutil.which("chattr") or (
        subprocess.run(["chattr", "+a", str(path)], capture_output=True).returncode
    ):
        handler.close()
        pytest.skip("no chattr here, or it is not allowed, or the file system has no such files")
    try:
        for text, number in (("two", "1"), ("three", "2")):
            with open(path, "ab") as other:
                other.write(f"half {number}".encode(encoding)[-12:])
            log(handler, text)
        handler.close()
    finally:
        subprocess.run(["chattr", "-a", str(path)], check=True)
    assert handler.waiting == 0
    lines = path.read_bytes().decode(encoding).splitlines()
    assert [line for line in lines if "half" not in line] == ["one", "two", "three"]
    assert len(lines) == 5


def test_a_cut_that_is_refused(tmp_path, monkeypatch):
    """The same, wherever the file lies."""
    handler = handler_for(tmp_path)
    log(handler, "one")
    with open(tmp_path / NAME, "ab") as other:
        other.write(b"half")
    monkeypatch.setattr(os, "ftruncate", failing(errno.EPERM))
    log(handler, "two")
    log(handler, "three")
    handler.close()
    assert texts(tmp_path) == {NAME: "one\nhalf\ntwo\nthree\n"}


@pytest.mark.parametrize("odd", [1, 2, 3])
def test_half_a_character_that_cannot_be_cut_off(tmp_path, monkeypatch, odd):
    """What comes after it is in step again."""
    handler = handler_for(tmp_path, encoding="utf-32")
    log(handler, "one")
    with open(tmp_path / NAME, "ab") as other:
        other.write(b"x\0\0\0"[:odd])
    monkeypatch.setattr(os, "ftruncate", failing(errno.EPERM))
    log(handler, "two")
    handler.close()
    assert (tmp_path / NAME).read_bytes().decode("utf-32").splitlines() == ["one", "x", "two"]
