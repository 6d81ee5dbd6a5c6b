"""A lock among processes on an open file: `flock`, with a patience that ends.

`flock` rather than `fcntl.lockf`: the kernel drops it when its holder dies, it
needs no second file, and closing another descriptor of the same file does not
give it away.
"""

from __future__ import annotations

import errno
import os
from time import monotonic, sleep

from ._errors import is_foreign

try:
    import fcntl
except ImportError:  # no POSIX system: nothing to lock with
    fcntl = None  # type: ignore[assignment]

IS_AVAILABLE = bool(fcntl is not None)
if IS_AVAILABLE:  # looked up once: a lock is taken for each record
    flock, UNLOCK = fcntl.flock, fcntl.LOCK_UN
    _EXCLUSIVE, _SHARED = fcntl.LOCK_EX | fcntl.LOCK_NB, fcntl.LOCK_SH | fcntl.LOCK_NB
else:
    flock, UNLOCK = None, 0  # type: ignore[assignment]
    _EXCLUSIVE = _SHARED = 0

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
        is_shared: Take it together with others that take it shared, but not with
            one that has it for itself (`upgrade`, or a lock that isn't shared).

    Attributes:
        is_shared: The same; `stay_alone` ends it.
        is_held_up: Someone has held the lock for longer than that. (`acquire`
            also says False where a file system knows no locks.)
    """

    def __init__(self, timeout: float, is_shared: bool = False) -> None:
        self._timeout = timeout
        self._operation = _SHARED if is_shared else _EXCLUSIVE
        self.is_shared = is_shared
        self.is_held_up = False

    def acquire(self, descriptor: int) -> bool:
        """True once the lock is held; False if it can't be had in time."""
        try:
            flock(descriptor, self._operation)
        except OSError as error:
            if not self._wait(descriptor, self._operation, error):
                return False
        self.is_held_up = False
        return True

    def upgrade(self, descriptor: int) -> bool:
        """Let the lock that `acquire` took be ours alone; False if it can't be had in time.

        The file may change meanwhile: the lock is lost before it is had again.
        """
        try:
            flock(descriptor, _EXCLUSIVE)
        except OSError as error:
            return self._wait(descriptor, _EXCLUSIVE, error)
        return True

    def stay_alone(self) -> None:
        """From the next time on, take it for ourselves."""
        self._operation = _EXCLUSIVE
        self.is_shared = False

    def release(self, descriptor: int) -> None:
        """Give up the lock, if it was taken."""
        try:
            flock(descriptor, UNLOCK)
        except OSError:
            pass  # a file system that knows no locks

    def _wait(self, descriptor: int, operation: int, error: OSError) -> bool:
        if self.is_held_up:
            return False
        if is_foreign(error):
            raise error
        deadline = monotonic() + self._timeout
        yields, pause = _YIELDS, _FIRST_PAUSE
        while True:
            if yields:
                yields -= 1
                os.sched_yield()
            else:
                sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                flock(descriptor, operation)
                return True
            except OSError as again:
                if is_foreign(again):
                    raise
                # To go on without the lock takes a file system that knows none: twice in turn.
                if not (_is_taken(error) or _is_taken(again)):
                    break
                error = again
            if monotonic() >= deadline and _is_taken(error):
                self.is_held_up = True
                break
        return False


class NoLock(FileLock):
    """Stands where no lock is wanted, or none exists."""

    def __init__(self) -> None:
        super().__init__(0)

    def acquire(self, descriptor: int) -> bool:
        """False: it is not held."""
        return False

    def upgrade(self, descriptor: int) -> bool:
        """False: it is not held."""
        return False

    def release(self, descriptor: int) -> None:
        """There is nothing to give up."""


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
