"""Multi-process logging into one dated file: nothing lost, nobody blocked, and fast.

    with mplogging.LogSession("logs/app.log", backupCount=15):
        with multiprocessing.Pool(4) as pool:
            pool.map(work, range(1000))  # workers log to logs/app.log.2026-11-24

`LogSession` goes around main; `DatedFileHandler` also serves alone, in any number
of unrelated processes.
"""

from ._errors import (
    ConfigError,
    MPLoggingError,
    MPLoggingWarning,
    SessionClosedError,
    SessionError,
    UnsafeSessionError,
)
from ._file.handler import DatedFileHandler
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
for _name in __all__:
    globals()[_name].__module__ = __name__
del _name
