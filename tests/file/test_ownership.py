"""Where other users may put files: what they have prepared gets nothing of ours."""

from __future__ import annotations

import errno
import gzip
import logging
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

import pytest
from conftest import texts

from mplogging import DatedFileHandler
from mplogging._file import opening
from mplogging._file.lines import LineFormat
from mplogging._file.opening import Access, make_directories, open_for_append

from .faults import failing
from .test_appending import NAME, log

DAY = 86_400
USER, OTHER = 4711, 4712
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be several users")


@pytest.fixture(params=[0o777, 0o1777], ids=["everybody's", "sticky"])
def shared(request):
    """A directory that anybody can write to; that of pytest nobody else can enter."""
    directory = Path(tempfile.mkdtemp(prefix="mplogging-test-"))
    directory.chmod(request.param)
    yield directory
    shutil.rmtree(directory)


def as_user(user, function):
    """Call it as another user, in a child; returns what it returns, a small number."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            status = function() or 0
        except BaseException as error:
            os.write(2, repr(error).encode())
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def handler_for(directory, **options):
    options = {"utc": True, "delay": True, **options}
    handler = DatedFileHandler(directory / "app.log", **options)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def written(directory, text="line", **options):
    """Log a line, as a program of its own; returns how many wait."""
    handler = handler_for(directory, **options)
    handler.handleError = lambda record: None
    log(handler, text)
    waiting = handler.waiting
    handler.close()
    return waiting


def old_file(directory, text="old\n"):
    path = directory / NAME
    path.write_text(text)
    path.chmod(0o640)
    os.utime(path, (0, 0))
    return path


def compressed(directory):
    """One pass; returns what was reported."""
    handler = handler_for(directory, compress="gz", compressAfter=0.11)
    reports = []
    handler.handleError = lambda record: reports.append(record.getMessage())
    for _ in range(2):
        handler._compressor.compress_finished()
    handler.close()
    return reports


# The log file


@needs_root
@pytest.mark.parametrize("victim", [0, OTHER])
def test_a_file_that_another_user_has_prepared(shared, victim):
    """He could read what is logged: it is refused, and said whose it is."""
    assert as_user(USER, lambda: (shared / NAME).write_text("")) == 0
    (shared / NAME).chmod(0o666)

    def refused():
        try:
            open_for_append(str(shared / NAME), Access())
        except PermissionError as error:
            return "belongs to another user (uid 4711)" in str(error)
        return 0

    assert as_user(victim, refused) == 1
    assert as_user(victim, lambda: written(shared)) == 1
    assert (shared / NAME).read_text() == ""


@needs_root
def test_users_who_share_a_log(shared):
    """By a `mode` that lets others write; root's file is anybody's, and the owner's in his own."""
    assert as_user(USER, lambda: written(shared, "one", mode=0o666)) == 0
    assert as_user(OTHER, lambda: written(shared, "two", mode=0o666)) == 0
    assert written(shared, "three", mode=0o622) == 0
    assert (shared / NAME).read_text() == "one\ntwo\nthree\n"
    os.chown(shared / NAME, 0, 0)
    assert as_user(USER, lambda: written(shared, "four")) == 0
    os.chown(shared / NAME, USER, 0)
    os.chown(shared, USER, 0)
    assert written(shared, "five") == 0


def test_a_file_with_a_second_name(shared):
    """It may be any file of the user's own; where only he writes, it is his own doing."""
    (shared / "precious").write_text("")
    os.link(shared / "precious", shared / NAME)
    with pytest.raises(PermissionError, match="second name"):
        open_for_append(str(shared / NAME), Access())
    assert written(shared) == 1
    shared.chmod(0o755)
    assert written(shared) == 0
    assert (shared / "precious").read_text() == "line\n"


@needs_root
def test_links_in_another_users_directory(tmp_path):
    """What leads out of it may be his trap for root."""
    (tmp_path / "target").write_text("")
    (tmp_path / "his").mkdir()
    (tmp_path / "his" / NAME).symlink_to(tmp_path / "target")
    assert written(tmp_path / "his") == 0
    os.chown(tmp_path / "his", USER, 0)
    assert written(tmp_path / "his") == 1


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_what_would_wait_for_a_reader(shared, kind):
    """A pipe that nobody reads stops no program."""
    os.mknod(shared / NAME, {"fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK}[kind] | 0o222)
    assert written(shared) == 1


@needs_root
def test_a_directory_that_is_exchanged(tmp_path, monkeypatch):
    """A link in place of the directory just made: what it leads to keeps its mode."""
    (tmp_path / "target").mkdir(mode=0o700)
    mkdir = os.mkdir

    def exchanged(path, mode=0o777):
        mkdir(path, mode)
        os.rmdir(path)
        os.symlink(tmp_path / "target", path)

    monkeypatch.setattr(os, "mkdir", exchanged)
    with pytest.raises(OSError):
        make_directories(str(tmp_path / "logs"), 0o777)
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o700


# Compression


@needs_root
@pytest.mark.parametrize("prepared", ["file", "link", "hard link", "fifo"])
def test_a_prepared_temporary_file(shared, prepared):
    """It is made anew, as our own, or it is told once; nothing gets into the other's."""
    old_file(shared)
    temporary, target = shared / (NAME + ".gz.tmp"), shared / "target"
    target.write_text("his")
    os.chown(target, USER, 0)
    if prepared == "file":
        temporary.write_text("his")
        os.chown(temporary, USER, 0)
        os.utime(temporary, (0, 0))
    elif prepared == "fifo":
        os.mkfifo(temporary)
    else:
        (os.symlink if prepared == "link" else os.link)(target, temporary)
    with open(temporary if prepared == "file" else target, "rb") as his:
        compressed(shared)
        assert his.read() == b"his"
    form = shared / (NAME + ".gz")
    assert gzip.decompress(form.read_bytes()) == b"old\n"
    status = form.lstat()
    assert stat.S_ISREG(status.st_mode) and (status.st_uid, status.st_nlink) == (0, 1)
    assert not (shared / NAME).exists()


@needs_root
def test_a_temporary_file_that_stays(shared):
    """A user who can't remove what another has prepared says so, once; the log stays."""

    def attempt():
        reports = compressed(shared)
        os.write(1, repr(reports).encode())
        return len(reports)

    os.chown(old_file(shared), OTHER, 0)
    temporary = shared / (NAME + ".gz.tmp")
    temporary.write_text("his")
    temporary.chmod(0o600)
    os.chown(temporary, USER, 0)
    assert as_user(OTHER, attempt) == 0  # he may be at it
    os.utime(temporary, (0, 0))
    is_sticky = bool(shared.stat().st_mode & stat.S_ISVTX)
    assert as_user(OTHER, attempt) == is_sticky
    assert (shared / NAME).exists() == is_sticky


@needs_root
@pytest.mark.parametrize("form", ["same", "link"])
def test_a_prepared_compressed_form(shared, form):
    """Nobody's is taken for the log's: that is not removed for it."""
    old_file(shared)
    prepared = shared / ("his" if form == "link" else NAME + ".gz")
    prepared.write_bytes(gzip.compress(b"old\n"))
    os.chown(prepared, USER, 0)
    if form == "link":
        (shared / (NAME + ".gz")).symlink_to(prepared)
    assert len(compressed(shared)) == 1
    assert (shared / NAME).read_text() == "old\n"


def test_the_copy_is_exchanged(shared, monkeypatch):
    """Another file gets the name in the last moment: the log is not removed."""
    old_file(shared)
    rename = os.rename

    def exchanged(source, target):
        os.unlink(source)
        Path(source).write_text("his")
        rename(source, target)

    monkeypatch.setattr(os, "rename", exchanged)
    compressed(shared)
    monkeypatch.undo()
    assert (shared / NAME).read_text() == "old\n"


def test_a_log_file_with_a_second_name_is_not_compressed(shared):
    """It may be any file: nothing is copied out of it, and it is told once."""
    os.link(old_file(shared), shared / "precious")
    [report] = compressed(shared)
    assert "second name" in report
    assert set(texts(shared)) == {NAME, "precious"}


@needs_root
def test_what_root_compresses_stays_its_owners(shared):
    """With its mode; and who can't remove another's file leaves it to him."""
    os.chown(old_file(shared), USER, USER)
    if shared.stat().st_mode & stat.S_ISVTX:
        assert as_user(OTHER, lambda: len(compressed(shared))) == 0
        assert set(texts(shared)) == {NAME}
    assert compressed(shared) == []
    status = (shared / (NAME + ".gz")).stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (USER, USER, 0o640)


@pytest.mark.parametrize("call", ["rename", "unlink", "fsync"])
def test_failed_compression_is_told_once(tmp_path, monkeypatch, call):
    """And again after it has worked."""
    handler = handler_for(tmp_path, compress="gz", compressAfter=0.11)
    reports = []
    handler.handleError = lambda record: reports.append(record.getMessage())
    for times in (1, 2):
        for name in (NAME, "app.log.2001-09-08"):
            (tmp_path / name).write_text("a\n")
            os.utime(tmp_path / name, (0, 0))
        with monkeypatch.context() as patched:
            patched.setattr(os, call, failing(errno.EIO))
            for _ in range(3):
                handler._compressor.compress_finished()
        assert len(reports) == times, reports
        assert "can't be compressed" in reports[-1]
        handler._compressor.compress_finished()
        assert set(os.listdir(tmp_path)) == {NAME + ".gz", "app.log.2001-09-08.gz"}
        for path in tmp_path.iterdir():
            path.unlink()
    handler.close()


# Modes


@needs_root
def test_two_users_who_open_at_the_same_moment(shared, monkeypatch):
    """One has made the file, and not said yet whom it lets in: the other waits for that."""
    told, tell = os.pipe()
    fchmod = os.fchmod

    def late(descriptor, mode):
        os.write(tell, b"x")
        time.sleep(0.05)
        fchmod(descriptor, mode)

    previous = os.umask(0o077)
    monkeypatch.setattr(os, "fchmod", late)
    first = os.fork()
    if first == 0:
        os._exit(as_user(USER, lambda: written(shared, "one", mode=0o666)))
    monkeypatch.undo()
    os.read(told, 1)
    assert as_user(OTHER, lambda: written(shared, "two", mode=0o666)) == 0
    assert os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) == 0
    os.umask(previous)
    os.close(told)
    os.close(tell)
    assert sorted((shared / NAME).read_text().split()) == ["one", "two"]


@needs_root
def test_a_file_that_lets_nobody_in(shared, monkeypatch):
    """It is waited for only while it may just be being made."""
    (shared / NAME).write_text("a")
    monkeypatch.setattr(opening, "_MAKING", 60.0)
    for made, text in ((time.time(), "a"), (0.0, "")):
        (shared / NAME).write_text(text)
        (shared / NAME).chmod(0o600)
        lstat = os.lstat

        def as_old(path, *arguments, lstat=lstat, made=made, **options):
            fields = list(lstat(path))
            status = os.stat_result(fields[:7] + [made, made, made])
            return status

        monkeypatch.setattr(os, "lstat", as_old)
        began = time.monotonic()
        assert as_user(USER, lambda: written(shared, mode=0o666)) == 1
        assert time.monotonic() - began < 30
        monkeypatch.setattr(os, "lstat", lstat)


@needs_root
@pytest.mark.parametrize("half", ["", "whole\n", "ha"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_file_that_may_only_be_written(shared, encoding, half):
    """As a drop box for several users: each line goes there."""
    (shared / NAME).write_bytes(half.encode(encoding) if half else b"")
    (shared / NAME).chmod(0o622)
    LineFormat(logging.Formatter(), encoding)  # the user can't import its codec
    options = {"mode": 0o622, "encoding": encoding}
    for text in ("one", "two"):
        assert as_user(USER, lambda text=text: written(shared, text, **options)) == 0
    data = (shared / NAME).read_bytes()
    assert data == f"{half}one\ntwo\n".encode(encoding)


def test_the_mode_that_its_maker_did_not_come_to_give(tmp_path):
    """A killed program leaves an empty file with the mode that its umask gave."""
    (tmp_path / NAME).touch(mode=0o600)
    assert written(tmp_path, mode=0o664) == 0
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o664
    (tmp_path / NAME).chmod(0o640)
    assert written(tmp_path, mode=0o664) == 0
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o640  # that somebody has chosen


def test_a_directory_is_never_open_to_more(tmp_path, monkeypatch):
    """Than `dirMode` says, not even until its mode is set."""
    seen = []
    monkeypatch.setattr(os, "fchmod", lambda descriptor, mode: seen.append(
        os.fstat(descriptor).st_mode & 0o777))
    make_directories(str(tmp_path / "a" / "b"), 0o700)
    assert seen == [0o700, 0o700]
