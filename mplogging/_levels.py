"""The levels that loggers have in one process, set in another."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import NamedTuple

from ._errors import ConfigError
from ._numbers import is_whole
from ._unmade import SetUp, set_up

NEVER = 1 << 30  # above every level


class Levels(NamedTuple):
    """Levels of all loggers, and the names that levels have."""

    of_loggers: dict[str, int]  # "" is the root logger
    names: dict[int, str]
    disabled: int  # what `logging.disable` was given

    @classmethod
    def now(cls) -> Levels:
        """As this process has them, as plain numbers: another may not know an `IntEnum`."""
        manager = logging.root.manager
        of_loggers = {
            str.__str__(name): int(logger.level)
            for name, logger in list(manager.loggerDict.items())
            if isinstance(logger, logging.Logger) and logger.level != logging.NOTSET
        }
        of_loggers[""] = int(logging.root.level)
        names = {int(level): str(name) for level, name in logging._levelToName.items()}
        return cls(of_loggers, names, int(manager.disable))

    def after(self, others: Levels) -> Levels:
        """The same for a process that has had others: what only those set is set back."""
        unset = dict.fromkeys(others.of_loggers.keys() - {""}, logging.NOTSET)
        return self._replace(of_loggers={**unset, **self.of_loggers})

    def apply(self, steps: Mapping[str, SetUp] | None = None) -> None:
        """Let this process have them too, and loggers that it makes later as well.

        Args:
            steps: What else named loggers are to have.
        """
        for level, name in self.names.items():
            if logging._levelToName.get(level) != name:
                logging.addLevelName(level, name)
        steps = steps or {}
        set_up({
            name: functools.partial(_set_up, self.of_loggers.get(name), steps.get(name))
            for name in (self.of_loggers.keys() | steps.keys()) - {""}
        })
        logging.getLogger().setLevel(self.of_loggers.get("", logging.root.level))
        logging.disable(self.disabled)


def _set_up(level: int | None, step: SetUp | None, logger: logging.Logger) -> None:
    if level is not None:
        logger.setLevel(level)
    if step is not None:
        step(logger)


def check_level(argument: str, level: int | str) -> int:
    """The number of a level given by number, or by name in either case.

    Raises:
        ConfigError: There is no such level; names the argument.
    """
    if is_whole(level):
        return int(level)
    number = None
    if isinstance(level, str):
        number = logging._nameToLevel.get(level)
        for name, value in list(logging._nameToLevel.items()) if number is None else ():
            if name.upper() == level.upper():
                number = value
    if number is None:
        raise ConfigError(
            f"{argument} must be a level's number or one of {sorted(logging._nameToLevel)},"
            f" got {level!r}"
        )
    return number
