"""`RateLimit`: of what is logged over and over, the first so many, and a count of the rest.

Times are the records' own, so that records which are dealt with later are limited as they
were made. What was held back is told once the time is over and anything comes by, or when
the process or its session ends.
"""

from __future__ import annotations

import atexit
import collections
import logging
import re
import weakref
from collections.abc import Hashable
from threading import RLock
from typing import Any, Callable

from ._errors import ConfigError
from ._forks import see_to_forks
from ._numbers import is_seconds, is_whole, seconds_of
from ._public import public
from ._records import own_record

# So many kinds are known at a time: of a message that is never the same twice, the oldest
# is forgotten before its time.
_MOST_KINDS = 10_000
_SHOWN = 200
_NUMBER = re.compile(r"%d|\d+")
_MARK = "mplogging_held_back"


def _message(record: logging.LogRecord) -> Hashable:
    # A record that has come from another process has its arguments put in already.
    text = _NUMBER.sub("#", record.msg) if isinstance(record.msg, str) else type(record.msg)
    return record.name, record.levelno, text


_KINDS: dict[str, Callable[[logging.LogRecord], Hashable]] = {
    "message": _message,
    "place": lambda record: (record.pathname, record.lineno),
    "logger": lambda record: record.name,
    "all": lambda record: None,
}


class _Window:
    """The time in which so many of a kind may pass."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.passed = self.held = 0
        self.last: logging.LogRecord | None = None


@public
class RateLimit(logging.Filter):
    """A filter for loggers and handlers that lets the first so many records of a kind pass.

    What it has held back is counted, and the count logged by the same logger. It limits what
    each process logs: it can be pickled, a copy begins to count anew, and so does a forked
    child. With `shared`, on a handler of a session, it limits all processes of the session
    together.

    Args:
        records: How many of a kind may pass; 1 or more.
        seconds: In how long a time, from the first of them on; or a timedelta.
        per: What makes records one kind: "message" (the same logger, level and message,
            whatever the numbers in it; in the process that logs, before its arguments are
            put in), "place" (the same line of the source), "logger", or "all" for no
            difference.
        shared: It stays in the session's own process, and can't be pickled. There the lines
            of a file are made then, which costs that process more; False by default.

    Raises:
        ConfigError: An argument has a value that cannot work.
    """

    def __init__(
        self, records: int, seconds: float, per: str = "message", *, shared: bool = False
    ) -> None:
        super().__init__()
        self.records, self.seconds, self.per = records, seconds_of(seconds), per
        if not is_whole(records, 1):
            raise ConfigError(f"records must be a whole number, 1 or more, got {records!r}")
        if not is_seconds(self.seconds) or not self.seconds:
            raise ConfigError(f"seconds must be a number above 0, got {seconds!r}")
        if per not in _KINDS:
            raise ConfigError(f"per must be one of {tuple(_KINDS)}, got {per!r}")
        self.shared = shared
        self._forget()
        _limits.add(self)
        see_to_forks(self, RateLimit._forget)

    def _forget(self) -> None:
        """Begin to count anew."""
        self._lock = RLock()
        # By when they began, the oldest first.
        self._windows: collections.OrderedDict[Hashable, _Window] = collections.OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record may pass."""
        if hasattr(record, _MARK):
            return True
        kind = _KINDS[self.per](record)
        with self._lock:
            over = self._take_over(record.created, kind)
            window = self._windows.get(kind)
            if window is None:
                window = self._windows[kind] = _Window(record.created)
            if window.passed < self.records:
                window.passed += 1
                is_passing = True
            else:
                window.held += 1
                window.last = record
                is_passing = False
        for told in over:  # without the lock: to log may take others
            logging.getLogger(told.name).handle(told)
        return is_passing

    def _take_held(self) -> list[logging.LogRecord]:
        """Records that tell what has been held back until now, which is forgotten."""
        with self._lock:
            windows, self._windows = self._windows, collections.OrderedDict()
        return [self._told(window) for window in windows.values() if window.held]

    def _take_over(self, now: float, kind: Hashable) -> list[logging.LogRecord]:
        """What is told of the windows that are over."""
        windows = self._windows
        over = []
        own = windows.get(kind)
        # Other processes' records come a little out of order; before that, a clock was put back.
        if own is not None and not -self.seconds <= now - own.start < self.seconds:
            over.append(windows.pop(kind))
        while windows:
            oldest = next(iter(windows.values()))
            if now < oldest.start + self.seconds and len(windows) < _MOST_KINDS:
                break
            over.append(windows.popitem(last=False)[1])
        return [self._told(window) for window in over if window.held]

    def _told(self, window: _Window) -> logging.LogRecord:
        last = window.last
        assert last is not None
        try:
            text = last.getMessage()
        except Exception:  # arguments that don't fit: whoever formats a record says so
            text = str(last.msg)
        told = own_record(
            last.levelno, "%d more were held back within %g s, the last: %s",
            window.held, self.seconds, text[:_SHOWN],
        )  # fmt: skip
        told.name = last.name
        setattr(told, _MARK, window.held)
        return told

    def __reduce__(self) -> Any:
        if self.shared:
            raise TypeError(f"{self!r} is shared: it stays in its process")
        return type(self), (self.records, self.seconds, self.per)

    def __repr__(self) -> str:
        shared = ", shared=True" if self.shared else ""
        return f"RateLimit({self.records}, {self.seconds:g}, per={self.per!r}{shared})"


_limits: weakref.WeakSet[RateLimit] = weakref.WeakSet()


def take_all_held() -> list[logging.LogRecord]:
    """What all limits of this process have held back until now."""
    return [told for limit in list(_limits) for told in limit._take_held()]


def tell_all_held() -> None:
    """Log that."""
    for told in take_all_held():
        logging.getLogger(told.name).handle(told)


# Before `logging.shutdown`, which was registered earlier.
atexit.register(tell_all_held)
