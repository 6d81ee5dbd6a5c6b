"""Handlers beside the file: none holds up another, and what each leaves undone is told."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from mplogging._delivery.sidelines import Sideline


def record_of(number: int, level: int = logging.INFO) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": "record %d", "args": (number,), "levelno": level})


class Collecting(logging.Handler):
    """Keeps messages; waits at each while its gate is closed."""

    def __init__(self, is_open: bool = True, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.messages: list[str] = []
        self.gate = threading.Event()
        self.has_begun = threading.Event()
        self.flushed = 0
        if is_open:
            self.gate.set()

    def emit(self, record: logging.LogRecord) -> None:
        self.has_begun.set()
        self.gate.wait()
        self.messages.append(record.getMessage())

    def flush(self) -> None:
        self.flushed += 1


class Raising(Collecting):
    """Raises what it is told to on every second record."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.error = error

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        if len(self.messages) % 2:
            raise self.error("on purpose")


class Reports(list):
    """What a sideline reports."""

    def __call__(self, handler: logging.Handler, record: logging.LogRecord) -> None:
        self.append(record.getMessage())


def started(handler: logging.Handler, capacity: int = 100, is_patient: bool = False) -> Sideline:
    sideline = Sideline(handler, capacity, is_patient, Reports())
    sideline.start()
    return sideline


def in_a_minute() -> float:
    return time.monotonic() + 60


def now() -> float:
    return time.monotonic()


def messages(*numbers: int) -> list[str]:
    return [f"record {number}" for number in numbers]


def test_all_records_in_order():
    """What was offered is handled by the end, in order, and flushed once."""
    handler = Collecting()
    sideline = started(handler, 1000)
    for number in range(500):
        sideline.offer(record_of(number))
    assert sideline.finish(in_a_minute()) == 0
    assert handler.messages == messages(*range(500))
    assert (sideline.dropped, sideline.failed, handler.flushed) == (0, 0, 1)


def test_level_and_filters():
    """A handler gets what its level and its filters let through."""
    handler = Collecting(level=logging.WARNING)
    handler.addFilter(lambda record: record.args != (3,))
    sideline = started(handler)
    for number, level in enumerate((logging.INFO, logging.WARNING, logging.ERROR, logging.ERROR)):
        sideline.offer(record_of(number, level))
    assert sideline.finish(in_a_minute()) == 0
    assert handler.messages == messages(1, 2)


def test_a_stuck_handler_does_not_hold_up_who_offers():
    """Its queue takes so many, what comes beyond is dropped and counted."""
    handler = Collecting(is_open=False)
    sideline = started(handler, capacity=10)
    sideline.offer(record_of(0))
    handler.has_begun.wait()
    for number in range(1, 100):
        sideline.offer(record_of(number))
    assert sideline.dropped == 89
    handler.gate.set()
    assert sideline.finish(in_a_minute()) == 0
    assert handler.messages == messages(*range(11))


@pytest.mark.parametrize("capacity", [5, 10])
@pytest.mark.parametrize("is_patient", [False, True])
def test_a_stuck_handler_at_the_end(capacity, is_patient):
    """The end comes by the deadline, with the number of records that are left, and stays."""
    handler = Collecting(is_open=False)
    sideline = started(handler, capacity, is_patient)
    sideline.offer(record_of(0))
    handler.has_begun.wait()
    for number in range(1, 6):  # with a capacity of 5, not even the end fits in
        sideline.offer(record_of(number))
    assert sideline.finish(now()) == 6
    for number in range(6, 20):  # what is still offered is not waited for
        sideline.offer(record_of(number))
    handler.gate.set()
    assert sideline.finish(in_a_minute()) == 0
    assert handler.messages[:6] == messages(*range(6))


def test_a_flush_that_does_not_end():
    """It is one thing left undone."""
    handler = Collecting()
    handler.flush = (gate := threading.Event()).wait
    sideline = started(handler)
    sideline.offer(record_of(0))
    assert sideline.finish(now() + 0.05) == 1
    gate.set()
    sideline.finish(in_a_minute())


def test_a_patient_one_waits_for_room():
    """It drops nothing, however small its queue."""
    handler = Collecting(is_open=False)
    sideline = started(handler, capacity=2, is_patient=True)

    def offer_all() -> None:
        for number in range(50):
            sideline.offer(record_of(number))

    thread = threading.Thread(target=offer_all)
    thread.start()
    handler.has_begun.wait()
    handler.gate.set()
    thread.join()
    assert sideline.finish(in_a_minute()) == 0
    assert handler.messages == messages(*range(50)) and sideline.dropped == 0


def test_one_who_may_not_wait():
    """Who has seen that there is room, and lost it to another, is one too many, and is taken."""
    handler = Collecting(is_open=False)
    sideline = started(handler, capacity=1, is_patient=True)
    sideline.offer(record_of(0))
    handler.has_begun.wait()
    assert sideline.has_room()
    sideline.offer(record_of(1))
    assert not sideline.has_room()
    sideline.offer(record_of(2), may_wait=False)
    handler.gate.set()
    assert sideline.finish(in_a_minute()) == 0
    assert handler.messages == messages(0, 1, 2) and sideline.dropped == 0


def test_a_patient_one_gives_up():
    """Whoever waits for room is let go, and the record is counted as dropped."""
    handler = Collecting(is_open=False)
    sideline = started(handler, capacity=1, is_patient=True)
    sideline.offer(record_of(0))
    handler.has_begun.wait()
    sideline.offer(record_of(1))
    thread = threading.Thread(target=sideline.offer, args=(record_of(2),))
    thread.start()
    sideline.give_up()
    thread.join()
    assert sideline.dropped == 1
    handler.gate.set()
    assert sideline.finish(in_a_minute()) == 0
    assert handler.messages == messages(0, 1)


@pytest.mark.parametrize("error", [ValueError, MemoryError, SystemExit, KeyboardInterrupt])
def test_a_handler_that_raises(error):
    """It is reported once, counted each time, and gets the next record all the same."""
    handler = Raising(error)
    sideline = started(handler)
    for number in range(10):
        sideline.offer(record_of(number))
    assert sideline.finish(in_a_minute()) == 0
    assert handler.messages == messages(*range(10))
    assert sideline.failed == 5 and sideline._report == messages(0)


def test_a_report_that_raises():
    """Neither a report nor a flush that raises ends the thread."""

    def fail(*args: object) -> None:
        raise SystemExit("of the report")

    handler = Raising(ValueError)
    handler.flush = fail
    sideline = Sideline(handler, 100, False, fail)
    sideline.start()
    for number in range(10):
        sideline.offer(record_of(number))
    assert sideline.finish(in_a_minute()) == 0
    assert handler.messages == messages(*range(10)) and sideline.failed == 5
