"""Records that others than this package's own processes send: a `LogRecord` as it is."""

from __future__ import annotations

import logging

from .._records import dump_record
from .._wire.frames import RECORD, Message, join_record


def record_message(record: logging.LogRecord) -> Message:
    """The message for a record that a `QueueHandler` has put into the session's queue.

    Raises:
        Exception: It is not as a record is.
    """
    # No line at all is a stand-in too: the file's own handler makes it, here.
    payload = join_record(b"", dump_record(record), is_stand_in=True)
    return Message(RECORD, int(record.process or 0), float(record.created), payload)
