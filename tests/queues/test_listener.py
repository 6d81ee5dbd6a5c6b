"""`QueueListener`: whatever comes out of the queue, and whatever the handlers do, it goes on."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import multiprocessing
import os
import queue
import sys
import threading
import time

import jobs
import pytest
from conftest import eventually, texts

import mplogging

DAY = 86400.0


class Kept(logging.Handler):
    """Keeps the messages; raises for those that say so."""

    def __init__(self, *kept):
        super().__init__()
        self.messages, self.refused = list(kept), []

    def emit(self, record):
        message = record.getMessage()
        if message == "raise":
            raise LookupError(message)
        if message == "exit":
            raise SystemExit(message)
        self.messages.append(message)

    def handleError(self, record):
        self.refused.append(record.getMessage())


class Stuck(Kept):
    """Waits for `go_on` at each record."""

    def __init__(self):
        super().__init__()
        self.go_on = threading.Event()

    def emit(self, record):
        self.go_on.wait(60)
        super().emit(record)


class Unloadable:
    """Can be pickled, and not unpickled."""

    def __reduce__(self):
        return int, ("no number",)


def record_of(message, **attributes):
    fields = {"name": "tests", "levelno": logging.INFO, "levelname": "INFO", "msg": message}
    return logging.makeLogRecord({**fields, **attributes})


@pytest.fixture
def file(tmp_path):
    handler = mplogging.DatedFileHandler(tmp_path / "logs" / "app.log", utc=True, delay=True)
    handler.setFormatter(logging.Formatter("%(message)s"))
    yield handler
    handler.close()


@pytest.fixture
def between():
    """A `multiprocessing.Queue`."""
    made = multiprocessing.Queue()
    yield made
    made.close()
    made.join_thread()


def lines_in(directory):
    return [line for text in texts(directory).values() for line in text.splitlines()]


# -- where the standard library's stand ---------------------------------------------------


def log_through(queue):
    """As a pool's initializer."""
    logging.getLogger().handlers = [mplogging.QueueHandler(queue)]
    logging.getLogger().setLevel(logging.INFO)


@pytest.mark.parametrize("kind", ["queue", "manager"])
def test_from_workers(context, kind, file, tmp_path):
    """Each worker's records are in the file, in its order, and went to the other handlers."""
    manager = context.Manager() if kind == "manager" else None
    shared = context.Queue() if manager is None else manager.Queue()
    kept = Kept()
    with mplogging.QueueListener(shared, file, kept):
        pool = context.Pool(2, log_through, (shared,))
        pool.map(jobs.say_many, [(worker, 50) for worker in range(3)], chunksize=1)
        pool.map(jobs.extra_record, [None])
        pool.close()
        pool.join()
    lines = lines_in(tmp_path)
    for worker in range(3):
        expected = [f"worker {worker} record {number}" for number in range(50)]
        assert [line for line in lines if line.startswith(f"worker {worker}")] == expected
        assert [text for text in kept.messages if text.startswith(f"worker {worker}")] == expected
    assert "extra" in lines and "LookupError: for JSON" in lines
    if manager is None:
        shared.close()
        shared.join_thread()
    else:
        manager.shutdown()


@pytest.mark.parametrize("ours", ["handler", "listener"])
def test_beside_the_standard_librarys(ours, file, tmp_path):
    """Each works with the other's counterpart."""
    theirs, within = logging.handlers, queue.Queue()
    handler = (mplogging if ours == "handler" else theirs).QueueHandler(within)
    listener = (mplogging if ours == "listener" else theirs).QueueListener(within, file)
    listener.start()
    for number in range(3):
        handler.handle(record_of("number %d", args=(number,)))
    listener.stop()
    assert lines_in(tmp_path) == ["number 0", "number 1", "number 2"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="from 3.12 on")
def test_in_a_configuration(tmp_path, no_other_handlers):
    """By class and by listener, as of Python 3.12."""
    logging.config.dictConfig({
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "file": {"class": "mplogging.DatedFileHandler", "filename": str(tmp_path / "app.log")},
            "queue": {
                "class": "mplogging.QueueHandler",
                "listener": "mplogging.QueueListener",
                "handlers": ["file"],
                "respect_handler_level": True,
            },
        },
        "loggers": {"tests.queues": {"level": "INFO", "handlers": ["queue"], "propagate": False}},
    })
    logger = logging.getLogger("tests.queues")
    (handler,) = logger.handlers
    (file,) = handler.listener.handlers
    file.setLevel(logging.WARNING)
    with handler.listener:
        logger.info("too low")
        logger.warning("hello")
    logger.removeHandler(handler)
    file.close()
    assert type(handler) is mplogging.QueueHandler
    assert lines_in(tmp_path) == ["hello"]


@pytest.mark.parametrize("respects", [False, True])
def test_levels(respects, file, tmp_path):
    """A handler's level holds if that is asked for: a file's too, whose lines are put together."""
    within, kept = queue.Queue(), Kept()
    for handler in (kept, file):
        handler.setLevel(logging.WARNING)
    with mplogging.QueueListener(within, kept, file, respect_handler_level=respects):
        within.put(record_of("low"))
        within.put(record_of("high", levelno=logging.ERROR))
    expected = ["high"] if respects else ["low", "high"]
    assert (kept.messages, lines_in(tmp_path)) == (expected, expected)


class Shouting(mplogging.QueueListener):
    """Overrides what the standard library's documentation says may be overridden."""

    def dequeue(self, block):
        return self.queue.get(block, 0.01)  # Empty comes out of it

    def prepare(self, record):
        return record_of(record.getMessage().upper())

    def handle(self, record):
        self.seen = [*getattr(self, "seen", ()), record.getMessage()]
        super().handle(record)


def test_a_subclass(file, tmp_path):
    """What it overrides is called, once a record; a `dequeue` that gives up is called again."""
    within, kept = queue.Queue(), Kept()
    with Shouting(within, file, kept) as listener:
        within.put(record_of("one"))
        eventually(lambda: kept.messages)
        within.put(record_of("two"))
    assert listener.seen == ["one", "two"]
    assert kept.messages == lines_in(tmp_path) == ["ONE", "TWO"]


# -- lines into a file --------------------------------------------------------------------


def test_lines_are_written_at_once(file, tmp_path):
    """What waits in the queue becomes one write for each run of records of one day."""
    within, writes, write = queue.Queue(), [], file._write
    for number in range(90):
        within.put(record_of("%d", args=(number,), created=number // 30 % 2 * DAY))
    file._write = lambda start, lines: (writes.append(len(lines)), write(start, lines))
    with mplogging.QueueListener(within, file):
        pass
    assert writes == [30, 30, 30]
    assert texts(tmp_path / "logs") == {
        "app.log.1970-01-01": "".join(f"{number}\n" for number in [*range(30), *range(60, 90)]),
        "app.log.1970-01-02": "".join(f"{number}\n" for number in range(30, 60)),
    }


class Redacting(mplogging.DatedFileHandler):
    """Overrides what happens to a record."""

    def emit(self, record):
        super().emit(record_of(record.getMessage().replace("secret", "***")))


@pytest.mark.parametrize("by", ["filter", "subclass"])
def test_what_a_files_handler_does_with_records_is_done(by, tmp_path):
    """Its filters, and what a subclass overrides, see each record."""
    kind = Redacting if by == "subclass" else mplogging.DatedFileHandler
    file, within = kind(tmp_path / "app.log"), queue.Queue()
    if by == "filter":
        file.addFilter(lambda record: "secret" not in record.getMessage())
    with mplogging.QueueListener(within, file):
        for text in ("a secret", "no news"):
            within.put(record_of(text))
    file.close()
    assert lines_in(tmp_path) == (["no news"] if by == "filter" else ["a ***", "no news"])


def test_a_file_gets_its_lines_before_a_handler_that_is_stuck(file, tmp_path):
    """What waited when the handler began to be stuck does not wait for it."""
    within, stuck = queue.Queue(), Stuck()
    for number in range(3):
        within.put(record_of("%d", args=(number,)))
    with mplogging.QueueListener(within, stuck, file):
        eventually(lambda: lines_in(tmp_path) == ["0", "1", "2"])
        stuck.go_on.set()
    assert stuck.messages == ["0", "1", "2"]


# -- what goes wrong -----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["raise", "exit"])
def test_a_handler_that_raises(text, file, tmp_path):
    """Its `handleError` is told, and it gets the next record; the others got this one."""
    within, kept = queue.Queue(), Kept()
    with mplogging.QueueListener(within, kept, file):
        for word in ("before", text, text, "after"):
            within.put(record_of(word))
    assert (kept.messages, kept.refused) == (["before", "after"], [text, text])
    assert lines_in(tmp_path) == ["before", text, text, "after"]


def test_records_that_no_line_can_be_made_of(file, tmp_path, monkeypatch):
    """`handleError` is told of each, and their neighbours are written."""
    within, refused = queue.Queue(), []
    monkeypatch.setattr(file, "handleError", refused.append)
    bad = [
        record_of("bad %s", args=(jobs.BadText(),)),
        record_of("too late", created=1e18),
    ]
    now = time.time()
    with mplogging.QueueListener(within, file):
        for record in (record_of("before", created=now), *bad, record_of("after", created=now)):
            within.put(record)
    assert refused == bad
    assert lines_in(tmp_path) == ["before", "after"]


def test_what_is_no_record(between, file, tmp_path, capsys):
    """What can't be unpickled, or is something else, is reported; its neighbours are written."""
    between.put(record_of("before"))
    for item in (Unloadable(), "text", 42, Unloadable()):
        between.put(item)
    between.put(record_of("after"))
    with mplogging.QueueListener(between, file):
        pass
    assert lines_in(tmp_path) == ["before", "after"]
    told = capsys.readouterr().err
    assert told.count("invalid literal for int() with base 10: 'no number'") == 2
    assert "'str' object" in told and "'int' object" in told


def test_a_prepare_that_raises(file, tmp_path, capsys):
    """It costs its record only."""

    class Picky(mplogging.QueueListener):
        """Refuses one record."""

        def prepare(self, record):
            if record.getMessage() == "bad":
                raise KeyError("not this one")
            return record

    within = queue.Queue()
    with Picky(within, file):
        for text in ("before", "bad", "after"):
            within.put(record_of(text))
    assert lines_in(tmp_path) == ["before", "after"]
    assert "not this one" in capsys.readouterr().err


def test_a_queue_whose_process_is_gone(file, tmp_path, capsys):
    """The thread waits for better times, and a stop ends it."""
    manager = multiprocessing.Manager()
    shared = manager.Queue()
    listener = mplogging.QueueListener(shared, file)
    listener.start()
    shared.put(record_of("before"))
    eventually(lambda: lines_in(tmp_path) == ["before"])
    manager.shutdown()
    assert listener.stop()
    assert "Logging error" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(queue, "ShutDown"), reason="queues are shut down from 3.13 on")
def test_a_queue_that_is_shut_down(file, tmp_path, capsys):
    """What it still held is written, and the thread is at its end."""
    within = queue.Queue()
    listener = mplogging.QueueListener(within, file)
    listener.start()
    within.put(record_of("the last"))
    within.shutdown()
    assert listener.stop()
    assert lines_in(tmp_path) == ["the last"]
    assert capsys.readouterr().err == ""


# -- the beginning and the end --------------------------------------------------------------


def test_a_stop_has_a_deadline():
    """A handler that is stuck does not hold it up; the thread goes on, and can be waited for."""
    within, stuck = queue.Queue(), Stuck()
    listener = mplogging.QueueListener(within, stuck)
    listener.stopTimeout = 0.01
    listener.start()
    for text in ("one", "two"):
        within.put(record_of(text))
    with pytest.warns(mplogging.MPLoggingWarning, match=r"within 0\.01 seconds.*Stuck"):
        assert listener.stop() is False
    with pytest.raises(RuntimeError, match=r"stop\(\) it first"):
        listener.start()
    stuck.go_on.set()
    assert listener.stop(30) is True
    assert stuck.messages == ["one", "two"]
    with pytest.raises(mplogging.ConfigError, match="timeout must be 0 or more"):
        listener.stop(-1)


@pytest.mark.parametrize("timeout", [0.0, 30.0])
def test_a_stop_while_the_queue_is_full(timeout):
    """There is no room for the sentinel: it is waited for, or done without."""
    within, stuck = queue.Queue(2), Stuck()
    listener = mplogging.QueueListener(within, stuck)
    listener.dequeue = lambda block: within.get(block)  # one at a time, so that two wait
    listener.start()
    for number in range(3):
        within.put(record_of("%d", args=(number,)), timeout=30)
    if timeout:
        opener = threading.Timer(0.02, stuck.go_on.set)
        opener.start()
        assert listener.stop(timeout)
        opener.join()
    else:
        with pytest.warns(mplogging.MPLoggingWarning):
            assert not listener.stop(timeout)
        stuck.go_on.set()
        assert listener.stop(30)
    assert stuck.messages == ["0", "1", "2"]


def test_again_and_again(file, tmp_path):
    """Stopping twice, or what was not begun, does nothing; it can be started once more."""
    within = queue.Queue()
    listener = mplogging.QueueListener(within, file)
    assert listener.stop()
    for text in ("one", "two"):
        with listener as entered:
            assert entered is listener
            with pytest.raises(RuntimeError):
                listener.start()
            within.put(record_of(text))
        assert listener.stop()
    assert lines_in(tmp_path) == ["one", "two"]
    assert within.empty()


def test_a_handler_that_stops_it():
    """It does not wait for itself."""

    class Stopping(Kept):
        """Stops its listener."""

        def emit(self, record):
            super().emit(record)
            self.messages.append(listener.stop())

    within, stopping = queue.Queue(), Stopping()
    listener = mplogging.QueueListener(within, stopping)
    listener.start()
    within.put(record_of("the last"))
    eventually(lambda: len(stopping.messages) == 2)
    assert listener.stop()
    assert stopping.messages == ["the last", False]


def test_joining_the_queue(file, tmp_path):
    """`task_done` is called once the record is in the file, for what is no record too."""
    shared = multiprocessing.JoinableQueue()
    with mplogging.QueueListener(shared, file):
        for item in (record_of("one"), Unloadable(), record_of("two")):
            shared.put(item)
        shared.join()
        assert lines_in(tmp_path) == ["one", "two"]
    shared.join()
    shared.close()
    shared.join_thread()


def stop_here(listener):
    assert listener.stop()
    os._exit(7)


def test_a_forked_child_does_not_stop_it(between, file, tmp_path):
    """The thread is its parent's, and goes on."""
    with mplogging.QueueListener(between, file) as listener:
        child = multiprocessing.get_context("fork").Process(target=stop_here, args=(listener,))
        child.start()
        child.join()
        assert child.exitcode == 7
        between.put(record_of("after"))
    assert lines_in(tmp_path) == ["after"]
