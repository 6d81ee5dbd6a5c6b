"""One clock and one form in the file, though a program has changed `logging.Formatter` itself."""

from __future__ import annotations

import logging
import multiprocessing
import time

import pytest
import tree_jobs
from conftest import texts

import mplogging

FORMAT = "%(asctime)s %(message)s"


@pytest.fixture
def session(tmp_path):
    return mplogging.LogSession(tmp_path / "logs" / "app.log", format=FORMAT)


def lines_in(tmp_path):
    (text,) = texts(tmp_path / "logs").values()
    return text.splitlines()


def test_what_can_travel(session, tmp_path, monkeypatch, in_worker):
    """It holds in workers: what is set before the session, and in it before they are started."""
    monkeypatch.setattr(logging.Formatter, "converter", tree_jobs.at_the_epoch)
    monkeypatch.setattr(logging.Formatter, "default_time_format", "%Y")
    with session:
        monkeypatch.setattr(logging.Formatter, "default_msec_format", None)
        monkeypatch.setattr(logging.Formatter, "formatException", tree_jobs.last_line_only)
        tree_jobs.fail()
        assert session.address  # for a program that is given it: to be asked for after a change
        in_worker(tree_jobs.fail)
    assert lines_in(tmp_path) == ["1970 failed", "LookupError!"] * 2


def test_what_cannot_travel(session, tmp_path, monkeypatch, in_worker):
    """The parent makes the lines then; its own go into the file at once, as ever."""
    monkeypatch.setattr(logging.Formatter, "formatTime", lambda *_: "some time")
    with session:
        tree_jobs.say_at(("", logging.INFO, "the parent"))
        assert lines_in(tmp_path) == ["some time the parent"]
        in_worker(tree_jobs.say_at, ("", logging.INFO, "a worker"))
    assert lines_in(tmp_path) == ["some time the parent", "some time a worker"]


def log_at_the_epoch(word):
    record = {"levelno": logging.INFO, "created": 0.0, "msecs": 0.0, "msg": word}
    logging.getLogger().handle(logging.makeLogRecord(record))


@pytest.fixture
def set_zone(monkeypatch):
    """Sets the time zone, as Django does; it is put back."""

    def set_it(zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield set_it
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_time_zone_that_is_set_within_the_session(tmp_path, set_zone, method):
    """Lines, and the files that they go to, are by the new one at once."""
    set_zone("UTC")
    with mplogging.LogSession(tmp_path / "logs" / "app.log", format=FORMAT, when="H") as session:
        log_at_the_epoch("before")
        assert session.flush(10)
        set_zone("Asia/Tokyo")
        log_at_the_epoch("after")
        context = multiprocessing.get_context(method)
        worker = context.Process(target=log_at_the_epoch, args=("a worker",))
        worker.start()
        worker.join()
    assert {name: text for name, text in texts(tmp_path / "logs").items() if text} == {
        "app.log.1970-01-01_00": "1970-01-01 00:00:00,000 before\n",
        "app.log.1970-01-01_09":
            "1970-01-01 09:00:00,000 after\n1970-01-01 09:00:00,000 a worker\n",
    }
