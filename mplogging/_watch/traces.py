"""Crash traces: what `faulthandler` writes, unless the program has it write elsewhere."""

from __future__ import annotations

from typing import Any

try:
    import faulthandler
except ImportError:  # in an interpreter beside others: no companion begins there
    pass


class Traces:
    """Of this process.

    Args:
        descriptor: Where they go.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_ours = False
        self._enable: Any = faulthandler.enable

    def begin(self) -> None:
        """From now on."""
        if not faulthandler.is_enabled():
            self._is_ours = True  # first: from here on it is undone
            self._enable(self._descriptor)
            _set_enable(self._enabled)

    def may_go_on(self) -> bool:
        """True if there is nothing to do in a forked child whose descriptor is its own file's."""
        return faulthandler.is_enabled()

    def end(self) -> None:
        """No more."""
        if faulthandler.enable == self._enabled:
            _set_enable(self._enable)
        if self._is_ours:
            self._is_ours = False
            faulthandler.disable()

    def _enabled(self, *args: Any, **kwargs: Any) -> Any:
        """The program wants them elsewhere meanwhile: they are its own from now on."""
        self._is_ours = False
        _set_enable(self._enable)
        return self._enable(*args, **kwargs)


def _set_enable(function: Any) -> None:
    faulthandler.enable = function
