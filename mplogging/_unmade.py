"""What loggers are to have that the program has not made yet.

They are not made for it: what the program imports later may choose their class, and a
configuration disables those that exist already. But a logger below one of them is to have
that one's level, and its ways out. So it gets a stand-in for its parent, which is in no
register, and which gives way as soon as the program makes the real one.

    root ── stand-in for "app" (DEBUG) ── app.jobs, which the program has made
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Mapping
from typing import Callable

SetUp = Callable[[logging.Logger], None]

_later: dict[str, SetUp] = {}  # what to do with loggers that are not made yet
_stand_ins: dict[str, logging.Logger] = {}


def set_up(steps: Mapping[str, SetUp], is_more: bool = False) -> None:
    """Set up loggers by name, those that are not made yet as soon as they are.

    What an earlier call has left to be done is forgotten, or with `is_more`, done before.
    """
    manager = logging.root.manager
    with logging._lock:  # type: ignore[attr-defined]
        if is_more:
            earlier = {name: _later[name] for name in _later.keys() & steps.keys()}
            for name, step in earlier.items():
                steps = {**steps, name: functools.partial(_in_turn, step, steps[name])}
        else:
            _later.clear()
        for name, step in steps.items():
            logger = manager.loggerDict.get(name)
            if isinstance(logger, logging.Logger):
                step(logger)
            else:
                _later[name] = step
        for name in _stand_ins.keys() - _later.keys():
            _give_way(name, None)
        for name in _later.keys() & _stand_ins.keys():
            _later[name](_renewed(_stand_ins[name]))
        for logger in list(manager.loggerDict.values()):
            if isinstance(logger, logging.Logger):
                _stand_by(logger)
        manager._clear_cache()  # type: ignore[attr-defined]
        _watch()


def _in_turn(first: SetUp, second: SetUp, logger: logging.Logger) -> None:
    first(logger)
    second(logger)


def _watch() -> None:
    """See to each logger that is made from now on."""
    manager = logging.root.manager
    make = manager.getLogger
    if not _later or getattr(make, "sees_to_unmade", False):
        return

    def make_and_set_up(name: str) -> logging.Logger:
        if isinstance(manager.loggerDict.get(name), logging.Logger):
            return make(name)
        with logging._lock:  # type: ignore[attr-defined]
            logger = make(name)
            _see_to(logger)
            if not _later and vars(manager).get("getLogger") is make_and_set_up:
                manager.getLogger = make  # type: ignore[method-assign]
                if getattr(make, "__func__", None) is logging.Manager.getLogger:
                    del vars(manager)["getLogger"]  # the class has it still
        return logger

    make_and_set_up.sees_to_unmade = True  # type: ignore[attr-defined]
    manager.getLogger = make_and_set_up  # type: ignore[method-assign]


def _see_to(logger: logging.Logger) -> None:
    name = str.__str__(logger.name)
    step = _later.pop(name, None)
    _stand_by(logger)
    if name in _stand_ins:
        _give_way(name, logger)
    if step is not None:
        step(logger)
    for stand_in in _stand_ins.values():
        if stand_in.parent is not None and _is_below(stand_in.name, name):
            _stand_by(stand_in)


def _stand_by(logger: logging.Logger) -> None:
    """Let the logger have a stand-in as its parent, if there is to be something."""
    known = logging.root.manager.loggerDict
    for name in _ancestors(logger.name):
        ancestor = known.get(name)
        if isinstance(ancestor, logging.Logger):
            logger.parent = ancestor
            return
        if name in _later:
            logger.parent = _stand_in(name)
            return
    if logger.parent is not None:
        logger.parent = logging.root


def _stand_in(name: str) -> logging.Logger:
    stand_in = _stand_ins.get(name)
    if stand_in is None:
        stand_in = _stand_ins[name] = logging.Logger(name)
        stand_in.parent = logging.root
        _stand_by(stand_in)
        _later[name](stand_in)
    return stand_in


def _renewed(stand_in: logging.Logger) -> logging.Logger:
    stand_in.level, stand_in.propagate, stand_in.handlers = logging.NOTSET, True, []
    return stand_in


def _give_way(name: str, logger: logging.Logger | None) -> None:
    """Take the stand-in away; the logger, or its own parent, comes in its place."""
    stand_in = _stand_ins.pop(name)
    loggers = [*logging.root.manager.loggerDict.values(), *_stand_ins.values()]
    for below in loggers:
        if isinstance(below, logging.Logger) and below.parent is stand_in:
            below.parent = logger or stand_in.parent


def _ancestors(name: str) -> Iterator[str]:
    """The names above this one, the nearest first."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _is_below(name: str, above: str) -> bool:
    return name.startswith(above + ".")
