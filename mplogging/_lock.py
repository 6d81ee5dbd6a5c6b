"""A lock among processes on an open file: `flock`, with a patience that ends.

`flock` rather than `fcntl.lockf`: the kernel drops it when its holder dies, it
needs no second file, and closing another descriptor of the same file does not
give it away.
"""

from __future__ import annotations

import errno
import os
import time

try:
    import fcntl
except ImportError:  # no POSIX system: nothing to lock with
    fcntl = None  # type: ignore[assignment]

IS_AVAILABLE = bool(fcntl is not None)
if IS_AVAILABLE:  # looked up once: a lock is taken for each record
    _flock, _UNLOCK = fcntl.flock, fcntl.LOCK_UN
    _LOCK_AT_ONCE = fcntl.LOCK_EX | fcntl.LOCK_NB

# A lock is held for one write, so its next turn is microseconds away: first
# give up the processor only, then sleep ever longer. (Four programs on two cores
# wrote 4 % more with 20 yields than with 3, and than with a blocking flock.)
_YIELDS = 20
_FIRST_PAUSE = 0.00005
_LONGEST_PAUSE = 0.005


class FileLock:
    """Takes and releases the lock of whatever descriptor it is given.

    A holder that has been stopped must not stop the others: when `timeout`
    seconds have passed in vain, `acquire` says False, and from then on says so
    at once until the lock has been free again.

    Args:
        timeout: Seconds to wait for the lock.

    Attributes:
        is_held_up: Someone has held the lock for longer than that. (`acquire`
            also says False where a file system knows no locks.)
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self.is_held_up = False

    def acquire(self, descriptor: int) -> bool:
        """True once the lock is held; False if it can't be had in time."""
        try:
            _flock(descriptor, _LOCK_AT_ONCE)
        except OSError as error:
            if not _is_taken(error) or not self._wait(descriptor):
                return False
        self.is_held_up = False
        return True

    def release(self, descriptor: int) -> None:
        """Give up the lock, if `acquire` took it."""
        try:
            _flock(descriptor, _UNLOCK)
        except OSError:
            pass  # a file system that knows no locks

    def _wait(self, descriptor: int) -> bool:
        if self.is_held_up:
            return False
        deadline = time.monotonic() + self._timeout
        yields, pause = _YIELDS, _FIRST_PAUSE
        while True:
            if yields:
                yields -= 1
                os.sched_yield()
            else:
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                _flock(descriptor, _LOCK_AT_ONCE)
                return True
            except OSError as error:
                if not _is_taken(error):
                    return False
            if time.monotonic() >= deadline:
                self.is_held_up = True
                return False


class NoLock(FileLock):
    """Stands where no lock is wanted, or none exists."""

    def __init__(self) -> None:
        super().__init__(0)

    def acquire(self, descriptor: int) -> bool:
        return False

    def release(self, descriptor: int) -> None:
        pass


def lock(descriptor: int, shared: bool = False) -> None:
    """Take the lock, however long that takes."""
    fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def unlock(descriptor: int) -> None:
    """Give the lock up. Closing the descriptor would not do if a forked child has a copy."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def try_lock(descriptor: int, shared: bool = False) -> bool:
    """Take the lock if that needs no waiting."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if not _is_taken(error):
            raise
        return False
    return True


def _is_taken(error: OSError) -> bool:
    return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
