"""Ends that run no exit handler, and are none the less what the program wants.

A forked process that has done its work calls `os._exit`, or becomes another program by
`os.exec…`. It says so in its file before that.
"""

from __future__ import annotations

import os
from typing import Any, Callable

from .._wire.presence import OwnPresence

_WAYS = ("_exit", "execv", "execve")  # all others of `os` end in one of these


class Exits:
    """Of this process: what `os` has for them is replaced until the end.

    Args:
        presence: Its file; that of a child, in one that goes on with it.
    """

    def __init__(self, presence: OwnPresence) -> None:
        self._presence = presence
        self._replaced: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {}

    def begin(self) -> None:
        """From now on."""
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
                self._presence.stay()  # it has failed

        return exec_

    def _say(self, status: int | None) -> None:
        if self._presence.pid == os.getpid():
            self._presence.leave(status)
