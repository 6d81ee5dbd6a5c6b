"""Multi-process logging into one dated file: nothing lost, nobody blocked, and fast.

    with mplogging.LogSession("logs/app.log", backupCount=15):
        with multiprocessing.Pool(4) as pool:
            pool.map(work, range(1000))  # workers log to logs/app.log.2026-11-24

`LogSession` goes around main; `DatedFileHandler` also serves alone, in any number
of unrelated processes.
"""

import importlib as _importlib
import typing as _typing

from ._errors import (
    ConfigError,
    MPLoggingError,
    MPLoggingWarning,
    SessionClosedError,
    SessionError,
    UnsafeSessionError,
)
from ._file.handler import DatedFileHandler
from ._limit import RateLimit
from ._queues.handler import QueueHandler
from ._queues.listener import QueueListener
from ._session.session import LogSession, current_session
from ._session.stats import SessionStats
from ._worker.attaching import attach
from ._worker.decorators import worker

if _typing.TYPE_CHECKING:
    from ._reading.entry import Entry
    from ._reading.positions import Missed
    from ._reading.reader import LogReader

# Loaded when they are asked for: each process that logs imports this package.
_READING = {"Entry": "entry", "LogReader": "reader", "Missed": "positions"}

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

# Users meet these names here, not in the rooms they were made in: in reprs, pickles,
# tracebacks and `help`.
for _name in set(__all__) - set(_READING):
    globals()[_name].__module__ = __name__
del _name


def __getattr__(name: str) -> _typing.Any:
    if name not in _READING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = _importlib.import_module(f"._reading.{_READING[name]}", __name__)
    value = globals()[name] = getattr(room, name)
    value.__module__ = __name__
    return value
