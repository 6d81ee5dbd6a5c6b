"""Processes that this one starts: how they end, and whether the program itself ends them.

    BaseProcess.start ─────────────────┐
    Popen.terminate, kill, interrupt ──┼─ Starts ─┬─ deaths, presence: that is no news
    kill_process_tree of loky ─────────┤          └─ recorder: its ring is of no interest
    os.kill, of the session's process ─┘

These are replaced for as long as anybody here wants to know. All of multiprocessing's own
pools and executors go that way, and those of the packages that it has been forked into.
Supervisors such as uvicorn's send SIGTERM themselves.
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
from types import ModuleType
from typing import Any, Callable

from .._wire.processes import is_exiting
from .._worker.packages import PACKAGES, ImportWatch, process_modules

_WAYS = ("terminate", "kill", "interrupt")
_MEANT, _ASKING = "_mplogging_meant", "_mplogging_asking"


class Starts:
    """Of this process.

    Args:
        tell: Gets the pid of one that the program is about to end.
        is_keeping: Keep how they end.

    Attributes:
        ends: Of each that was started, by pid: the attributes of its `_popen`. They outlive
            that object, and keep no descriptor of it open.
    """

    def __init__(self, tell: Callable[[int], object], is_keeping: bool = False) -> None:
        self.tell = tell
        self._is_keeping = is_keeping
        self.pid = -1  # of whose starts it is
        self.ends: dict[int, dict[str, Any]] = {}

    def begin(self) -> None:
        """From now on; once more in a forked child that goes on with it."""
        self.pid = os.getpid()
        if self not in _all_users:
            _all_users.append(self)
        _imports.begin()

    def end(self) -> None:
        """No more."""
        _all_users[:] = [user for user in _users() if user is not self]
        if not _all_users:
            _imports.end()
            _put_back()

    def keep(self, popen: Any) -> None:
        """It has been started."""
        if self._is_keeping:
            if type(popen).__module__.endswith(".popen_forkserver"):
                _share_poll(popen)
            _replace(os, "kill", _killing)  # now: where nothing was started, it stays as it is
            self.ends[popen.pid] = vars(popen)

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


_all_users: list[Starts] = []
_replaced: dict[tuple[Any, str], tuple[Any, Any]] = {}  # by owner and name: theirs, ours


def _users() -> list[Starts]:
    """Those of this process, not of the one from which it was forked."""
    return [user for user in _all_users if user.pid == os.getpid()]


def _replace(owner: Any, name: str, ours_of: Callable[[Any], Any]) -> None:
    theirs = vars(owner).get(name)
    if theirs is not None and (owner, name) not in _replaced:
        pair = theirs, functools.wraps(theirs)(ours_of(theirs))
        if isinstance(owner, ModuleType):
            pair[1].__module__ = owner.__name__  # as which it can be pickled
        if _replaced.setdefault((owner, name), pair) is pair:  # no other thread was faster
            setattr(owner, name, pair[1])


def _put_back() -> None:
    while _replaced:
        (owner, name), (theirs, ours) = _replaced.popitem()
        if vars(owner).get(name) is ours:  # else another leads on to it, and nobody is told
            setattr(owner, name, theirs)


def _see_packages() -> None:
    for module in process_modules():
        kind = getattr(module, "BaseProcess", None)  # it may be just being imported
        if kind is not None:
            _replace(kind, "start", _starting)
    for package in PACKAGES:  # for processes that are older than we are
        kind = getattr(sys.modules.get(f"{package}.popen_fork"), "Popen", None)
        if kind is not None:
            _see_popen(kind)


_imports = ImportWatch(_see_packages)


def _see_popen(kind: Any) -> None:
    for base in kind.__mro__:
        for way in _WAYS:
            _replace(base, way, _ending)


def _starting(theirs: Callable[[Any], None]) -> Callable[[Any], None]:
    def start(process: Any) -> None:
        theirs(process)
        with contextlib.suppress(Exception):
            if _users():
                _see_popen(type(process._popen))
                _see_loky(type(process).__module__)
                for user in _users():
                    user.keep(process._popen)

    return start


def _ending(theirs: Callable[..., Any]) -> Callable[..., Any]:
    def end(ended: Any, *args: Any, **kwargs: Any) -> Any:
        with contextlib.suppress(Exception):
            popen = getattr(ended, "_popen", ended)
            _mean(popen.pid, vars(popen))
        return theirs(ended, *args, **kwargs)

    return end


def _killing(theirs: Callable[[int, int], None]) -> Callable[[int, int], None]:
    def kill(pid: int, sig: int, /) -> None:
        with contextlib.suppress(Exception):
            if sig == signal.SIGTERM:
                for end in [user.ends[pid] for user in _users() if pid in user.ends]:
                    _mean(pid, end)
        theirs(pid, sig)

    # Of a program that signals itself, its handler's traceback goes through here.
    kill.__code__ = kill.__code__.replace(co_filename="<os.kill>")
    return kill


def _mean(pid: int, end: dict[str, Any]) -> None:
    """The program ends this one; one that is dead by now, or about to be, has died by itself."""
    is_dead = end["returncode"] is not None or is_exiting(pid)
    if _users() and not (is_dead or _is_readable(end["sentinel"])):
        end[_MEANT] = True
        for user in _users():
            with contextlib.suppress(Exception):
                user.tell(pid)


def _see_loky(module: str) -> None:
    """loky's executors (joblib has a copy) kill the workers that they want no more."""
    package, _, rest = module.partition(".backend.")
    executor = sys.modules.get(f"{package}.process_executor") if rest else None
    if executor is not None:
        _replace(executor, "kill_process_tree", _ending)


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
