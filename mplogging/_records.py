"""Records of our own, and a `LogRecord` as bytes and back, for handlers in another process.

What can't travel does not take the record with it: each attribute that can't be
pickled arrives as its `repr`, and what can't be unpickled is left out.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping
from typing import Any

_REPLACED = {"msg", "args", "exc_info", "exc_text", "message", "asctime"}
_PLAIN_TYPES = (str, int, float, bool, type(None))
_DEFAULT_FORMATTER = logging.Formatter()


def make_record(attributes: Mapping[str, Any]) -> logging.LogRecord:
    """As `logging.makeLogRecord`, past a record factory of the program's own.

    It may not stand the empty record that this begins with.
    """
    record = logging.LogRecord("", logging.NOTSET, "", 0, "", (), None)
    record.__dict__.update(attributes)
    return record


def own_record(level: int, text: str, *args: object) -> logging.LogRecord:
    """A record of mplogging's own."""
    return make_record({
        "name": "mplogging", "levelno": level, "levelname": logging.getLevelName(level),
        "msg": text, "args": args,
    })


_STANDARD = make_record({}).__dict__.keys()


def dump_record(record: logging.LogRecord) -> bytes:
    """The record with its message merged and its traceback as text.

    As `logging.handlers.QueueHandler.prepare`, except that the traceback stays
    apart from the message (in `exc_text`), where formatters look for it.
    """
    if record.exc_info and not record.exc_text:
        record.exc_text = _DEFAULT_FORMATTER.formatException(record.exc_info)
    plain: dict[str, Any] = {
        "msg": _plain(record.getMessage()), "args": None,
        "exc_info": None, "exc_text": _plain(record.exc_text),
    }  # fmt: skip
    others: dict[str, bytes] = {}  # each for itself: the rest need not share its fate
    for name, value in record.__dict__.items():
        if name in _REPLACED:
            continue
        if name in _STANDARD:
            value = _plain(value)
        if type(value) in _PLAIN_TYPES:
            plain[name] = value
        else:
            others[name] = _pickled(value)
    return pickle.dumps((plain, others), pickle.HIGHEST_PROTOCOL)


def load_record(data: bytes) -> tuple[logging.LogRecord, BaseException | None]:
    """The record, and what kept its `extra=` fields from being unpickled, if anything did.

    Raises:
        Exception: The data are no record.
    """
    plain, others = pickle.loads(data)
    problem = None
    for name, value in others.items():
        try:
            plain[name] = pickle.loads(value)
        except Exception as error:
            problem = error
    return make_record(plain), problem


def replace_unpicklable(record: logging.LogRecord) -> None:
    """Let each attribute that can't be pickled be its `repr`."""
    for name, value in list(record.__dict__.items()):
        if type(value) not in _PLAIN_TYPES:
            try:
                pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
            except Exception:
                record.__dict__[name] = _described(value)


def _plain(value: Any) -> Any:
    """Text or number of the built-in type: the reader may not know the subclass."""
    if type(value) not in _PLAIN_TYPES:
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
    return value


def _pickled(value: Any) -> bytes:
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return pickle.dumps(_described(value))


def _described(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__}: repr() raised {type(error).__name__}>"
