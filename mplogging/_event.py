"""What threads wait for: `threading.Event`, of what no later patch of that module reaches.

gevent and its like replace the parts of `threading` at any time, in the midst of a
session too. An event of theirs would be set in a thread that they know nothing of. (Where
they come before us we are made of their parts, as all of the program is.) And as `set` takes
no lock, a signal handler may call it in the midst of another `set`.
"""

from __future__ import annotations

import collections
import contextlib
from _thread import LockType, allocate_lock
from threading import TIMEOUT_MAX


class Event:
    """Is set once, and stays so."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: collections.deque[LockType] = collections.deque()

    def is_set(self) -> bool:
        """True once it is."""
        return self._is_set

    def set(self) -> None:
        """Let all that wait for it go on."""
        self._is_set = True  # first: who comes to wait from here on sees it
        with contextlib.suppress(IndexError):
            while True:
                self._waiting.popleft().release()

    def wait(self, timeout: float) -> bool:
        """Wait for it, for so many seconds at most; returns whether it is set."""
        lock = allocate_lock()
        lock.acquire()
        self._waiting.append(lock)
        try:
            if not self._is_set:
                lock.acquire(True, min(max(timeout, 0.0), TIMEOUT_MAX))
        finally:
            with contextlib.suppress(ValueError):
                self._waiting.remove(lock)
        return self._is_set
