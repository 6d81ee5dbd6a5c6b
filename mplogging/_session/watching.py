"""Tells when a level of a logger, or of a handler, is changed while the session runs.

A program that `subprocess` starts asks nobody before it attaches: what it finds must have
been put there by then.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from typing import Any, Callable, cast

Step = Callable[[], object]


class HandlerWatch:
    """Sees each `setLevel` of a handler.

    Args:
        tell: Is called then, in the thread that did it.
    """

    def __init__(self, handlers: Callable[[], Iterable[logging.Handler]], tell: Step) -> None:
        self._handlers = handlers
        self._tell = tell
        self._watched: list[logging.Handler] = []

    def begin(self) -> None:
        """From now on; once more for handlers that have come since."""
        for handler in self._handlers():
            if "setLevel" not in vars(handler):
                self._watched.append(handler)
                vars(handler)["setLevel"] = functools.partial(self._set, handler)

    def end(self) -> None:
        """No more."""
        while self._watched:
            vars(self._watched[-1]).pop("setLevel", None)
            self._watched.pop()

    def _set(self, handler: logging.Handler, level: int | str) -> None:
        type(handler).setLevel(handler, level)
        self._tell()


class LevelWatch:
    """Sees each `setLevel` of a logger, and each `logging.disable`.

    Args:
        tell: Is called then, in the thread that did it.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._manager = cast(Any, logging.root.manager)
        self._clear_cache = self._manager._clear_cache
        self._is_dirty = False

    def begin(self) -> None:
        """From now on. Each of them makes the manager forget what it had found out."""
        self._manager._clear_cache = self._see

    def end(self) -> None:
        """No more."""
        if vars(self._manager).get("_clear_cache") == self._see:
            del self._manager._clear_cache

    def has_changed(self) -> bool:
        """True if there was one since this was asked last."""
        is_dirty, self._is_dirty = self._is_dirty, False
        return is_dirty

    def _see(self) -> None:
        self._clear_cache()
        if not self._is_dirty:
            self._is_dirty = True
            self._tell()
