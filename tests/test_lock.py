"""The lock among processes: who waits, for how long, and who doesn't."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import types

import pytest

from mplogging import _lock
from mplogging._lock import FileLock, NoLock, try_lock, unlock


@pytest.fixture
def descriptors(tmp_path):
    """Two descriptors of one file, as two processes have them."""
    path = tmp_path / "file"
    pair = [os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2)]
    yield pair
    for descriptor in pair:
        os.close(descriptor)


def test_one_at_a_time(descriptors):
    """Who comes second gets it once the first has given it up."""
    one, other = descriptors
    assert FileLock(0).acquire(one)
    assert not FileLock(0).acquire(other)
    FileLock(0).release(one)
    assert FileLock(0).acquire(other)


def test_it_waits(descriptors):
    """Up to its timeout."""
    one, other = descriptors
    lock = FileLock(60)
    assert lock.acquire(one)
    timer = threading.Timer(0.05, fcntl.flock, (one, fcntl.LOCK_UN))
    timer.start()
    assert lock.acquire(other)
    assert not lock.is_held_up
    timer.join()


@pytest.mark.parametrize("interrupted", [1, 2, 3])
def test_a_wait_is_interrupted(descriptors, monkeypatch, interrupted):
    """It goes on, whichever of its attempts that was."""
    one, other = descriptors
    fcntl.flock(one, fcntl.LOCK_EX)
    attempts = []

    def flock(descriptor, operation):
        attempts.append(descriptor)
        if len(attempts) == interrupted:
            raise InterruptedError(errno.EINTR, "interrupted")
        if len(attempts) == 4:
            fcntl.flock(one, fcntl.LOCK_UN)
        fcntl.flock(descriptor, operation)

    # As the lock's module would raise it: what another raises is a signal handler's.
    flock = types.FunctionType(
        flock.__code__, {**globals(), "__name__": _lock.__name__}, "flock", None, flock.__closure__
    )
    monkeypatch.setattr(_lock, "flock", flock)
    assert FileLock(60).acquire(other)
    assert len(attempts) == 4


def test_it_waits_in_vain_once(descriptors, monkeypatch):
    """From then on it does not wait at all until the lock has been free."""
    one, other = descriptors
    fcntl.flock(one, fcntl.LOCK_EX)
    lock = FileLock(0.01)
    assert not lock.acquire(other)
    assert lock.is_held_up
    pauses = []
    monkeypatch.setattr("mplogging._lock.sleep", pauses.append)
    assert not lock.acquire(other)
    assert not pauses
    fcntl.flock(one, fcntl.LOCK_UN)
    assert lock.acquire(other)
    assert not lock.is_held_up


def test_again_by_the_same_descriptor(descriptors):
    """What an interrupt left taken is no obstacle to its own process."""
    lock = FileLock(0)
    assert lock.acquire(descriptors[0])
    assert lock.acquire(descriptors[0])


def test_where_there_are_no_locks(tmp_path):
    """No lock, no waiting, no error."""
    lock = FileLock(60)
    assert not lock.acquire(-1 & 0xFFFF)
    assert not lock.is_held_up
    lock.release(-1 & 0xFFFF)
    assert not NoLock().acquire(0)


def test_trying(descriptors):
    """Shared ones go together; neither waits."""
    one, other = descriptors
    assert try_lock(one, shared=True)
    assert try_lock(other, shared=True)
    assert not try_lock(other)
    unlock(one)
    assert try_lock(other)


def test_shared_and_alone(tmp_path):
    """Sharers don't wait for each other; who wants it alone waits for them, and they for it."""
    path = tmp_path / "file"
    path.write_text("")
    with open(path, "rb") as one, open(path, "rb") as two:
        first, second = FileLock(0.05, is_shared=True), FileLock(0.05, is_shared=True)
        assert first.acquire(one.fileno()) and second.acquire(two.fileno())
        assert not second.upgrade(two.fileno())
        first.release(one.fileno())
        second = FileLock(0.05, is_shared=True)
        assert second.acquire(two.fileno()) and second.upgrade(two.fileno())
        assert not first.acquire(one.fileno()) and first.is_held_up
        second.release(two.fileno())
        assert first.acquire(one.fileno()) and not first.is_held_up
        first.release(one.fileno())
        second.stay_alone()
        assert second.acquire(two.fileno()) and not second.is_shared
        assert not first.acquire(one.fileno())
        second.release(two.fileno())
