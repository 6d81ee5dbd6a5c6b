"""What `LogSession.setLevel` does: levels for all processes, for good or for a time.

The session's own process sets them on its loggers and in the configuration, which workers
look at; the listener's thread gives them back when their time is over, and does what other
processes ask for (`_wire.requests`).
"""

from __future__ import annotations

import collections
import contextlib
import logging
from collections.abc import Iterator
from threading import RLock
from time import monotonic
from typing import Any, Callable, NamedTuple

from .._errors import ConfigError
from .._levels import check_level
from .._numbers import is_seconds
from .._records import own_record
from .._worker.steering import Steering


class Change(NamedTuple):
    """A level that is asked for, checked."""

    logger: str  # "" is the root logger
    level: int
    seconds: float | None  # None: for good

    def __str__(self) -> str:
        time = "" if self.seconds is None else f" for {self.seconds:g} s"
        return f"{_told(self.logger)} logs from {logging.getLevelName(self.level)} on{time}"


def checked_change(level: int | str, logger: str | None, seconds: float | None) -> Change:
    """What `setLevel` was given.

    Raises:
        ConfigError: It can't be meant; names the argument.
    """
    if not isinstance(logger, str) and logger is not None:
        raise ConfigError(
            f"logger must be a logger's name, or None for the root logger, got {logger!r}"
        )
    if seconds is not None and not (is_seconds(seconds) and 0 < seconds < float("inf")):
        raise ConfigError(
            f"seconds must be a number above 0, or None for good, got {seconds!r}"
        )
    name = "" if logger is None or logger == logging.root.name else logger
    return Change(name, check_level("level", level), seconds)


class SessionLevels:
    """The levels that one run of a session was told.

    Args:
        steering: Of the session's own process.
        publish: Lets the other processes know.
        wake: Lets the listener's thread call `see_to` soon.
    """

    def __init__(
        self,
        steering: Steering,
        publish: Callable[[], object],
        wake: Callable[[], object],
    ) -> None:
        self._steering = steering
        self._publish = publish
        self._wake = wake
        self._lasting: dict[str, int] = {}
        self._timed: dict[str, tuple[int, float]] = {}  # with its end, by `monotonic`
        self._change = RLock()  # reentrant, since a signal handler may set a level
        self._told: collections.deque[logging.LogRecord] = collections.deque()

    def set_level(self, change: Change, by: str | None) -> None:
        """Let it hold from now on.

        Args:
            by: Who wants it, for the log; None does not tell the log.
        """
        name = change.logger
        logging.getLogger(name)  # made by now, as `getLogger(name).setLevel` would
        with self._change:
            if change.seconds is None:
                self._lasting[name] = change.level
                self._timed.pop(name, None)
            else:
                self._timed[name] = change.level, monotonic() + change.seconds
            if by is not None:
                self._told.append(own_record(logging.INFO, "%s: set by %s", change, by))
            self._take_over(name)
        self._wake()

    def see_to(self) -> None:
        """In the listener's thread: give back what is over."""
        if self._is_over():
            with self.at_once() as is_free:
                if is_free:
                    self._give_back()

    @contextlib.contextmanager
    def at_once(self) -> Iterator[bool]:
        """For the listener's thread: False if a level can't be set without waiting.

        Whoever has one of these locks may be waiting for room in the journal.
        """
        others = logging._lock  # type: ignore[attr-defined]
        with _tried(self._change) as is_ours, _tried(others) as is_loggings:
            yield is_ours and is_loggings

    def news(self) -> list[logging.LogRecord]:
        """What the log has not been told yet."""
        return [self._told.popleft() for _ in range(len(self._told))]

    def _is_over(self) -> bool:
        now = monotonic()
        return any(end <= now for _, end in list(self._timed.values()))

    def _give_back(self) -> None:
        now = monotonic()
        for name, (_, end) in list(self._timed.items()):
            if end <= now:
                del self._timed[name]
                self._told.append(
                    own_record(logging.INFO, "%s has its level back", _told(name))
                )
        self._take_over()

    def _take_over(self, given: str | None = None) -> None:
        timed = {name: level for name, (level, _) in self._timed.items()}
        self._steering.follow(tuple({**self._lasting, **timed}.items()), given)
        self._publish()


@contextlib.contextmanager
def _tried(lock: Any) -> Iterator[bool]:
    is_taken = lock.acquire(blocking=False)
    try:
        yield is_taken
    finally:
        if is_taken:
            lock.release()


def _told(logger: str) -> str:
    return f"logger {logger!r}" if logger else "the root logger"
