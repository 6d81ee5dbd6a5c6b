"""The system calls of mplogging in one process: counted, and made to fail."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import signal
import sys
import types
from typing import Any, Callable, NamedTuple

_WRITES = (errno.ENOSPC, errno.EIO, errno.EINTR)
_CHANGES = (errno.ENOSPC, errno.EIO)
# By call, the errors that it can give. Of `lseek` and `close` it takes a strange file
# system; a wait for a lock that a signal ends gives EINTR.
ERRORS: dict[str, tuple[int, ...]] = {
    "open": (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EINTR),
    "write": _WRITES,
    "pwrite": _WRITES,
    "flock": (errno.EIO, errno.EINTR),
    "lockf": (errno.EIO, errno.EINTR),
    "ftruncate": (errno.EIO, errno.EINTR),
    "lseek": (errno.EIO,),
    "rename": _CHANGES,
    "replace": _CHANGES,
    "unlink": (errno.EIO,),
    "link": _CHANGES,
    "symlink": _CHANGES,
    "mkdir": _CHANGES,
    "close": (errno.EIO, errno.EINTR),
}
_PACKAGE = "mplogging"
# As they are, for what must not count.
raw_pwrite, raw_write, raw_open, raw_kill, raw_getpid = (
    os.pwrite, os.write, os.open, os.kill, os.getpid
)  # fmt: skip


class Fault(NamedTuple):
    """What happens at one call."""

    kind: str  # "error", "short", "kill before" or "kill after"
    code: int = 0  # the error
    lasts: bool = False  # all further calls of that name fail too

    def __str__(self) -> str:
        error = f" {errno.errorcode[self.code]}" if self.code else ""
        return f"{self.kind}{error}{' from then on' if self.lasts else ''}"


KILL_BEFORE, KILL_AFTER, SHORT = Fault("kill before"), Fault("kill after"), Fault("short")


def faults_of(call: str) -> list[Fault]:
    """All that can happen at a call of this name."""
    found = [KILL_BEFORE, KILL_AFTER, *(Fault("error", code) for code in ERRORS[call])]
    return [*found, SHORT] if call in ("write", "pwrite") else found


class Calls:
    """Counts the calls of one process, and writes each of them down before it is made."""

    def __init__(self) -> None:
        self._pid, self.is_child = 0, False
        self._numbers = itertools.count()
        self._at, self._fault, self._trace = -1, SHORT, -1
        self._failing = ""

    def arm(self, at: int, fault: Fault, trace: int, is_child: bool = False) -> None:
        """From now on, count this process's calls, and have this fault at call number `at`.

        Args:
            trace: A descriptor of the file that gets a line for each call.
            is_child: Not those of this process, but of one that it forks.
        """
        self._numbers, self._failing = itertools.count(), ""
        self._at, self._fault, self._trace = at, fault, trace
        self._pid, self.is_child = raw_getpid(), is_child

    def disarm(self) -> None:
        """Count no more, in this process."""
        self._pid = 0

    def are_counted(self) -> bool:
        """True in the process that is under test."""
        return self._pid != 0 and (self._pid != raw_getpid()) == self.is_child

    def fault(self, name: str, frame: types.FrameType) -> Fault | None:
        """Count one; returns what is to happen to it."""
        if name == "close" and frame.f_back is not None:
            frame = frame.f_back  # who wants it closed
        where = f"{frame.f_globals['__name__'].rpartition('.')[2]}.{frame.f_code.co_name}"
        number = next(self._numbers)
        is_hit = number == self._at
        text = f"{name} {where}:{frame.f_lineno}{' <' if is_hit else ''}\n"
        raw_write(self._trace, text.encode())
        if is_hit and self._fault.lasts:
            self._failing = name
        return self._fault if is_hit or self._failing == name else None


calls = Calls()


def _as_the_system(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose errors count as the system's and not as a signal handler's."""
    copied = types.FunctionType(
        function.__code__,
        {**globals(), "__name__": _PACKAGE},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copied.__kwdefaults__ = function.__kwdefaults__
    return copied


def _wrapped(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        frame = sys._getframe(1)
        is_ours = str(frame.f_globals.get("__name__")).partition(".")[0] == "mplogging"
        if not is_ours or not calls.are_counted():
            return real(*args, **options)
        fault = calls.fault(name, frame)
        if fault is None:
            return real(*args, **options)
        if fault.kind == "kill before":
            raw_kill(raw_getpid(), signal.SIGKILL)
        if fault.kind == "error":
            if name == "close":
                real(*args, **options)  # the number is free then, whatever it says
            possible = ERRORS[name]  # another call may be the N-th this time
            raise OSError(fault.code if fault.code in possible else possible[0], "injected")
        if fault.kind == "short" and name in ("write", "pwrite") and len(args[1]) > 1:
            half = bytes(args[1])[: len(args[1]) // 2]
            return real(args[0], half, *args[2:], **options)
        result = real(*args, **options)
        if fault.kind == "kill after":
            raw_kill(raw_getpid(), signal.SIGKILL)
        return result

    return _as_the_system(call)


def patch() -> None:
    """Let the calls of this process, and of those it forks, go through `calls`.

    It can't be undone: it is for a forked child.
    """
    modules = [
        module for name, module in list(sys.modules.items())
        if name.partition(".")[0] == _PACKAGE and module is not None
    ]  # fmt: skip
    for name in ERRORS:
        owner = fcntl if name in ("flock", "lockf") else os
        real = getattr(owner, name)
        wrapped = _wrapped(name, real)
        setattr(owner, name, wrapped)
        for module in modules:
            for known, value in list(vars(module).items()):
                if value is real:
                    setattr(module, known, wrapped)
