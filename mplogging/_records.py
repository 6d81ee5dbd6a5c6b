"""A `LogRecord` as bytes, and back, for handlers in another process.

What can't travel does not take the record with it: each attribute that can't be
pickled arrives as its `repr`, and what can't be unpickled is left out.
"""

from __future__ import annotations

import logging
import pickle
from typing import Any

# Plain values in every record: these always travel, in one pickle.
_PLAIN = (
    "name", "levelno", "levelname", "pathname", "filename", "module", "lineno", "funcName",
    "created", "msecs", "relativeCreated", "thread", "threadName", "processName", "process",
    "taskName", "stack_info",
)  # fmt: skip
_REPLACED = {"msg", "args", "exc_info", "exc_text", "message", "asctime"}
_DEFAULT_FORMATTER = logging.Formatter()


def dump_record(record: logging.LogRecord) -> bytes:
    """The record with its message merged and its traceback as text.

    As `logging.handlers.QueueHandler.prepare`, except that the traceback stays
    apart from the message (in `exc_text`), where formatters look for it.
    """
    fields = record.__dict__
    plain = {name: fields[name] for name in _PLAIN if name in fields}
    plain["msg"] = record.getMessage()
    plain["args"] = plain["exc_info"] = None
    if record.exc_info and not record.exc_text:
        record.exc_text = _DEFAULT_FORMATTER.formatException(record.exc_info)
    plain["exc_text"] = record.exc_text
    extra = {
        name: value
        for name, value in fields.items()
        if name not in plain and name not in _REPLACED
    }
    return pickle.dumps((plain, _dump_extra(extra) if extra else b""), pickle.HIGHEST_PROTOCOL)


def load_record(data: bytes) -> tuple[logging.LogRecord, BaseException | None]:
    """The record, and what kept its `extra=` fields from being unpickled, if anything did.

    Raises:
        Exception: The data are no record.
    """
    plain, extra = pickle.loads(data)
    problem = None
    if extra:
        try:
            plain.update(pickle.loads(extra))
        except Exception as error:
            problem = error
    return logging.makeLogRecord(plain), problem


def _dump_extra(extra: dict[str, Any]) -> bytes:
    try:
        return pickle.dumps(extra, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return pickle.dumps({name: _picklable(value) for name, value in extra.items()})


def _picklable(value: Any) -> Any:
    try:
        pickle.dumps(value)
    except Exception:
        try:
            return repr(value)
        except Exception as error:
            return f"<{type(value).__name__}: repr() raised {type(error).__name__}>"
    return value
