"""A bell wakes whoever sleeps, now or later, waits for nobody, and writes nowhere else."""

from __future__ import annotations

import contextlib
import os
import stat
import threading

import pytest

from mplogging._wire import bell as bell_module
from mplogging._wire.bell import Bell, remove_bell


@pytest.fixture
def bell(tmp_path):
    made = Bell.make([str(tmp_path / "one.bell")])
    yield made
    made.remove()
    made.close()


def test_it_is_its_users_alone(bell):
    status = os.lstat(bell.path)
    assert stat.S_ISFIFO(status.st_mode) and stat.S_IMODE(status.st_mode) & 0o077 == 0


def test_it_is_made_where_it_can_be(tmp_path):
    """Under the first path that can be; under none, it is none."""
    (tmp_path / "taken").touch()
    paths = ["/nowhere/at/all", str(tmp_path / "taken"), str(tmp_path / "free")]
    made = Bell.make(paths)
    assert made.path == paths[-1]
    made.remove()
    made.close()
    assert Bell.make(paths[:2]).path == ""
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("kind", ["gone", "file", "link", "bell"])
def test_removing(tmp_path, bell, kind):
    """Only what is a bell goes."""
    path = tmp_path / kind
    if kind == "file":
        path.touch()
    elif kind == "link":
        path.symlink_to(bell.path)
    elif kind == "bell":
        os.mkfifo(path)
    remove_bell(str(path))
    assert os.path.lexists(path) == (kind in ("file", "link")) and os.path.exists(bell.path)


@pytest.mark.parametrize("times", [1, 1000])
def test_rung_before(bell, times):
    """However often it was rung, that is one waking."""
    other = Bell(bell.path)
    for _ in range(times):
        other.ring()
    assert bell.wait(10.0)
    assert not bell.wait(0.0)
    other.close()


def test_rung_while_it_is_full(bell):
    """Nobody waits for room."""
    other = Bell(bell.path)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(other._descriptor, bytes(1 << 16))
    other.ring()
    while bell.wait(0.0):
        pass
    other.ring()
    assert bell.wait(10.0)
    other.close()


def test_rung_meanwhile(bell):
    other = Bell(bell.path)
    thread = threading.Thread(target=other.ring)
    thread.start()
    assert bell.wait(60.0)
    thread.join()
    other.close()


@pytest.mark.parametrize("kind", ["none", "gone", "file", "link"])
def test_no_bell(tmp_path, bell, kind):
    """Ringing does no harm, and whoever waits looks by himself soon."""
    path = {"none": "", "gone": str(tmp_path / "gone")}.get(kind, str(tmp_path / kind))
    if kind == "file":
        (tmp_path / kind).touch()
    elif kind == "link":
        (tmp_path / kind).symlink_to(bell.path)
    other = Bell(path)
    other.ring()
    assert not other.wait(60.0) and not bell.wait(0.0)
    other.close()
    if kind == "file":
        assert os.path.getsize(path) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_another_users(bell):
    os.chown(bell.path, 65534, -1)
    other = Bell(bell.path)
    other.ring()
    assert not bell.wait(0.0)


def test_a_number_that_is_another_files_by_now(bell, tmp_path):
    """A daemon has closed it: the program's file is left alone."""
    with open(tmp_path / "theirs", "w+b") as theirs:
        number = bell._descriptor
        os.dup2(theirs.fileno(), number)
        bell.ring()
        assert not bell.wait(0.0)
        bell.close()
        assert os.fstat(number).st_size == 0
        os.close(number)


def test_ringing_after_all_have_gone(bell):
    """It is no SIGPIPE, with whoever reads gone."""
    other = Bell(bell.path)
    bell.close()
    other.ring()
    assert other.wait(10.0)
    other.close()
    other.close()


def test_without_poll(bell, monkeypatch):
    """As eventlet leaves `select`: it looks by itself."""
    monkeypatch.setattr(bell_module, "poll", None)
    slept = []
    monkeypatch.setattr(bell_module, "sleep", slept.append)
    bell.ring()
    assert not bell.wait(60.0) and not bell.wait(0.001)
    assert slept == [0.02, 0.001]
    monkeypatch.undo()
    assert not bell.wait(0.0)  # what was rung has been taken out: it does not fill up
