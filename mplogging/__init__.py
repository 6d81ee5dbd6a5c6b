"""Multi-process logging into one dated file: nothing lost, nobody blocked, and fast.

    with mplogging.LogSession("logs/app.log", backupCount=15):
        with multiprocessing.Pool(4) as pool:
            pool.map(work, range(1000))  # workers log to logs/app.log.2026-11-24

`LogSession` goes around main; `DatedFileHandler` also serves alone, in any number
of unrelated processes.
"""

from ._attaching import attach
from ._decorators import worker
from ._errors import (
    ConfigError,
    MPLoggingError,
    MPLoggingWarning,
    SessionClosedError,
    SessionError,
    UnsafeSessionError,
)
from ._files import DatedFileHandler
from ._listener import QueueListener
from ._queue_handler import QueueHandler
from ._session import LogSession
from ._stats import SessionStats

__all__ = [
    "ConfigError",
    "DatedFileHandler",
    "LogSession",
    "MPLoggingError",
    "MPLoggingWarning",
    "QueueHandler",
    "QueueListener",
    "SessionClosedError",
    "SessionError",
    "SessionStats",
    "UnsafeSessionError",
    "attach",
    "worker",
]
