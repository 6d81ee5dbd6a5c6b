"""SIGTERM and SIGHUP end the program as they would have, only that the log is complete."""

from __future__ import annotations

import os
import signal
import sys
from threading import current_thread, local, main_thread
from types import FrameType
from typing import Any, Callable

from .._forks import see_to_forks
from .._worker.interpreters import IS_BESIDE_OTHERS

_SIGNALS = ("SIGTERM", "SIGHUP")
# At a fork, `signal` itself would look up its names for each number: a child's copies of the
# pages that this touches cost it 0.1 ms.
_bare: Any = sys.modules.get("_signal", signal)


class Signals:
    """Calls `stop` when a signal would end the process, and then lets it.

    A signal for which the program has made other arrangements stays as it is. One that
    an outer session has taken goes on to that.

    Args:
        stop: Writes everything.
        is_stopping: True while somebody else is at that.
    """

    def __init__(self, stop: Callable[[], Any], is_stopping: Callable[[], bool]) -> None:
        self._stop = stop
        self._is_stopping = is_stopping
        self._pid = os.getpid()
        self._deferred: int | None = None
        self.taken: dict[int, Any] = {}  # signals, and what they had before
        self._is_over = False

    def take(self) -> None:
        """Be there for the signals that the program has left at their default."""
        if IS_BESIDE_OTHERS or current_thread() is not main_thread():
            return  # only the main thread can set a signal's handler
        see_to_forks(self, Signals.give_back)
        if self._pid == 1:
            return  # the kernel lets these pass it by: to end it now would be new
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is None:
                continue
            before = signal.getsignal(number)
            if before is signal.SIG_DFL or getattr(before, "__func__", None) is Signals._end:
                self.taken[int(number)] = _bare.getsignal(number)
                _ever_taken.add(int(number))
                signal.signal(number, self._end)

    def restore(self) -> None:
        """Give the signals back; one that came during the end has its effect now."""
        self._is_over = True
        self.give_back()
        if self._deferred is not None:
            os.kill(os.getpid(), self._deferred)

    def give_back(self) -> None:
        """Let the signals have the effect that they had before."""
        if current_thread() is not main_thread():
            return  # `_end` stays, and does by now what the default does
        for number, before in self.taken.items():
            if _bare.getsignal(number) == self._end:
                _bare.signal(number, before)
        self.taken = {}

    def _end(self, number: int, frame: FrameType | None) -> None:
        is_ours = os.getpid() == self._pid and not self._is_over
        if is_ours and self._is_stopping():
            self._deferred = number
            return
        before = self.taken.get(number) if is_ours else None
        try:
            if is_ours:
                self._stop()
        finally:
            signal.signal(number, before or signal.SIG_DFL)
            os.kill(os.getpid(), number)


# -- forked children: the session is not theirs, so the signals are not ours there --
#
# A signal that meets a child before it has its defaults back would be lost: at a
# fork the interpreter forgets what came. So it is blocked until then.

_ever_taken: set[int] = set()
_forking = local()


def _block() -> None:
    _forking.mask = None
    if _ever_taken:
        _forking.mask = _bare.pthread_sigmask(_bare.SIG_BLOCK, _ever_taken)


def _unblock() -> None:
    if _forking.mask is not None:
        _bare.pthread_sigmask(_bare.SIG_SETMASK, _forking.mask)


if hasattr(os, "register_at_fork"):
    # In a child after that of `_forks`, which was registered before: a fork's hooks run in order.
    os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=_unblock)
