"""What a session itself has to say, on its way through the tree of loggers.

    Delivery.tell ─ lead ─┬─ handlers of logger `mplogging.deaths`, say, and of `mplogging`
                          └─ if these propagate: Delivery, as the root logger's handlers

As `Logger.handle` has it, but that a slow handler holds up no thread of the session.
"""

from __future__ import annotations

import logging

from .._records import is_silenced
from .._worker.handler import SessionHandler
from .._worker.tree import Forwarder
from .outputs import Outputs, is_file


class OwnRecords:
    """Of one run of a session.

    Args:
        outputs: Whose handlers have threads of their own.
    """

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs

    def lead(self, record: logging.LogRecord) -> logging.LogRecord | None:
        """Hand it to the handlers of named loggers; what comes to the root logger is returned."""
        logger = logging.getLogger(record.name)
        if logger.disabled or is_silenced(record):
            return None
        verdict: object = logger.filter(record)
        if not verdict:
            return None
        if isinstance(verdict, logging.LogRecord):
            record = verdict
        while logger is not logging.root and logger.parent is not None:
            for handler in list(logger.handlers):
                if record.levelno >= handler.level:
                    self._hand(handler, record)
            if not logger.propagate:
                return None
            logger = logger.parent
        return record

    def _hand(self, handler: logging.Handler, record: logging.LogRecord) -> None:
        if isinstance(handler, (SessionHandler, Forwarder)) or is_file(handler):
            handler.handle(record)  # which waits for nobody
        elif not isinstance(handler, logging.NullHandler):
            self._outputs.routes[self._outputs.route_of(handler)].offer(record)
