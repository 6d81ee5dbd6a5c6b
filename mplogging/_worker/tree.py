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
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple

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

    def createLock(self) -> None:
        """None is made."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> Any:
        """Filters are where the handler is."""
        self._main.forward(record, self._prepare)
        return True

    emit = handle


class Tree:
    """Sets up the named loggers of this process, and puts them back.

    Args:
        lanes: The handler of each lane, in order.
        inherited: Handlers that a forked process has from its parent, and is to have no more.
    """

    def __init__(
        self,
        branches: Mapping[str, Branch],
        lanes: Sequence[SessionHandler],
        inherited: Sequence[logging.Handler] | None = None,
    ) -> None:
        self._branches = branches
        self._lanes = lanes
        self._inherited = inherited
        self._before: dict[logging.Logger, tuple[list[logging.Handler], dict[str, Any]]] = {}
        self._handlers: dict[tuple[int, int], logging.Handler] = {}

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
            self._before.setdefault(logger, ([], {"filters": logger.filters}))
            _set_filters(logger, branch.filters)

    def handlers(self) -> list[logging.Handler]:
        """Those that it has made."""
        return list(self._handlers.values())

    def follow(self, branches: Mapping[str, Branch]) -> None:
        """From now on, the handlers in the session's process have these levels."""
        for branch in branches.values():
            for way in branch.ways:
                handler = self._handlers.get((way.lane, way.number))
                if handler is not None:
                    handler.setLevel(way.level)

    def undo(self) -> None:
        """Put the loggers back as they were."""
        ours = [*self._lanes, *self.handlers()]
        for logger, (handlers, state) in self._before.items():
            if vars(logger).get("addHandler"):
                del vars(logger)["addHandler"]
            if logger.parent is not None:
                added = [one for one in logger.handlers if not _is_among(one, handlers)]
                added = [one for one in added if not _is_among(one, ours)]
                logger.handlers = [*handlers, *added]
            vars(logger).update(state)
        self._before.clear()

    def _handler(self, way: Way) -> logging.Handler:
        if way.lane > 0:
            return self._lanes[way.lane]
        key = way.lane, way.number
        if key not in self._handlers:
            self._handlers[key] = Forwarder(self._lanes[0], way)
        return self._handlers[key]

    def _set_up(self, branch: Branch, logger: logging.Logger) -> None:
        state = {name: vars(logger)[name] for name in ("propagate", "disabled", "filters")}
        self._before.setdefault(logger, (logger.handlers, state))
        ways = [self._handler(way) for way in branch.ways]
        others = [
            handler for handler in logger.handlers
            if not self._is_served(handler, branch) and not _is_among(handler, ways)
        ]  # fmt: skip
        logger.handlers = [*ways, *others]
        if self._inherited is None:
            logger.propagate, logger.disabled = branch.propagate, branch.is_disabled
            _set_filters(logger, branch.filters)
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


def _set_filters(logger: logging.Logger, pickles: Sequence[bytes]) -> None:
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
    own = [one for one in logger.filters if one not in loaded and type(one) not in kinds]
    logger.filters = [*loaded, *own]


