"""The levels that a session is told while it runs, as one process has them.

    session.setLevel ── Config.orders ── Steering.follow ── the loggers of this process

It is looked at when the configuration is another one, and by no record.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from .._levels import Levels
from .._unmade import SetUp, set_up

Orders = tuple[tuple[str, int], ...]  # level by logger; "" is the root logger


class _Steered(NamedTuple):
    before: int
    level: int


class Steering:
    """Sets levels of loggers, and gives them back.

    A level that the program itself has set meanwhile is left as it is.

    Attributes:
        orders: What holds at present.
    """

    def __init__(self) -> None:
        self.orders: Orders = ()
        self._steered: dict[logging.Logger, _Steered] = {}
        self._has_ended = False

    def follow(self, orders: Orders, given: str | None = None) -> None:
        """From now on these hold, and no others.

        Args:
            given: The logger whose order was just given, be it the same as before.
        """
        if orders == self.orders and given is None:
            return
        with logging._lock:  # type: ignore[attr-defined]
            if self._has_ended:
                return
            names = {name for name, _ in set(self.orders) ^ set(orders)}
            names |= set() if given is None else {given}
            self.orders = orders  # first: a signal handler that logs here finds it done
            later: dict[str, SetUp] = {}
            for name in names:
                logger = logging.root.manager.loggerDict.get(name) if name else logging.root
                if isinstance(logger, logging.Logger):
                    self._steer(logger)
                else:
                    later[name] = self._steer
            if later:
                set_up(later, is_more=True)

    def end(self) -> None:
        """Give all levels back, and follow no more."""
        self.follow(())
        self._has_ended = True

    def without(self, levels: Levels) -> Levels:
        """These levels as they would be without the orders."""
        of_loggers = dict(levels.of_loggers)
        for logger, steered in list(self._steered.items()):
            if logger.level == steered.level:
                of_loggers[_name(logger)] = steered.before
        return levels._replace(of_loggers=of_loggers)

    def _steer(self, logger: logging.Logger) -> None:
        """As the orders are now; a second time does nothing."""
        level = dict(self.orders).get(_name(logger))
        steered = self._steered.pop(logger, None)
        is_ours = steered is not None and logger.level == steered.level
        before = steered.before if steered is not None and is_ours else int(logger.level)
        if level is not None:
            self._steered[logger] = _Steered(before, level)
            logger.setLevel(level)
        elif is_ours:
            logger.setLevel(before)


def _name(logger: logging.Logger) -> str:
    return "" if logger is logging.root else str.__str__(logger.name)
