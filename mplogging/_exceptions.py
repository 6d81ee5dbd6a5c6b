"""An exception as bytes and back, for handlers that look at a record's `exc_info`.

    exc_info ─ dump ─ each exception of the chain: itself or its name, and its places ─ rebuilt

It arrives with what it was raised from, and with a traceback that names the same places, so
that what walks along it (an error tracker, a console that shows source) finds them. Frames
have no variables: these stay where they were.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from types import FunctionType, TracebackType
from typing import Any, NamedTuple

ExcInfo = Any  # as `sys.exc_info` has it: a class, its exception, a traceback, or None for each

# What one may take, pickled; a larger one arrives by its name and its text.
_MOST_BYTES = 1 << 16
_MOST_IN_CHAIN = 50
_NONE = -1


Place = tuple[str, str, int, str]  # of a traceback: file, function, line, module


class Raised(NamedTuple):
    """An exception of the chain."""

    module: str
    name: str
    text: str
    pickled: bytes  # b"" if it can't be
    places: tuple[Place, ...]
    cause: int  # which one of the chain; _NONE for none
    context: int
    is_context_hidden: bool


def dump(exc_info: ExcInfo) -> bytes | None:
    """What `load` takes; None if there is no exception.

    It never raises, whatever the exception's own methods do.
    """
    if not (isinstance(exc_info, tuple) and len(exc_info) == 3):
        return None
    _, error, traceback = exc_info
    if not isinstance(error, BaseException):
        return None
    found = _chain(error)
    numbers = {id(one): number for number, one in enumerate(found)}
    chain = [
        tuple(_raised(one, numbers, traceback if one is error else one.__traceback__))
        for one in found
    ]
    return pickle.dumps(chain, pickle.HIGHEST_PROTOCOL)


def load(data: bytes) -> ExcInfo:
    """As near to what was dumped as can be had here.

    An exception that does not come out of its pickle is one of a class that has its name.
    """
    raised = [Raised(*one) for one in pickle.loads(data)]
    errors = [_made(one) for one in raised]
    for error, one in zip(errors, raised):
        error.__cause__ = None if one.cause == _NONE else errors[one.cause]
        error.__context__ = None if one.context == _NONE else errors[one.context]
        error.__suppress_context__ = one.is_context_hidden
        error.__traceback__ = _traceback(one.places)
    return type(errors[0]), errors[0], errors[0].__traceback__


def _chain(error: BaseException) -> list[BaseException]:
    """The exception, and all that it was raised from or after."""
    found = [error]
    for one in found:  # grows meanwhile
        for other in (one.__cause__, one.__context__):
            is_new = not any(other is known for known in found)
            if other is not None and is_new and len(found) < _MOST_IN_CHAIN:
                found.append(other)
    return found


def _raised(
    error: BaseException, numbers: dict[int, int], traceback: TracebackType | None
) -> Raised:
    kind = type(error)
    return Raised(
        str(kind.__module__),
        str(kind.__qualname__),
        _text(error),
        _pickled(error),
        tuple(_places(traceback)),
        numbers.get(id(error.__cause__), _NONE),
        numbers.get(id(error.__context__), _NONE),
        bool(error.__suppress_context__),
    )


def _text(error: BaseException) -> str:
    try:
        return str.__str__(str(error))
    except Exception:
        return "<str() of the exception failed>"


def _pickled(error: BaseException) -> bytes:
    try:
        data = pickle.dumps(error, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return b""
    return data if len(data) <= _MOST_BYTES else b""


def _places(traceback: TracebackType | None) -> Iterator[Place]:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        module = str(traceback.tb_frame.f_globals.get("__name__", ""))
        line = traceback.tb_lineno or code.co_firstlineno  # None where there is none
        yield code.co_filename, code.co_name, line, module
        traceback = traceback.tb_next


def _made(raised: Raised) -> BaseException:
    if raised.pickled:
        try:
            error = pickle.loads(raised.pickled)
            if isinstance(error, BaseException) and str(error) == raised.text:
                return error
        except Exception:
            pass
    name = raised.name.rpartition(".")[2]
    kind = type(name, (_NotHere,), {"__module__": raised.module, "__qualname__": raised.name})
    made: BaseException = kind(raised.text)
    return made


class _NotHere(Exception):
    """Stands for an exception that its pickle did not give back."""

    def __str__(self) -> str:
        return str(self.args[0])


def _traceback(places: tuple[Place, ...]) -> TracebackType | None:
    made = None
    for filename, function, line, module in reversed(places):
        # A generator that is never begun has a frame with nobody above it: no frame of
        # ours, and of what these hold, stays alive by it.
        code = _template.__code__.replace(
            co_filename=filename, co_name=function, co_firstlineno=line
        )
        frame = FunctionType(code, {"__name__": module, "__file__": filename})().gi_frame
        # By -1 there is no instruction to look up columns of.
        made = TracebackType(made, frame, -1, line)
    return made


def _template() -> Iterator[None]:
    yield
