"""Records of our own, and a `LogRecord` as bytes and back, for handlers in another process.

What can't travel does not take the record with it: each attribute that can't be
pickled arrives as its `repr`, and what can't be unpickled is left out.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

from . import _exceptions

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


def is_silenced(record: logging.LogRecord) -> bool:
    """Has the program silenced this record of ours, by a level of its logger's?

    The root logger's level is meant for the program's own records.
    """
    logger = logging.getLogger(record.name)
    while logger is not logging.root and not logger.level and logger.parent is not None:
        logger = logger.parent
    is_too_low = logger is not logging.root and record.levelno < logger.level
    return is_too_low or record.levelno <= logging.root.manager.disable


_STANDARD = make_record({}).__dict__.keys()


# What a pickled argument may take: the text of a message is mostly far shorter.
_MOST_BYTES = 1 << 16


class _Travelled(logging.LogRecord):
    """A record whose message is what it was where it was made.

    Its arguments may read otherwise here: an object's default `repr` has its address.
    """

    __slots__ = ("_made",)
    _made: tuple[Any, Any, Any]

    def getMessage(self) -> str:
        msg, args, text = self._made
        if self.msg is msg and self.args is args:
            return str(text)
        return super().getMessage()

    def __reduce__(self) -> Any:
        return make_record, (dict(self.__dict__),)


def dump_record(record: logging.LogRecord) -> bytes:
    """The record, with its traceback as text too.

    As `logging.handlers.QueueHandler.prepare`, except that the traceback stays
    apart from the message (in `exc_text`), where formatters look for it, that the exception
    itself travels, as far as it can, and that `msg` and `args` stay as they were, if they
    can travel: some formatters and handlers look there too.
    """
    if record.exc_info and not record.exc_text:
        record.exc_text = _DEFAULT_FORMATTER.formatException(record.exc_info)
    text = _plain(record.getMessage())
    plain: dict[str, Any] = {"exc_info": None, "exc_text": _plain(record.exc_text)}
    others: dict[str, bytes] = {}  # each for itself: the rest need not share its fate
    exception = _exceptions.dump(record.exc_info) if record.exc_info else None
    for name, value in _attributes(record):
        if name in _REPLACED:
            continue
        if name in _STANDARD:
            value = _plain(value)
        if type(value) in _PLAIN_TYPES:
            plain[name] = value
        else:
            others[name] = _pickled(value)
    said = _said(record, text)
    return pickle.dumps((plain, others, text, said, exception), pickle.HIGHEST_PROTOCOL)


def _attributes(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    """Those of its `__dict__`, and of `__slots__` that a class of the program's own has."""
    yield from record.__dict__.items()
    kind = type(record)
    if kind is not logging.LogRecord and kind is not _Travelled:
        for base in kind.__mro__:
            slots = base.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if name != "__dict__" and hasattr(record, name):
                    yield name, getattr(record, name)


def _said(record: logging.LogRecord, text: Any) -> tuple[Any, Any] | bytes | None:
    """`msg` and `args`: plain, pickled, or None if they can't travel."""
    msg, args = _plain(record.msg), record.args
    if type(msg) in _PLAIN_TYPES and (not args or _are_plain(args)):
        return msg, args
    try:
        said = pickle.dumps((msg, args), pickle.HIGHEST_PROTOCOL)
    except Exception:
        if type(msg) is not dict:
            return None
        try:
            said = pickle.dumps(({key: _sendable(msg[key]) for key in msg}, args))
        except Exception:
            return None
    return said if len(said) <= max(_MOST_BYTES, 4 * len(str(text))) else None


def _are_plain(args: Any) -> bool:
    if type(args) is dict:
        args = (*args.keys(), *args.values())
    return type(args) is tuple and all(type(one) in _PLAIN_TYPES for one in args)


def _sendable(value: Any) -> Any:
    try:
        pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        return value
    except Exception:
        return _described(value)


def load_record(data: bytes) -> tuple[logging.LogRecord, BaseException | None]:
    """The record, and what kept its `extra=` fields from being unpickled, if anything did.

    Raises:
        Exception: The data are no record.
    """
    plain, others, text, said, exception = pickle.loads(data)
    problem = None
    if exception is not None:
        plain["exc_info"] = _exceptions.load(exception)
    for name, value in others.items():
        try:
            plain[name] = pickle.loads(value)
        except Exception as error:
            problem = error
    is_as_made = isinstance(said, tuple)
    if isinstance(said, bytes):
        try:
            said = pickle.loads(said)
        except Exception as error:
            said, problem = None, error
    plain["msg"], plain["args"] = (text, None) if said is None else said
    if said is None or is_as_made:
        return make_record(plain), problem
    record = _Travelled("", logging.NOTSET, "", 0, "", (), None)
    record.__dict__.update(plain)
    record._made = record.msg, record.args, text
    return record, problem


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
