"""The levels that loggers have in one process, set in another."""

from __future__ import annotations

import logging
from typing import NamedTuple

from ._errors import ConfigError
from ._numbers import is_whole

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

    def apply(self) -> None:
        """Let this process have them too, and loggers that it makes later as well."""
        for level, name in self.names.items():
            if logging._levelToName.get(level) != name:
                logging.addLevelName(level, name)
        known = logging.root.manager.loggerDict
        later = {}
        for name, level in self.of_loggers.items():
            if name and not isinstance(known.get(name), logging.Logger):
                later[name] = level
            else:
                logging.getLogger(name or None).setLevel(level)
        _set_when_made(later)
        logging.disable(self.disabled)


_later: dict[str, int] = {}  # loggers that are not made yet, and their levels


def _set_when_made(levels: dict[str, int]) -> None:
    """Set the levels of loggers as soon as the program makes them.

    Not before: what the program imports later may choose their class, and a
    configuration disables those that exist already.
    """
    manager = logging.root.manager
    _later.clear()
    _later.update(levels)
    if not levels or getattr(manager.getLogger, "__func__", None) is not logging.Manager.getLogger:
        return
    make = manager.getLogger

    def make_with_level(name: str) -> logging.Logger:
        logger = make(name)
        level = _later.pop(name, None)  # in one step: another thread may make it too
        if level is not None:
            logger.setLevel(level)
            if not _later and vars(manager).get("getLogger") is make_with_level:
                vars(manager).pop("getLogger", None)  # the class has it still
        return logger

    manager.getLogger = make_with_level  # type: ignore[method-assign]


def check_level(argument: str, level: int | str) -> int:
    """The number of a level given by number or name, as `Logger.setLevel` takes it.

    Raises:
        ConfigError: There is no such level; names the argument.
    """
    if is_whole(level):
        return int(level)
    number = logging._nameToLevel.get(level) if isinstance(level, str) else None
    if number is None:
        raise ConfigError(
            f"{argument} must be a level's number or one of {sorted(logging._nameToLevel)},"
            f" got {level!r}"
        )
    return number
