"""`QueueHandler`: what a record carries arrives, or its `repr` does; no record is lost for it."""

from __future__ import annotations

import logging
import logging.handlers
import multiprocessing
import queue

import jobs
import pytest

import mplogging


def record_of(**attributes):
    fields = {"name": "tests", "levelno": logging.INFO, "levelname": "INFO", "msg": "hello %s"}
    return logging.makeLogRecord({**fields, "args": ("you",), **attributes})


def test_it_is_one_of_the_standard_librarys():
    """What asks by `isinstance`, as `dictConfig` does, finds one."""
    assert issubclass(mplogging.QueueHandler, logging.handlers.QueueHandler)
    assert issubclass(mplogging.QueueListener, logging.handlers.QueueListener)
    assert mplogging.QueueHandler(queue.Queue()).listener is None


def test_a_field_that_cannot_be_pickled():
    """It arrives as its `repr`: the queue's own thread would drop the whole record."""
    between = multiprocessing.Queue()
    odd = jobs.Unpicklable()
    mplogging.QueueHandler(between).handle(record_of(odd=odd, many=[1, 2]))
    record = between.get(timeout=30)
    assert (record.getMessage(), record.odd, record.many) == ("hello you", "<Unpicklable>", [1, 2])
    between.close()
    between.join_thread()


def test_a_field_stays_what_it_is_within_the_process():
    """Nothing is pickled there; and the record itself, which other handlers get, is left alone."""
    within, odd, record = queue.Queue(), jobs.Unpicklable(), record_of()
    record.odd = odd
    mplogging.QueueHandler(within).handle(record)
    assert within.get_nowait().odd is odd
    assert (record.msg, record.args, record.odd) == ("hello %s", ("you",), odd)


def test_traces_come_once():
    """The message has them, and the record has them no more, on every version."""
    within = queue.Queue()
    mplogging.QueueHandler(within).handle(record_of(stack_info="Stack (most recent call last)"))
    text = logging.Formatter("%(message)s").format(within.get_nowait())
    assert text == "hello you\nStack (most recent call last)"


def test_a_full_queue(monkeypatch):
    """The record goes to `handleError`, as with the standard library's."""
    handler = mplogging.QueueHandler(queue.Queue(1))
    refused = []
    monkeypatch.setattr(handler, "handleError", refused.append)
    records = [record_of(), record_of()]
    for record in records:
        handler.handle(record)
    assert refused == records[1:]


@pytest.mark.parametrize("method", ["prepare", "enqueue"])
def test_a_subclass(method):
    """What it overrides is called."""

    class Own(mplogging.QueueHandler):
        """Sends the message only."""

    def prepare(self, record):
        return record.getMessage()

    def enqueue(self, record):
        self.queue.put_nowait(record.getMessage())

    setattr(Own, method, locals()[method])
    within = queue.Queue()
    Own(within).handle(record_of())
    assert within.get_nowait() == "hello you"
