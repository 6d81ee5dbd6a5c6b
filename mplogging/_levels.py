"""The levels that loggers have in one process, set in another."""

from __future__ import annotations

import logging
from typing import NamedTuple

from ._errors import ConfigError


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

    def apply(self) -> None:
        """Let this process have them too."""
        for level, name in self.names.items():
            if logging._levelToName.get(level) != name:
                logging.addLevelName(level, name)
        for name, level in self.of_loggers.items():
            logging.getLogger(name or None).setLevel(level)
        logging.disable(self.disabled)


def check_level(argument: str, level: int | str) -> int:
    """The number of a level given by number or name, as `Logger.setLevel` takes it.

    Raises:
        ConfigError: There is no such level; names the argument.
    """
    if isinstance(level, int) and not isinstance(level, bool) and level >= 0:
        return level
    number = logging._nameToLevel.get(level) if isinstance(level, str) else None
    if number is None:
        raise ConfigError(
            f"{argument} must be a level's number or one of {sorted(logging._nameToLevel)},"
            f" got {level!r}"
        )
    return number
