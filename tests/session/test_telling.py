"""What a session itself has to say goes the way that the loggers of these records show."""

from __future__ import annotations

import logging
import multiprocessing
import re
import threading

import death_jobs
import pytest
from conftest import eventually, texts

import mplogging

pytestmark = pytest.mark.usefixtures("tree")
DEATHS = "mplogging.deaths"


class Collecting(logging.Handler):
    def __init__(self, level=logging.NOTSET):
        super().__init__(level)
        self.got = []

    def emit(self, record):
        self.got.append((record.name, record.levelname))


def die(*ways):
    context = multiprocessing.get_context("fork")
    for way in ways:
        process = context.Process(target=death_jobs.end_by, args=(way,))
        process.start()
        process.join()


@pytest.fixture
def session(tmp_path):
    def make(**settings):
        settings = {"format": "%(levelname)s %(name)s: %(message)s", **settings}
        return mplogging.LogSession(tmp_path / "logs" / "app.log", **settings)

    return make


@pytest.fixture
def told(tmp_path):
    """The level and logger of what mplogging says in a log."""

    def read(name="app.log"):
        logs = texts(tmp_path / "logs")
        lines = "".join(text for path, text in logs.items() if path.startswith(name)).splitlines()
        return [
            tuple(line.partition(": ")[0].split())[::-1]
            for line in lines
            if " mplogging" in line and "has left something" not in line  # of another program
        ]

    return read


def test_handlers_of_its_loggers(session, told):
    """Those that were there before it, and those that come later; each from its own level on."""
    deaths, errors, above, later, beside = (Collecting() for _ in range(5))
    errors.setLevel(logging.ERROR)
    logging.getLogger(DEATHS).handlers += [deaths, errors, logging.NullHandler()]
    logging.getLogger("mplogging").addHandler(above)
    with session(handlers=[beside]) as running:
        die("exit(4)")
        eventually(lambda: deaths.got, 30)
        logging.getLogger(DEATHS).addHandler(later)
        die("kill")
        running.setLevel("INFO", "some.logger")
    status, signal = (DEATHS, "WARNING"), (DEATHS, "ERROR")
    change = ("mplogging", "INFO")
    assert deaths.got == [status, signal]
    assert errors.got == later.got == [signal]
    assert sorted(above.got) == sorted([status, signal, change])
    assert sorted(told()) == sorted(above.got)
    assert sorted(one for one in beside.got if one[0] != "jobs") == sorted(above.got)


def test_a_log_of_their_own(session, told, tmp_path):
    """Which a logger has that does not propagate; a filter of it holds back one of them."""
    logger = logging.getLogger(DEATHS)
    file = mplogging.DatedFileHandler(tmp_path / "logs" / "deaths.log")
    file.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logger.addHandler(file)
    logger.addFilter(lambda record: "exit status 3" not in record.getMessage())
    logger.propagate = False
    try:
        with session():
            die("exit(4)", "_exit(3)")
            eventually(lambda: told("deaths.log"), 30)
            die("kill")  # which is told at the end, it may be
        assert told("deaths.log") == [(DEATHS, "WARNING"), (DEATHS, "ERROR")]
        assert told() == []
    finally:
        file.close()


@pytest.mark.parametrize("settings", [{"level": "ERROR"}, {"filters": True}, {"propagate": False}])
def test_mplogging_is_silenced(session, told, settings):
    """By its level, a filter, or because it does not propagate; its other handlers are not."""
    logger = logging.getLogger("mplogging")
    above = Collecting()
    logger.addHandler(above)
    if "filters" in settings:
        logger.addFilter(lambda record: False)
    logger.setLevel(settings.get("level", logging.NOTSET))
    logger.propagate = settings.get("propagate", True)
    # The root logger's level is for the program's own records.
    with session(level="ERROR") as running:
        running.setLevel("INFO", "some.logger")
    assert told() == []
    assert above.got == ([("mplogging", "INFO")] if "propagate" in settings else [])


class Own(logging.Filter):
    """Brings a field of the program's own."""

    def filter(self, record):
        record.of_mine = "mine"
        return "ended by" not in record.getMessage()


@pytest.mark.parametrize("has_filter", [True, False])
def test_the_file_decides_too(tmp_path, has_filter):
    """By its filters and its level; what its format has no use for comes in another."""
    file = mplogging.DatedFileHandler(tmp_path / "logs" / "app.log")
    file.setFormatter(logging.Formatter("%(of_mine)s %(levelname)s %(message)s"))
    file.setLevel("WARNING")
    if has_filter:
        file.addFilter(Own())
    with mplogging.LogSession(file) as running:
        running.setLevel("INFO", "some.logger")
        die("kill", "exit(4)")
    file.close()
    (text,) = texts(tmp_path / "logs").values()
    found = re.findall("^.*ended.*$", text, re.MULTILINE)
    if has_filter:
        (line,) = found
        assert re.match(r"mine WARNING \S+ \(pid \d+\) ended with exit status 4", line)
    else:
        assert ["WARNING" in line for line in found] == [False, True]
    assert "set by process" not in text


def test_a_handler_that_is_stuck(session, told):
    """It holds up nothing but itself."""
    goes_on = threading.Event()
    stuck = Collecting()
    stuck.emit = lambda record: goes_on.wait(60)
    logging.getLogger(DEATHS).addHandler(stuck)
    try:
        with session():
            die("kill", "exit(4)")
            eventually(lambda: len(told()) == 2, 30)
            goes_on.set()
    finally:
        goes_on.set()
