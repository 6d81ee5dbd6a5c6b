"""What could not be done is tried again by itself, in a thread that is there only meanwhile."""

from __future__ import annotations

import contextlib
import sys
from threading import Thread
from typing import Any, Callable

from .._event import Event


class Retrier:
    """Calls `attempt` every `pause` seconds until it says that it is done.

    Args:
        name: Of the thread.
        lock: Returns the lock that its user holds when it calls `start` or `stop`; it
            is held in `attempt` too.
        attempt: Returns True if there is no more to do.
    """

    def __init__(
        self,
        name: str,
        pause: float,
        lock: Callable[[], contextlib.AbstractContextManager[Any]],
        attempt: Callable[[], bool],
    ) -> None:
        self._name = name
        self._pause = pause
        self._lock = lock
        self._attempt = attempt
        self._thread: Thread | None = None
        self._stopping = Event()

    def forget(self) -> None:
        """In a forked child: the thread is the parent's."""
        if self._thread is not None:
            self._thread, self._stopping = None, Event()

    def start(self) -> None:
        """See that it is tried; a second time does nothing."""
        # In an interpreter that is ending a thread would never begin, and be waited for.
        if self._thread is not None and self._thread.is_alive() or sys.is_finalizing():
            return
        self._stopping = Event()
        self._thread = Thread(
            target=self._run, args=(self._stopping,), name=self._name, daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError:  # no thread can be had: the next call is as good
            self._thread = None

    def stop(self) -> None:
        """Let the thread end; nobody waits for it."""
        self._stopping.set()
        self._thread = None

    def _run(self, stopping: Event) -> None:
        while not stopping.wait(self._pause):
            with self._lock():
                if stopping.is_set():
                    return
                # Whatever it raises has been reported, or comes from who reports it.
                with contextlib.suppress(Exception):
                    if self._attempt():
                        self._thread = None
                        return
