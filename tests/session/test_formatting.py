"""One clock and one form in the file, though a program has changed `logging.Formatter` itself."""

from __future__ import annotations

import logging

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
