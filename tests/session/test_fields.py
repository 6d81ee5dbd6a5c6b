"""`recordFields="needed"`: what no handler shows is not looked up; what is shown is there."""

from __future__ import annotations

import logging

import pytest
import tree_jobs
from conftest import texts

import mplogging

CALLER, THREADS, PROCESS, NAME = "findCaller", "logThreads", "logProcesses", "logMultiprocessing"
EVERYTHING = {CALLER, THREADS, PROCESS, NAME}


def needed(tmp_path, **arguments):
    arguments = {"format": "%(message)s", "recordFields": "needed", **arguments}
    return mplogging.LogSession(tmp_path / "logs" / "app.log", **arguments)


def in_a_worker(in_worker, tmp_path):
    """What a worker's record is without."""
    in_worker(tree_jobs.tell_left_out, str(tmp_path / "told"))
    return set((tmp_path / "told").read_text().split())


@pytest.mark.parametrize(
    ("style", "format", "shown"),
    [
        ("%", "%(asctime)s %(name)s %(message)s", set()),
        ("%", "%(asctime)s %(processName)s[%(process)d] %(message)s", {PROCESS, NAME}),
        ("%", "%(processName)-12s %(message)s", {NAME}),
        ("%", "%(filename)s %(message)s", {CALLER}),
        ("{", "{lineno:>5} {thread!r} {message}", {CALLER, THREADS}),
        ("$", "${funcName} $threadName $$module $message", {CALLER, THREADS}),
    ],
)
def test_what_is_shown_is_there(tmp_path, in_worker, style, format, shown):
    """In the parent and in a worker; afterwards, all is as before."""
    with needed(tmp_path, style=style, format=format):
        assert tree_jobs.left_out_here() == EVERYTHING - shown
        assert in_a_worker(in_worker, tmp_path) == EVERYTHING - shown
    assert tree_jobs.left_out_here() == set()


def test_all_stays_the_default(tmp_path, in_worker):
    """A handler that a program has in its workers only finds all fields."""
    with mplogging.LogSession(tmp_path / "logs" / "app.log", format="%(message)s"):
        assert tree_jobs.left_out_here() == set() == in_a_worker(in_worker, tmp_path)


class OwnFormatter(logging.Formatter):
    """Nobody knows what it shows."""


def with_filter(handler):
    handler.addFilter(lambda record: True)
    return handler


def with_formatter(handler, formatter):
    handler.setFormatter(formatter)
    return handler


@pytest.mark.parametrize(
    ("handler", "left_out"),
    [
        (lambda: logging.StreamHandler(), EVERYTHING),
        (lambda: logging.NullHandler(), set()),
        (lambda: with_filter(logging.StreamHandler()), set()),
        (lambda: with_formatter(logging.StreamHandler(), OwnFormatter()), set()),
        (
            lambda: with_formatter(logging.StreamHandler(), logging.Formatter("%(lineno)d")),
            EVERYTHING - {CALLER},
        ),
    ],
)
def test_a_further_handler(tmp_path, handler, left_out):
    """One that may look at anything finds all fields."""
    with needed(tmp_path, handlers=[handler()]):
        assert tree_jobs.left_out_here() == left_out


def test_a_handler_of_a_named_logger(tmp_path, in_worker, monkeypatch):
    """It is seen when the next process is started, if it came within the session."""
    with needed(tmp_path) as session:
        handler = with_formatter(logging.StreamHandler(), logging.Formatter("%(threadName)s"))
        monkeypatch.setattr(logging.getLogger("audit"), "handlers", [handler])
        assert session.address  # for a program that is given it: asked for after a change
        assert in_a_worker(in_worker, tmp_path) == EVERYTHING - {THREADS}
        assert tree_jobs.left_out_here() == EVERYTHING - {THREADS}


def test_filters_of_loggers_and_record_factories(tmp_path, monkeypatch):
    """They may look at anything."""
    logger = logging.getLogger("filtered")
    monkeypatch.setattr(logger, "filters", [lambda record: True])
    with needed(tmp_path):
        assert tree_jobs.left_out_here() == set()
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logging, "_logRecordFactory", tree_jobs.MarkedRecord)
    with needed(tmp_path):
        assert tree_jobs.left_out_here() == set()


def test_a_stack_is_shown_to_who_asks(tmp_path):
    """`stack_info=True` shows the caller's, though its line is not looked up."""
    with needed(tmp_path):
        logging.getLogger().warning("here", stack_info=True)
    (text,) = texts(tmp_path / "logs").values()
    lines = text.splitlines()
    assert lines[0] == "here" and "Stack (most recent call last):" in lines[1]
    assert "test_a_stack_is_shown_to_who_asks" in lines[-2]


def test_what_the_program_has_set_itself_stays(tmp_path, monkeypatch):
    """It is no concern of the session's, at its end either."""
    monkeypatch.setattr(logging, "logThreads", False)
    with needed(tmp_path, format="%(threadName)s"):
        logging.logProcesses = True  # against the session
    assert (logging.logThreads, logging.logProcesses) == (False, True)


def test_a_choice_that_there_is_not(tmp_path):
    """It is refused by name."""
    with pytest.raises(mplogging.ConfigError, match="recordFields must be one of .* got 'some'"):
        needed(tmp_path, recordFields="some")
