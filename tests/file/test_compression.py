"""Finished files become smaller, and nothing is lost, whenever the kill comes."""

from __future__ import annotations

import fcntl
import gzip
import logging
import os
import random
import signal
import sys
import threading
import time

import pytest
from conftest import eventually, texts
from programs import end, start

from mplogging import ConfigError, DatedFileHandler
from mplogging._file import compression

DAY = 86_400
NOON = 1_000_000_000 - 1_000_000_000 % DAY + DAY // 2  # 2001-09-09
NAME = "app.log.2001-09-09"


def handler_for(directory, **options):
    options = {"utc": True, "delay": True, "compress": "gz", "compressAfter": 0.11, **options}
    handler = DatedFileHandler(directory / "app.log", **options)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def log(handler, text, created=NOON):
    handler.handle(logging.makeLogRecord({"msg": text, "created": created}))


def unpacked(directory):
    """As `texts`, of the compressed files too."""
    return {
        path.name: (gzip.decompress(path.read_bytes()) if path.suffix == ".gz"
                    else path.read_bytes()).decode()
        for path in sorted(directory.iterdir())
    }


def make_old_file(directory):
    """A finished file, by a handler that starts no thread for it."""
    writer = handler_for(directory, compress=None)
    log(writer, "a")
    writer.close()
    os.utime(directory / NAME, (0, 0))


def is_idle(handler):
    return lambda: handler._compressor._thread is None


def test_a_finished_file_is_compressed(tmp_path):
    """With its mode and time; the one of the running period is not."""
    handler = handler_for(tmp_path, mode=0o640)
    log(handler, "old")
    log(handler, "new", time.time())
    active = os.path.basename(handler.activeFilename)
    eventually(is_idle(handler))
    handler.close()
    assert unpacked(tmp_path) == {NAME + ".gz": "old\n", active: "new\n"}
    status = os.stat(tmp_path / (NAME + ".gz"))
    assert status.st_mode & 0o777 == 0o640
    assert time.time() - 60 < status.st_mtime <= time.time()


def test_a_late_record_goes_to_the_next_part(tmp_path):
    """Nothing is appended to what is compressed; an open file is given up for it."""
    handler = handler_for(tmp_path)
    log(handler, "a")
    eventually(is_idle(handler))
    log(handler, "b")  # by the handler that had it open
    eventually(is_idle(handler))
    other = handler_for(tmp_path, compressAfter=60)
    log(other, "c")
    handler.close()
    other.close()
    assert unpacked(tmp_path) == {NAME + ".gz": "a\n", NAME + ".1.gz": "b\n", NAME + ".2": "c\n"}


def test_a_handler_without_compression_sees_it_too(tmp_path):
    """It has the file open that another program compresses."""
    plain = handler_for(tmp_path, compress=None)
    log(plain, "a")
    handler = handler_for(tmp_path)
    log(handler, "new", time.time())
    eventually(is_idle(handler))
    log(plain, "b")
    handler.close()
    plain.close()
    files = unpacked(tmp_path)
    assert files[NAME + ".gz"] == "a\n"
    assert files[NAME + ".1"] == "b\n"


def test_a_file_that_is_written_to_is_left_alone(tmp_path):
    """Its last write must be longer ago than the grace time."""
    handler = handler_for(tmp_path, compressAfter=60)
    make_old_file(tmp_path)
    os.utime(tmp_path / NAME)
    assert not handler._compressor.compress_finished()
    os.utime(tmp_path / NAME, (0, 0))
    assert handler._compressor.compress_finished()
    handler.close()
    assert unpacked(tmp_path) == {NAME + ".gz": "a\n"}


def test_a_line_during_the_copy(tmp_path, monkeypatch):
    """What came after the copy was made puts the whole thing off."""
    handler, other = handler_for(tmp_path, compressAfter=60), handler_for(tmp_path, compress=None)
    make_old_file(tmp_path)
    compressor = handler._compressor
    copy = compressor._copy

    def copy_and_write(*arguments):
        size = copy(*arguments)
        log(other, "b")
        os.utime(tmp_path / NAME, (0, 0))  # whatever the clock says
        return size

    monkeypatch.setattr(compressor, "_copy", copy_and_write)
    assert not compressor.compress_finished()
    assert unpacked(tmp_path) == {NAME: "a\nb\n"}
    monkeypatch.undo()
    os.utime(tmp_path / NAME, (0, 0))
    assert compressor.compress_finished()
    handler.close()
    other.close()
    assert unpacked(tmp_path) == {NAME + ".gz": "a\nb\n"}


def test_no_writer_misses_it(tmp_path, monkeypatch):
    """A clock set forward makes a file look old: writers have looked again all the same."""
    handler, writer = handler_for(tmp_path, compressAfter=60), handler_for(tmp_path, compress=None)
    log(writer, "a")
    writer._series.file_of(NOON)._look_due = time.monotonic() + 0.1  # has only just looked
    os.utime(tmp_path / NAME, (0, 0))
    assert handler._compressor.compress_finished()
    log(writer, "b")
    handler.close()
    writer.close()
    assert unpacked(tmp_path) == {NAME + ".gz": "a\n", NAME + ".1": "b\n"}


def test_the_order_of_its_steps(tmp_path, monkeypatch):
    """The copy is on the disk before it has its name, and has it before the other is gone."""
    handler = handler_for(tmp_path, compressAfter=60)
    make_old_file(tmp_path)
    steps, calls = [], vars(os).copy()
    for step in ("fsync", "rename", "unlink"):
        def noted(*arguments, step=step, calls=calls):
            steps.append(step)
            return calls[step](*arguments)

        monkeypatch.setattr(os, step, noted)
    assert handler._compressor.compress_finished()
    assert steps == ["fsync", "rename", "fsync", "unlink"]


@pytest.mark.parametrize("call", ["rename", "unlink"])
def test_a_failure_at_either_step(tmp_path, monkeypatch, call):
    """Both forms, or the log file alone: the next pass ends what was begun."""
    handler = handler_for(tmp_path, compressAfter=60)
    make_old_file(tmp_path)

    def fail(*arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, call, fail)
    assert not handler._compressor.compress_finished()
    monkeypatch.undo()
    files = unpacked(tmp_path)
    assert set(files.values()) == {"a\n"}
    assert NAME in files
    assert handler._compressor.compress_finished()
    handler.close()
    assert unpacked(tmp_path) == {NAME + ".gz": "a\n"}


def test_two_forms_that_differ_stay(tmp_path):
    """Neither is ours to delete."""
    (tmp_path / NAME).write_text("one\n")
    (tmp_path / (NAME + ".gz")).write_bytes(gzip.compress(b"other\n"))
    os.utime(tmp_path / NAME, (0, 0))
    handler = handler_for(tmp_path)
    assert handler._compressor.compress_finished()
    log(handler, "late")
    handler.close()
    assert unpacked(tmp_path) == {
        NAME: "one\n", NAME + ".gz": "other\n", NAME + ".1": "late\n",
    }


def test_a_full_disk_keeps_the_log(tmp_path, monkeypatch):
    """A copy that cannot be completed takes no room."""
    handler = handler_for(tmp_path)
    make_old_file(tmp_path)

    def fail(*arguments):
        arguments[1].write(b"x" * 100)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(handler._compressor, "_copy", fail)
    assert not handler._compressor.compress_finished()
    handler.close()
    assert texts(tmp_path) == {NAME: "a\n"}


def test_leftovers_are_swept(tmp_path):
    """Temporary files of killed programs go, whether their log file is there or not."""
    for name in (NAME + ".gz.tmp", "app.log.2001-09-08.gz.tmp", "app.log.notes.gz.tmp"):
        (tmp_path / name).write_bytes(b"half")
    handler = handler_for(tmp_path)
    log(handler, "a")
    eventually(is_idle(handler))
    handler.close()
    assert set(os.listdir(tmp_path)) == {NAME + ".gz", "app.log.notes.gz.tmp"}


def test_one_process_at_a_time(tmp_path):
    """Who finds another one at it leaves the file to that one."""
    handlers = [handler_for(tmp_path, compressAfter=60) for _ in range(4)]
    writer = handler_for(tmp_path, compress=None)  # starts no thread of its own
    writer._write(NOON, [b"a\n"] * 100_000)
    os.utime(tmp_path / NAME, (0, 0))
    passes = [
        threading.Thread(target=handler._compressor.compress_finished) for handler in handlers
    ]
    for one in passes:
        one.start()
    for one in passes:
        one.join()
    for handler in [*handlers, writer]:
        handler.close()
    assert unpacked(tmp_path) == {NAME + ".gz": "a\n" * 100_000}


def test_compressed_files_count_in_retention(tmp_path):
    """As the files that they were."""
    for day in range(1, 9):
        (tmp_path / f"app.log.2001-09-0{day}.gz").write_bytes(gzip.compress(b"a\n"))
    handler = handler_for(tmp_path, backupCount=2, compressAfter=60)
    log(handler, "new")
    handler.close()
    assert set(unpacked(tmp_path)) == {"app.log.2001-09-07.gz", "app.log.2001-09-08.gz", NAME}


def test_closing_ends_it(tmp_path):
    """The thread ends at once; a record after it begins another."""
    handler = handler_for(tmp_path, compressAfter=60)
    log(handler, "a")
    thread = handler._compressor._thread
    assert thread.is_alive()
    handler.close()
    assert not thread.is_alive()
    log(handler, "b")
    assert handler._compressor._thread.is_alive()
    handler.close()


def test_a_period_that_ends_during_the_last_pass(tmp_path, monkeypatch):
    """Its file is not left until the next period."""
    handler = handler_for(tmp_path)
    compressor = handler._compressor
    passes = []

    def a_pass():
        passes.append(1)
        if len(passes) == 1:
            compressor.start()  # as a new period would
        return True

    monkeypatch.setattr(compressor, "compress_finished", a_pass)
    compressor.start()
    eventually(is_idle(handler))
    assert len(passes) == 2
    handler.close()


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="has compression.zstd")
def test_zst_where_there_is_none(tmp_path):
    """A clear error."""
    with pytest.raises(ConfigError, match="3.14"):
        handler_for(tmp_path, compress="zst")


@pytest.mark.skipif(sys.version_info < (3, 14), reason="has no compression.zstd")
def test_zst(tmp_path):
    """Where Python has it."""
    handler = handler_for(tmp_path, compress="zst")
    log(handler, "a")
    eventually(is_idle(handler))
    handler.close()
    with compression.opener_of("zst")(tmp_path / (NAME + ".zst"), "rb") as file:
        assert file.read() == b"a\n"


def kill_compressors(directory, kills):
    """Programs that compress a period's file each are killed at random moments."""
    options = {"utc": True, "compress": "gz", "compressAfter": 0.11}
    chance = random.Random(5)
    writer = handler_for(directory, compress=None)
    line = "x" * 99
    for number in range(kills):
        day = NOON + number * DAY
        writer._write(day, [f"{number} {part} {line}\n".encode() for part in range(5000)])
        writer.close()
        program = start("compress_until_killed", filename=directory / "app.log", options=options)
        assert program.stdout.readline() == "ready\n"
        time.sleep(chance.random() * 0.3)
        program.send_signal(signal.SIGKILL)
        end(program, -signal.SIGKILL)
        log(writer, f"{number} late {line}", day)
        writer.close()
    finisher = handler_for(directory)
    eventually(finisher._compressor.compress_finished, 30)
    finisher.close()
    writer.close()
    lines = sorted("".join(unpacked(directory).values()).splitlines())
    assert lines == sorted(
        f"{number} {part} {line}" for number in range(kills) for part in [*range(5000), "late"]
    )
    assert all(name.endswith(".gz") for name in os.listdir(directory) if "log.20" in name
               and name < f"{NAME[:8]}{time.strftime('%Y-%m-%d', time.gmtime())}")


def test_kills(tmp_path):
    """Nothing lost, doubled or torn, whatever the moment."""
    kill_compressors(tmp_path, 12)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_kills(tmp_path):
    """The same for longer."""
    kill_compressors(tmp_path, 100)


def test_a_damaged_copy_beside_the_log(tmp_path):
    """That pair stays as it is; the other files are compressed, and so are later ones."""
    damaged = bytearray(gzip.compress(b"a\n" + os.urandom(3000)))
    damaged[20:40] = b"\xff" * 20
    make_old_file(tmp_path)
    (tmp_path / (NAME + ".gz")).write_bytes(damaged)
    handler = handler_for(tmp_path)
    for day in (1, 2):
        log(handler, "b", NOON + day * DAY)
        eventually(is_idle(handler))
    handler.close()
    assert sorted(os.listdir(tmp_path)) == [
        NAME, NAME + ".gz", "app.log.2001-09-10.gz", "app.log.2001-09-11.gz",
    ]


def test_an_error_that_nobody_foresaw(tmp_path, monkeypatch):
    """It ends the thread; the next period's beginning starts another."""
    monkeypatch.setattr(threading, "excepthook", lambda arguments: None)
    monkeypatch.setattr(compression.Compressor, "_compress", lambda *_: [][0])
    handler = handler_for(tmp_path)
    log(handler, "a")
    thread = handler._compressor._thread
    thread.join(10)
    monkeypatch.undo()
    log(handler, "b", NOON + DAY)
    eventually(is_idle(handler))
    handler.close()
    assert unpacked(tmp_path) == {NAME + ".gz": "a\n", "app.log.2001-09-10.gz": "b\n"}


def test_a_lock_that_may_be_the_compressors(tmp_path):
    """Whoever holds it up may be sealing the file: a late line goes to the next part."""
    handler = handler_for(tmp_path, compressAfter=60, lockTimeout=0.05)
    log(handler, "before")
    with open(tmp_path / NAME, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        log(handler, "late")
    handler.close()
    assert texts(tmp_path) == {NAME: "before\n", NAME + ".1": "late\n"}


def test_a_log_that_grows_beside_its_copy(tmp_path, monkeypatch):
    """It was compared just before: it is not removed."""
    make_old_file(tmp_path)
    with gzip.open(tmp_path / (NAME + ".gz"), "wb") as file:
        file.write(b"a\n")
    compare = compression._same_content

    def compare_and_grow(*files):
        is_same = compare(*files)
        with open(tmp_path / NAME, "a") as log_file:
            log_file.write("late\n")
        return is_same

    monkeypatch.setattr(compression, "_same_content", compare_and_grow)
    handler = handler_for(tmp_path)
    log(handler, "new", time.time())
    eventually(is_idle(handler))
    handler.close()
    assert texts(tmp_path)[NAME] == "a\nlate\n"
