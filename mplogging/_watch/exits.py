"""Ends that run no exit handler, and are none the less what the program wants.

A forked process that has done its work calls `os._exit`, or becomes another program by
`os.exec…`. It says so before that, in its files in the session's directory.
"""

from __future__ import annotations

import os
from typing import Any, Callable

_WAYS = ("_exit", "execv", "execve")  # all others of `os` end in one of these


class Exits:
    """Of this process: what `os` has for them is replaced until the end.

    Args:
        leave: Gets the exit status first; None for another program.
        stay: Is called if that could not be had.
    """

    def __init__(
        self, leave: Callable[[int | None], object], stay: Callable[[], object]
    ) -> None:
        self._leave, self._stay = leave, stay
        self._pid = -1
        self._replaced: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {}

    def go_on(self) -> None:
        """In a forked child: of that one."""
        self._pid = os.getpid()

    def begin(self) -> None:
        """From now on."""
        self._pid = os.getpid()
        for name in _WAYS:
            real = getattr(os, name)
            ours = self._exit_of(real) if name == "_exit" else self._exec_of(real)
            ours.__module__, ours.__qualname__ = "os", name  # as which it can be pickled
            self._replaced[name] = real, ours
            setattr(os, name, ours)

    def end(self) -> None:
        """No more."""
        for name, (real, ours) in self._replaced.items():
            if getattr(os, name) is ours:
                setattr(os, name, real)

    def _exit_of(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def _exit(status: int) -> Any:
            try:
                self._say(status & 0xFF)
            finally:
                real(status)

        return _exit

    def _exec_of(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def exec_(*args: Any, **kwargs: Any) -> Any:
            self._say(None)
            try:
                return real(*args, **kwargs)
            finally:
                self._stay()  # it has failed

        return exec_

    def _say(self, status: int | None) -> None:
        if self._pid == os.getpid():
            self._leave(status)
