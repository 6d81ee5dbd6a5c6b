"""Processes that this one starts: how they end, and whether the program itself ends them.

`Process.start` is replaced until the end, and the `terminate` and `kill` of the object that
it makes (`Process._popen`): all of multiprocessing's own pools and executors go that way.
Supervisors such as uvicorn's send SIGTERM themselves: there, `os.kill` is replaced.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import sys
import weakref
from _thread import RLock
from typing import Any, Callable

from .._worker.packages import FORKED_PACKAGES

_MODULES = [f"{package}.process" for package in ("multiprocessing", *FORKED_PACKAGES)]
_WAYS = ("terminate", "kill", "interrupt")
_MEANT, _ASKING = "_mplogging_meant", "_mplogging_asking"


class Starts:
    """Of this process.

    Args:
        tell: Gets the pid of one that the program is about to end.
        is_at_work: False in a process that another looks after, as in a fork.
        is_keeping: Keep how they end.

    Attributes:
        ends: Of each that was started, by pid: the attributes of its `_popen`. They outlive
            that object, and keep no descriptor of it open.
    """

    def __init__(
        self,
        tell: Callable[[int], object],
        is_at_work: Callable[[], bool],
        is_keeping: bool = False,
    ) -> None:
        self._tell = tell
        self._is_at_work = is_at_work
        self._is_keeping = is_keeping
        self._replaced: list[tuple[Any, str, Any, Any]] = []
        self.ends: dict[int, dict[str, Any]] = {}

    def begin(self) -> None:
        """From now on; once more for packages that have been loaded since."""
        for name in _MODULES:
            kind: Any = getattr(sys.modules.get(name), "BaseProcess", None)
            if hasattr(kind, "start") and not self._has_replaced(kind):
                self._replace(kind, "start", self._start_of(kind.start))
        if self._is_keeping:
            self._replace(os, "kill", self._kill_of(os.kill))

    def end(self) -> None:
        """No more."""
        self._is_at_work = lambda: False  # where another has replaced ours, it stays
        for owner, name, real, ours in reversed(self._replaced):
            if getattr(owner, name) is ours:
                setattr(owner, name, real)

    def returncode(self, pid: int) -> int | None:
        """How this one ended, if the program knows."""
        code: int | None = self.ends.get(pid, {}).get("returncode")
        return code

    def ask(self, pid: int) -> int | None:
        """The same; what nobody has asked for yet, of one that is dead, is asked for."""
        code = self.returncode(pid)
        asking = self.ends.get(pid, {}).get(_ASKING)
        if code is None and asking is not None:
            with contextlib.suppress(Exception):
                code = asking()
        return code

    def is_meant(self, pid: int) -> bool:
        """True if the program has ended this one."""
        return _MEANT in self.ends.get(pid, ())

    def _has_replaced(self, owner: Any) -> bool:
        for replaced, *_ in self._replaced:
            if replaced is owner:
                return True
        return False

    def _replace(self, owner: Any, name: str, ours: Any) -> None:
        self._replaced.append((owner, name, getattr(owner, name), ours))
        setattr(owner, name, ours)

    def _start_of(self, real: Callable[[Any], None]) -> Callable[[Any], None]:
        @functools.wraps(real)
        def start(process: Any) -> None:
            real(process)
            if self._is_at_work():
                with contextlib.suppress(Exception):
                    self._note(process)

        return start

    def _kill_of(self, real: Callable[[int, int], None]) -> Callable[[int, int], None]:
        def kill(pid: int, sig: int, /) -> None:
            if sig == signal.SIGTERM and pid in self.ends and self._pid == os.getpid():
                self._mean(pid, self.ends[pid])
            real(pid, sig)

        kill.__module__, kill.__qualname__ = "os", "kill"  # as which it can be pickled
        return kill

    def _note(self, process: Any) -> None:
        popen = process._popen
        for way in _WAYS:
            if hasattr(popen, way):
                vars(popen)[way] = functools.partial(self._stop, weakref.ref(popen), way)
        if self._is_keeping:
            if type(popen).__module__.endswith(".popen_forkserver"):
                _share_poll(popen)
            self.ends[popen.pid] = vars(popen)
        self._note_loky(type(process).__module__)

    def _stop(self, popen_of: Callable[[], Any], way: str, *args: Any) -> Any:
        popen = popen_of()
        self._mean(popen.pid, vars(popen))
        return getattr(type(popen), way)(popen, *args)

    def _mean(self, pid: int, end: dict[str, Any]) -> None:
        """The program ends this one; one that is dead by now has died by itself."""
        with contextlib.suppress(Exception):
            if end["returncode"] is None and not _is_readable(end["sentinel"]):
                end[_MEANT] = True
                self._tell(pid)

    def _note_loky(self, module: str) -> None:
        """loky's executors (joblib has a copy) kill the workers that they want no more."""
        package, _, rest = module.partition(".backend.")
        executor = sys.modules.get(f"{package}.process_executor") if rest else None
        real = getattr(executor, "kill_process_tree", None)
        if real is None or self._has_replaced(executor):
            return

        @functools.wraps(real)
        def kill_process_tree(process: Any, *args: Any, **kwargs: Any) -> Any:
            if self._is_at_work():
                self._mean(process._popen.pid, vars(process._popen))
            return real(process, *args, **kwargs)

        self._replace(executor, "kill_process_tree", kill_process_tree)


def _share_poll(popen: Any) -> None:
    """Let us ask as well how a process of the fork server has ended.

    The answer comes once, through a pipe: of two that ask at once, one would read nothing.
    """
    turn = RLock()  # a signal handler may ask in the midst of it
    popen_of: Callable[[], Any] = weakref.ref(popen)

    def poll(*args: Any) -> Any:
        with turn:
            popen = popen_of()
            return type(popen).poll(popen, *args)

    def ask() -> Any:
        if not turn.acquire(blocking=False):
            return None  # who waits for it will know
        try:
            popen = popen_of()
            return None if popen is None else type(popen).poll(popen)
        finally:
            turn.release()

    vars(popen).update({"poll": poll, _ASKING: ask})


def _is_readable(descriptor: int) -> bool:
    """True of the sentinel of a process that is dead."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
