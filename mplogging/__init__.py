"""Multi-process logging into one dated file: nothing lost, nobody blocked, and fast.

    with mplogging.LogSession("logs/app.log", backupCount=15):
        with multiprocessing.Pool(4) as pool:
            pool.map(work, range(1000))  # workers log to logs/app.log.2026-11-24

`LogSession` goes around main; `DatedFileHandler` also serves alone, in any number
of unrelated processes.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

from ._errors import (
    ConfigError,
    MPLoggingError,
    MPLoggingWarning,
    SessionClosedError,
    SessionError,
    UnsafeSessionError,
)

if _TYPE_CHECKING:
    from ._file.handler import DatedFileHandler
    from ._limit import RateLimit
    from ._queues.handler import QueueHandler
    from ._queues.listener import QueueListener
    from ._reading.entry import Entry
    from ._reading.positions import Missed
    from ._reading.reader import LogReader
    from ._session.session import LogSession, current_session
    from ._session.stats import SessionStats
    from ._worker.attaching import attach
    from ._worker.decorators import worker

__version__ = "0.2.0"

__all__ = [
    "ConfigError",
    "DatedFileHandler",
    "Entry",
    "LogReader",
    "LogSession",
    "MPLoggingError",
    "MPLoggingWarning",
    "Missed",
    "QueueHandler",
    "QueueListener",
    "RateLimit",
    "SessionClosedError",
    "SessionError",
    "SessionStats",
    "UnsafeSessionError",
    "attach",
    "current_session",
    "worker",
]

# Where a name is made. Its module is loaded when it is asked for, with what that needs:
# a worker needs nothing of a session, and who writes a file needs neither.
_ROOMS = {
    "DatedFileHandler": "_file.handler",
    "Entry": "_reading.entry",
    "LogReader": "_reading.reader",
    "LogSession": "_session.session",
    "Missed": "_reading.positions",
    "QueueHandler": "_queues.handler",
    "QueueListener": "_queues.listener",
    "RateLimit": "_limit",
    "SessionStats": "_session.stats",
    "attach": "_worker.attaching",
    "current_session": "_session.session",
    "worker": "_worker.decorators",
}

if not _TYPE_CHECKING:  # a checker finds them above, and a mistyped name nowhere

    def __getattr__(name: str) -> object:
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(_import_module(f".{_ROOMS[name]}", __name__), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_ROOMS})
