"""SIGTERM ends the program as it would have, only that the log is complete."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Callable

_SIGNALS = ("SIGTERM", "SIGHUP")


class Signals:
    """Calls `stop` when a signal would end the process, and then lets it.

    A signal for which the program has made other arrangements stays as it is.

    Args:
        stop: Writes everything.
        is_stopping: True while somebody else is at that.
    """

    def __init__(self, stop: Callable[[], Any], is_stopping: Callable[[], bool]) -> None:
        self._stop = stop
        self._is_stopping = is_stopping
        self._pid = os.getpid()
        self._deferred: int | None = None
        self._taken: list[int] = []
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread can set a signal's handler
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._end)
                self._taken.append(number)

    def restore(self) -> None:
        """Give the signals back; one that came during the end has its effect now."""
        for number in self._taken:
            if signal.getsignal(number) == self._end:
                signal.signal(number, signal.SIG_DFL)
        self._taken = []
        if self._deferred is not None:
            os.kill(os.getpid(), self._deferred)

    def _end(self, number: int, frame: FrameType | None) -> None:
        # A forked child has inherited this, but the session is not its own.
        if os.getpid() == self._pid:
            if self._is_stopping():
                self._deferred = number
                return
            self._stop()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
