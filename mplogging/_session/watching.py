"""Tells when a level is changed while the session runs.

A program that `subprocess` starts asks nobody before it attaches: what it finds must have
been put there by then.
"""

from __future__ import annotations

import logging
from typing import Any, Callable, cast


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
