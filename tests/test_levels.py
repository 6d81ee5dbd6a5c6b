"""Levels of one process, set in another: all loggers, names of levels, `logging.disable`."""

from __future__ import annotations

import enum
import logging
import pickle
import subprocess
import sys

import pytest

from mplogging._errors import ConfigError
from mplogging._levels import Levels, check_level


class Custom(enum.IntEnum):
    TRACE = 5
    AUDIT = 25


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """Loggers' levels, level names and the disabled level are put back."""
    names, numbers = dict(logging._levelToName), dict(logging._nameToLevel)
    loggers = {name: logging.getLogger(name) for name in ("levels.a", "levels.b", "levels.c")}
    yield
    for logger in loggers.values():
        logger.setLevel(logging.NOTSET)
    logging._levelToName.clear()
    logging._levelToName.update(names)
    logging._nameToLevel.clear()
    logging._nameToLevel.update(numbers)
    logging.disable(logging.NOTSET)


def test_there_and_back():
    """Applied elsewhere, all levels are as they were here."""
    logging.addLevelName(5, "TRACE")
    logging.addLevelName(logging.WARNING, "WARN!")
    logging.getLogger().setLevel(3)
    logging.getLogger("levels.a").setLevel("TRACE")
    logging.getLogger("levels.b").setLevel(logging.ERROR)
    logging.disable(4)
    data = pickle.dumps(Levels.now())
    program = (
        "import logging, pickle, sys\n"
        "logging.getLogger('levels.c').setLevel(7)\n"
        "pickle.loads(bytes.fromhex(sys.stdin.read())).apply()\n"
        "print([logging.getLogger(n).level for n in ('', 'levels.a', 'levels.b', 'levels.c')])\n"
        "print(logging.getLevelName(5), logging.getLevelName(30), logging.root.manager.disable)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=data.hex(), capture_output=True, text=True
    )
    assert done.stdout == "[3, 5, 40, 7]\nTRACE WARN! 4\n", done.stderr


def test_loggers_that_are_made_later():
    """They get their level then: of the program's own class, and not disabled as existing ones."""
    data = pickle.dumps(Levels({"": 30, "levels.a": 10, "levels.b": 40}, {}, 0))
    program = (
        "import logging, logging.config, pickle, sys\n"
        "levels = pickle.loads(bytes.fromhex(sys.stdin.read()))\n"
        "levels.apply(); levels.apply()\n"
        "print([name for name in logging.root.manager.loggerDict if 'levels' in name])\n"
        "class Logger(logging.Logger): pass\n"
        "logging.setLoggerClass(Logger)\n"
        "logging.config.dictConfig({'version': 1})\n"
        "one, other = logging.getLogger('levels.b'), logging.getLogger('levels').getChild('a')\n"
        "for logger in (one, other):\n"
        "    print(type(logger).__name__, logger.level, logger.disabled)\n"
        "logging.getLogger('levels.a').setLevel(7)\n"
        "print(logging.getLogger('levels.a').level, 'getLogger' in vars(logging.root.manager))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=data.hex(), capture_output=True, text=True
    )
    assert done.stdout == "[]\nLogger 40 False\nLogger 10 False\n7 False\n", done.stderr


def test_the_last_levels_hold(logging_as_it_was):
    """Of two sessions one after the other, the second's, for loggers made later too."""
    names = [f"levels.later.{number}" for number in range(2)]
    Levels({"": logging.root.level, **dict.fromkeys(names, 7)}, {}, 0).apply()
    Levels({"": logging.root.level, names[1]: 8}, {}, 0).apply()
    assert [logging.getLogger(name).level for name in names] == [logging.NOTSET, 8]


def test_only_loggers_with_a_level_of_their_own():
    """A logger without one, and a mere part of a name, are not in it."""
    logging.getLogger("levels.a").setLevel(logging.DEBUG)
    levels = Levels.now()
    assert levels.of_loggers["levels.a"] == logging.DEBUG
    assert "levels" not in levels.of_loggers and "levels.b" not in levels.of_loggers


def test_levels_of_an_enumeration():
    """They travel as plain numbers: the other process may not have the class."""
    logging.addLevelName(Custom.TRACE, "TRACE")
    logging.getLogger("levels.a").setLevel(Custom.AUDIT)
    logging.getLogger().setLevel(Custom.TRACE)
    logging.disable(Custom.TRACE)
    levels = Levels.now()
    assert levels.names[5] == "TRACE"
    assert levels.of_loggers[""] == 5 and levels.of_loggers["levels.a"] == 25
    numbers = [*levels.names, *levels.of_loggers.values(), levels.disabled]
    assert {type(number) for number in numbers} == {int}


def test_names_of_levels_stay_two_way():
    """A name applied leads back to its number."""
    Levels({"": logging.root.level}, {31: "NOTICE"}, 0).apply()
    assert logging.getLevelName(31) == "NOTICE" and logging.getLevelName("NOTICE") == 31


@pytest.mark.parametrize(
    "level, number", [("INFO", 20), ("NOTSET", 0), (0, 0), (35, 35), (Custom.AUDIT, 25)]
)
def test_check_level(level, number):
    """A number, or a known name, is a level."""
    assert check_level("level", level) == number


@pytest.mark.parametrize("level", ["infos", "", None, True, 1.5, b"INFO", ["INFO"]])
def test_check_level_refuses(level):
    """Anything else is refused by its argument's name."""
    with pytest.raises(ConfigError, match=r"^dropBelow must be .*'WARNING'.* got ") as caught:
        check_level("dropBelow", level)
    assert repr(level) in str(caught.value)


def test_check_level_in_either_case():
    """A name is taken as it stands, or else in whatever case."""
    logging.addLevelName(21, "Notice")
    logging.addLevelName(22, "info")
    assert [check_level("level", name) for name in ("debug", "NOTICE", "INFO", "info")] == [
        logging.DEBUG, 21, logging.INFO, 22,
    ]
