"""The program's named loggers, as a session finds them, for the processes that it has.

It is looked at when a session begins, and whenever a process is started. In the session's
own process, named loggers keep their handlers, and these work there as ever; but for a file
of the session, which gets its lines in the order of all processes.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping, Sequence

from .._errors import tell
from .._worker.handler import SessionHandler
from .._worker.tree import Branch, Forwarder, Way, destination
from .outputs import Outputs, named_loggers


class ProgramTree:
    """Sees what is set up on named loggers.

    Args:
        lanes: The handler of each file of the session, in order.
    """

    def __init__(self, outputs: Outputs, lanes: Sequence[SessionHandler]) -> None:
        self._outputs = outputs
        self._lanes = lanes
        self._makes_lines = lanes[0].makes_lines
        self._replaced: list[tuple[logging.Logger, logging.Handler, logging.Handler]] = []
        self._pickles: dict[int, tuple[object, bytes | None]] = {}  # of filters, by `id`

    def now(self) -> Mapping[str, Branch]:
        """By the loggers' names, what other processes are to have there."""
        found = {}
        for name, logger in list(logging.root.manager.loggerDict.items()):
            if isinstance(logger, logging.Logger) and (
                logger.handlers or logger.filters or logger.disabled or not logger.propagate
            ):
                branch = self._branch(logger, self._ways(logger))
                if branch != _BARE:
                    found[str.__str__(name)] = branch
        if logging.root.filters:
            found[""] = self._branch(logging.root, ())
        return found

    def route_files(self) -> None:
        """Let the session's files on named loggers be written by way of it."""
        for logger in named_loggers():
            for handler in logger.handlers:
                number = self._outputs.number_of(handler)
                if number is not None and self._goes_by_lines(number):
                    stand_in = self._stand_in(number, handler)
                    self._replaced.append((logger, handler, stand_in))
            self._replace(logger)

    def put_back(self) -> None:
        """As the loggers were."""
        for logger, handler, stand_in in self._replaced:
            logger.handlers = [handler if one is stand_in else one for one in logger.handlers]
        self._replaced.clear()

    def stand_ins(self) -> list[logging.Handler]:
        """What stands on named loggers in place of the files."""
        return [stand_in for _, _, stand_in in self._replaced]

    def _replace(self, logger: logging.Logger) -> None:
        for one, handler, stand_in in self._replaced:
            if one is logger:
                logger.handlers = [
                    stand_in if other is handler else other for other in logger.handlers
                ]

    def _stand_in(self, number: int, file: logging.Handler) -> logging.Handler:
        if number > 0:
            return self._lanes[number]
        for _, handler, stand_in in self._replaced:
            if handler is file:
                return stand_in
        return Forwarder(self._lanes[0], Way(0, 0, file.level, None))

    def _goes_by_lines(self, number: int) -> bool:
        # Of the first lane's file, a record whose line is made here reaches the handlers
        # beside it too: to one of a named logger that is not so, it goes as a record.
        return number > 0 or self._makes_lines

    def _ways(self, logger: logging.Logger) -> tuple[Way, ...]:
        return tuple(
            self._way(self._original(handler))
            for handler in list(logger.handlers)
            if not isinstance(handler, logging.NullHandler)
        )

    def _original(self, handler: logging.Handler) -> logging.Handler:
        for _, original, stand_in in self._replaced:
            if handler is stand_in:
                return original
        return handler

    def _way(self, handler: logging.Handler) -> Way:
        lane = self._outputs.number_of(handler)
        if lane is not None and self._goes_by_lines(lane):
            return Way(lane, 0, handler.level, destination(handler))
        route = self._outputs.route_of(handler)
        return Way(-1, route, handler.level, destination(handler))

    def _branch(self, logger: logging.Logger, ways: tuple[Way, ...]) -> Branch:
        filters = [self._pickled(logger, one) for one in list(logger.filters)]
        pickles = tuple(one for one in filters if one is not None)
        return Branch(ways, bool(logger.propagate), bool(logger.disabled), pickles)

    def _pickled(self, logger: logging.Logger, one: object) -> bytes | None:
        if id(one) not in self._pickles:
            try:
                self._pickles[id(one)] = one, pickle.dumps(one)
            except Exception as error:
                self._pickles[id(one)] = one, None
                tell(
                    f"the filter {one!r} of logger {logger.name!r} works in this process and"
                    f" in forked ones only, since it can't be pickled: {error}",
                    stacklevel=2,
                )
        return self._pickles[id(one)][1]


_BARE = Branch((), True, False, ())
