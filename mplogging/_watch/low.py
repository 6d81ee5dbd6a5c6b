"""Records that are too low for the log: how they are had without the program's noticing.

    log.debug ─ Logger.isEnabledFor ─ Logger._log ─ Logger.handle ─ Logger.callHandlers
                    "yes" to log calls alone            │ too low for the logger: kept │
                                                                   too low for the file: kept

No level is changed. What the program itself asks (`isEnabledFor`, `getEffectiveLevel`) is
answered as ever, and handlers get what they get without us.
"""

from __future__ import annotations

import logging
import sys
from types import CodeType, FrameType
from typing import Any, Callable, Protocol

_Logger = logging.Logger
_NAMES = ("isEnabledFor", "handle", "callHandlers")
_ADAPTER: Any = logging.LoggerAdapter
_MAKES: CodeType = _Logger._log.__code__
_ASKS: CodeType = _ADAPTER.isEnabledFor.__code__
_CALLS = {
    getattr(kind, name).__code__
    for kind in (_Logger, _ADAPTER)
    for name in ("debug", "info", "warning", "error", "critical", "log")
}


class Keeper(Protocol):
    """Takes what is too low for the log."""

    def is_wanted(self) -> bool:
        """False if this process's records go elsewhere at present."""

    def least(self) -> int:
        """The level from which on the log takes records that loggers let pass."""

    def keep(self, record: logging.LogRecord, logger: logging.Logger | None) -> None:
        """Take it; with a logger, that one's filters have not seen it yet, nor has anybody."""


# The last one counts: a session may run within another.
_keepers: list[Keeper] = []
_is_in_place = False
_enabled: Callable[[logging.Logger, int], bool] = _Logger.isEnabledFor
_handled: Callable[[logging.Logger, logging.LogRecord], None] = _Logger.handle
_handlers_called: Callable[[logging.Logger, logging.LogRecord], None] = _Logger.callHandlers


def begin(keeper: Keeper) -> None:
    """From now on, it gets them."""
    global _enabled, _handled, _handlers_called, _is_in_place
    if not _is_in_place:
        _enabled, _handled, _handlers_called = _methods()
        _set(_is_enabled_for, _handle, _call_handlers)
        _is_in_place = True
    _keepers.append(keeper)


def end(keeper: Keeper) -> None:
    """No more; all is as it was after the last."""
    global _is_in_place
    if keeper in _keepers:
        _keepers.remove(keeper)
    # Where somebody else has come on top of ours, these stay, and lead on.
    if not _keepers and _methods() == (_is_enabled_for, _handle, _call_handlers):
        _set(_enabled, _handled, _handlers_called)
        _is_in_place = False


def _methods() -> Any:
    return tuple(getattr(_Logger, name) for name in _NAMES)


def _set(*methods: object) -> None:
    for name, method in zip(_NAMES, methods):
        setattr(_Logger, name, method)


def _is_enabled_for(self: logging.Logger, level: int) -> bool:
    return _enabled(self, level) or (_is_log_call(sys._getframe(1)) and _is_low(self, level))


def _handle(self: logging.Logger, record: logging.LogRecord) -> None:
    if not _enabled(self, record.levelno) and _keepers:
        # Of records that the program makes itself, and hands to a logger, none asks the level.
        frame = sys._getframe(1)
        if frame.f_code is _MAKES and _is_log_call(frame.f_back):
            _keepers[-1].keep(record, self)
            return
    _handled(self, record)


def _call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
    _handlers_called(self, record)
    if _keepers:
        keeper = _keepers[-1]
        if record.levelno < keeper.least() and keeper.is_wanted() and _leads_to_root(self):
            keeper.keep(record, None)


def _is_log_call(frame: FrameType | None) -> bool:
    # By way of an adapter, or of a class of the program's own that extends `_log`.
    while frame is not None and (frame.f_code is _ASKS or frame.f_code.co_name == "_log"):
        frame = frame.f_back
    return frame is not None and frame.f_code in _CALLS


def _is_low(logger: logging.Logger, level: int) -> bool:
    """Is it the level alone that keeps such a record from the log?

    A logger that the program has made less talkative than the root logger stays so.
    """
    return (
        level < logger.getEffectiveLevel() <= logging.root.level
        and logger.manager.disable < level
        and not logger.disabled
        and bool(_keepers)
        and _keepers[-1].is_wanted()
        # A class of the program's own that has another would let it pass.
        and type(logger).handle is _handle
        and "handle" not in vars(logger)
        and _leads_to_root(logger)
    )


def _leads_to_root(logger: logging.Logger) -> bool:
    above: logging.Logger | None = logger
    while above is not None and above.propagate:
        above = above.parent
    return above is None or above.parent is None
