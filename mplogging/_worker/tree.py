"""The named loggers of the parent, in another process: their handlers, as ways to these.

    audit ── [file handler, mail handler], propagate=False          in the parent
    audit ── [Forwarder to the file, Forwarder to number 3]         in a worker

So it is `logging` itself that decides in the worker what reaches which handler, as it does
in the parent. Loggers that are not made yet get theirs when they are (`_unmade`).
"""

from __future__ import annotations

import functools
import logging
import os
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, NamedTuple, Union

from .._unmade import SetUp
from .handler import SessionHandler

Destination = tuple[str, ...]
# Where the handlers of the standard library, and those made like them, lead to.
_WHERE = ("baseFilename", "address", "host", "port", "url", "mailhost", "toaddrs")


class Way(NamedTuple):
    """How records come to one handler of the parent's."""

    lane: int  # whose file it is, as lines; -1 for a handler that gets the record
    number: int  # of that handler
    level: int
    destination: Destination | None


class Branch(NamedTuple):
    """What the parent has set up on one logger."""

    ways: tuple[Way, ...]
    propagate: bool
    is_disabled: bool
    filters: tuple[bytes, ...]  # pickled


def destination(handler: logging.Handler) -> Destination | None:
    """What two handlers that come to the same file, console or host have in common."""
    where: list[str] = []
    stream = getattr(handler, "stream", None)
    if stream is not None and stream in (sys.stderr, sys.__stderr__):
        where = ["stderr"]
    elif stream is not None and stream in (sys.stdout, sys.__stdout__):
        where = ["stdout"]
    names = vars(handler)
    where += [f"{name}={names[name]!r}" for name in _WHERE if name in names]
    kind = type(handler)
    return (kind.__module__, kind.__qualname__, *where) if where else None


class Forwarder(logging.Handler):
    """Stands on a named logger for one handler of the parent's.

    Args:
        main: By way of which it sends.
        way: To the handler; of lane 0 if it is a file.
    """

    def __init__(self, main: SessionHandler, way: Way) -> None:
        super().__init__(way.level)
        self._main = main
        prepare: Callable[[logging.LogRecord], tuple[int, float, bytes]] = main.prepare_line
        if way.lane < 0:
            prepare = functools.partial(main.prepare_for, way.number)
        self._prepare = prepare

    def takes(self, record: logging.LogRecord) -> bool:
        """False if its level is too low for the handler of the parent's."""
        return record.levelno >= self.level

    def createLock(self) -> None:
        """None is made."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> Any:
        """Filters are where the handler is."""
        self._main.forward(record, self._prepare, self)
        return True

    emit = handle


Standing = Union[SessionHandler, Forwarder]
_State = tuple[list[logging.Handler], dict[str, Any]]


class Tree:
    """Sets up the named loggers of this process, and puts them back.

    Args:
        lanes: The handler of each lane, in order.
        inherited: Handlers that a forked process has from its parent, and is to have no more.
        previous: Of the session before, whose place it takes.
    """

    def __init__(
        self,
        branches: Mapping[str, Branch],
        lanes: Sequence[SessionHandler],
        inherited: Sequence[logging.Handler] | None = None,
        previous: Tree | None = None,
    ) -> None:
        self._branches = branches
        self._lanes = lanes
        self._inherited = inherited
        self._previous = previous
        self._before: dict[logging.Logger, _State] = {}
        self._handlers: dict[tuple[int, int], Forwarder] = {}

    def steps(self) -> dict[str, SetUp]:
        """What is to be done with each logger."""
        return {
            name: functools.partial(self._set_up, branch)
            for name, branch in self._branches.items() if name
        }  # fmt: skip

    def set_up_root(self) -> None:
        """The root logger's filters."""
        branch = self._branches.get("")
        if branch is not None and self._inherited is None:
            logger = logging.getLogger()
            state: _State = [], {"filters": logger.filters}
            if self._previous is not None:
                state = self._previous._before.pop(logger, state)
            self._before.setdefault(logger, state)
            logger.filters = _filters(logger, branch.filters, state[1]["filters"])

    def handlers(self) -> list[Forwarder]:
        """Those that it has made."""
        return list(self._handlers.values())

    def standing_on(self, name: str) -> Iterator[Standing]:
        """Those that the logger of that name has."""
        branch = self._branches.get(name)
        for way in () if branch is None else branch.ways:
            yield self._handler(way)

    def lets_pass(self, name: str) -> object:
        """What decides which records this logger lets pass: the same, if that is the same."""
        branch = self._branches.get(name)
        return ((), False) if branch is None else (branch.filters, branch.is_disabled)

    def follow(self, branches: Mapping[str, Branch]) -> None:
        """From now on, the handlers in the session's process have these levels."""
        for branch in branches.values():
            for way in branch.ways:
                handler = self._handlers.get((way.lane, way.number))
                if handler is not None:
                    handler.setLevel(way.level)

    def undo(self) -> None:
        """Put the loggers back as they were."""
        for logger in list(self._before):
            handlers, state = self._released(logger)
            if logger.parent is None:
                vars(logger).update(state)
            else:
                _change(logger, handlers, state)

    def _released(self, logger: logging.Logger) -> _State:
        """What the logger has without us."""
        handlers, state = self._before.pop(logger)
        vars(logger).pop("addHandler", None)
        added = [one for one in logger.handlers if not _is_among(one, handlers)]
        ours = [*self._lanes, *self.handlers()]
        if self._inherited is not None:
            # What it had is its parent's of then, which has gone on since.
            ours += self._inherited
            state = {**state, "propagate": True, "disabled": False}
        return [one for one in [*handlers, *added] if not _is_among(one, ours)], state

    def _handler(self, way: Way) -> Standing:
        if way.lane > 0:
            return self._lanes[way.lane]
        key = way.lane, way.number
        if key not in self._handlers:
            self._handlers[key] = Forwarder(self._lanes[0], way)
        return self._handlers[key]

    def _set_up(self, branch: Branch, logger: logging.Logger) -> None:
        state = {name: vars(logger)[name] for name in ("propagate", "disabled", "filters")}
        handlers = logger.handlers
        if self._previous is not None and logger in self._previous._before:
            handlers, state = self._previous._released(logger)
        self._before.setdefault(logger, (handlers, state))
        ways = [self._handler(way) for way in branch.ways]
        others = [
            handler for handler in handlers
            if not self._is_served(handler, branch) and not _is_among(handler, ways)
        ]  # fmt: skip
        wanted: dict[str, Any] = {}
        if self._inherited is None:
            wanted = {
                "propagate": branch.propagate, "disabled": branch.is_disabled,
                "filters": _filters(logger, branch.filters, state["filters"]),
            }  # fmt: skip
        _change(logger, [*ways, *others], wanted)
        if ways:
            vars(logger)["addHandler"] = functools.partial(self._add, branch, logger)

    def _is_served(self, handler: logging.Handler, branch: Branch) -> bool:
        """Is it one of the parent's, or would it write again what one of those writes?"""
        if self._inherited is not None and _is_among(handler, self._inherited):
            return True
        where = destination(handler)
        return where is not None and any(way.destination == where for way in branch.ways)

    def _add(self, branch: Branch, logger: logging.Logger, handler: logging.Handler) -> None:
        """`addHandler` of the logger: its set-up code may run in each worker."""
        ways = [self._handler(way) for way in branch.ways]
        is_in_place = any(_is_among(way, logger.handlers) for way in ways)
        if not (is_in_place and self._is_served(handler, branch)):
            type(logger).addHandler(logger, handler)


def _is_among(handler: logging.Handler, handlers: Sequence[logging.Handler]) -> bool:
    return any(handler is one for one in handlers)


def _change(
    logger: logging.Logger, handlers: list[logging.Handler], state: Mapping[str, Any]
) -> None:
    """Give it both; for what another thread logs meanwhile, there is always a way."""
    if state.get("propagate", True):
        vars(logger).update(state)
        logger.handlers = handlers
    else:
        logger.handlers = handlers
        vars(logger).update(state)


def _filters(
    logger: logging.Logger, pickles: Sequence[bytes], present: Sequence[Any]
) -> list[Any]:
    """Those that are pickled, beside what of the present ones is this process's own."""
    loaded: list[Any] = []
    for data in pickles:
        try:
            loaded.append(pickle.loads(data))
        except Exception as error:
            logging.getLogger("mplogging").warning(
                "a filter of logger %r is not to be had in process %d: %r",
                logger.name, os.getpid(), error,
            )  # fmt: skip
    kinds = {type(one) for one in loaded if isinstance(one, logging.Filter)}
    own = [one for one in present if one not in loaded and type(one) not in kinds]
    return [*loaded, *own]


