"""`QueueHandler`: a record into a queue, whatever the record carries."""

from __future__ import annotations

import logging
import logging.handlers
import queue as queues
from typing import Any

from .._public import public
from .._records import replace_unpicklable

_WITHIN_THE_PROCESS = (queues.Queue, queues.SimpleQueue)


@public
class QueueHandler(logging.handlers.QueueHandler):
    """Puts each record into a queue, as `logging.handlers.QueueHandler` does.

    The queue's other end is a `QueueListener`, this package's or the standard library's, or
    a `LogSession` that was given this queue. An `extra=` field that can't be pickled arrives
    as its `repr`, where a `multiprocessing.Queue` would lose the record in silence.

    Args:
        queue: A `queue.Queue`, `multiprocessing.Queue`, `Manager().Queue()`, or what else has
            their `put_nowait`. While it is full, records go to `handleError`.
    """

    listener: Any = None  # set by `dictConfig` of Python 3.12 and later

    def __init__(self, queue: Any) -> None:
        super().__init__(queue)

    def prepare(self, record: logging.LogRecord) -> Any:
        """A copy of the record as it can travel: its message is merged, and is text."""
        prepared = super().prepare(record)
        # Merged into the message already; some versions leave it to be printed twice.
        prepared.stack_info = None
        if not isinstance(self.queue, _WITHIN_THE_PROCESS):
            replace_unpicklable(prepared)
        return prepared
