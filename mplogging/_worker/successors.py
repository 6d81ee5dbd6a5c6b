"""Where the next session of a program is found, by a worker whose own is over.

Its journal stands in the same directory, if it logs there too: no more is needed for a pool
that outlives a session, and nobody has to leave word for workers that may never come.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import time
from typing import Protocol

from .._delivery.direct import DirectWriter
from .._errors import SessionError
from .._wire.place import Place, is_open_here, prefix
from .._wire.writer import Over
from .config import Config

_TICK_NS = 100_000_000  # longer than a tick of any file system's clock that matters
_BEGINNING_SECONDS = 60.0  # longer than a session takes to begin


class Successors:
    """The other sessions beside one that is over.

    Args:
        path: Of the place of the session that is over.
        process: In which it was, see `_wire.processes`; theirs is the same.
    """

    def __init__(self, path: str, process: str) -> None:
        self._directory = os.path.dirname(path)
        self._process = process
        self._changed_at = 0  # the directory, when there was none
        self._passed_over = {path}

    def may_have_come(self) -> bool:
        """True if there may be one that was not there when it was looked for last."""
        with contextlib.suppress(OSError):
            return os.stat(self._directory).st_mtime_ns != self._changed_at
        return False

    def address(self) -> str | None:
        """The address of one that is not over; None if there is none."""
        try:
            changed_at = os.stat(self._directory).st_mtime_ns
            names = [name for name in os.listdir(self._directory) if name.startswith(prefix())]
        except OSError:
            return None
        # What comes in the same tick of the clock leaves the time as it is.
        is_all_seen = time.time_ns() - changed_at > _TICK_NS
        for name in names:
            path = os.path.join(self._directory, name)
            if path in self._passed_over or is_open_here(path):
                continue
            config = _config(path)
            if config is not None and config.tree is not None:  # else a further file's
                if config.process == self._process:
                    return path
            elif _is_new(path):
                is_all_seen = False  # it may be about to be one
        if is_all_seen:
            self._changed_at = changed_at
        return None

    def pass_over(self, address: str) -> None:
        """This one is of no use."""
        self._passed_over.add(address)


def _config(path: str) -> Config | None:
    """What a session that is not over says of itself."""
    try:
        place = Place.open(path)
    except SessionError:
        return None
    try:
        config: Config = pickle.loads(place.read_config())
        return None if place.read_head().is_over else config
    except Exception:  # it has just begun, is another version's, or goes
        return None
    finally:
        place.close()


def _is_new(path: str) -> bool:
    with contextlib.suppress(OSError):
        return abs(time.time() - os.stat(path).st_mtime) < _BEGINNING_SECONDS
    return False


class Onward(Protocol):
    """Where records go once their session is over."""

    def may_begin(self) -> bool:
        """True if another session may have begun."""

    def go_on(self, record: logging.LogRecord, handler: logging.Handler) -> bool:
        """True if the record has come to another session, and this handler is not to send it."""


class Nowhere:
    """No other session is looked for."""

    def may_begin(self) -> bool:
        return False

    def go_on(self, record: logging.LogRecord, handler: logging.Handler) -> bool:
        return False


class ProvisionalWriter:
    """Writes as long as no other session has begun.

    Args:
        direct: What it writes with.
        onward: Knows of other sessions.
    """

    def __init__(self, direct: DirectWriter, onward: Onward) -> None:
        self.direct = direct
        self._onward = onward

    def send(self, kind: int, created: float, payload: bytes) -> None:
        """As that of `DirectWriter`.

        Raises:
            Over: Another session may have begun.
        """
        if self._onward.may_begin():
            raise Over
        self.direct.send(kind, created, payload)

    def wait(self, timeout: float | None = None) -> None:
        """There is always room."""

    def speak_first(self) -> None:
        """Nothing has to be said: there is nobody to hear it."""
