"""What the tests run in worker processes: importable, as spawn needs it."""

from __future__ import annotations

import json
import logging
import logging.config
import multiprocessing
import os
import signal
import threading
import warnings

import mplogging

log = logging.getLogger("jobs")


def say(number):
    log.info("number %d", number)
    return number


def say_many(job):
    worker, count = job
    for number in range(count):
        log.info("worker %d record %d", worker, number)
    return worker


def prepare(word):
    log.info("prepared with %s", word)


def fail_to_prepare():
    raise RuntimeError("cannot prepare")


def set_up_logging():
    """As a program's own initializer may do."""
    logging.config.dictConfig({
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"null": {"class": "logging.NullHandler"}},
        "root": {"level": "INFO", "handlers": ["null"]},
    })


def say_after_set_up(number):
    set_up_logging()
    warnings.simplefilter("always")
    return say(number)


def begin_session(filename):
    """A child that begins a session, and leaves it to the interpreter's end."""
    mplogging.LogSession(filename, format="%(message)s").start()
    say_many((0, 10))


def report_environment(_):
    return os.environ.get("MPLOGGING_SESSION")


def report_levels(names):
    """What the levels are here, for the root logger ("") and others."""
    levels = {name: logging.getLogger(name or None).getEffectiveLevel() for name in names}
    return levels, logging.getLevelName(25)


def root_handlers(_):
    return [type(handler).__name__ for handler in logging.getLogger().handlers]


def warn(_):
    warnings.simplefilter("always")  # the tests' own setting makes them errors
    warnings.warn("mind the gap", UserWarning, stacklevel=1)


class Talker(multiprocessing.Process):
    """A subclass of `Process` that logs."""

    def run(self):
        log.info("a subclass talks")


@mplogging.worker
def decorated(number: int) -> int:
    """Logs, and fails for negative numbers."""
    log.info("decorated %d", number)
    if number < 0:
        raise ValueError(f"negative: {number}")
    return number


@mplogging.worker(logger="special", level="CRITICAL")
def decorated_specially():
    return decorated(-7)


class Counter:
    """Has a decorated method."""

    def __init__(self, start):
        self.start = start

    @mplogging.worker
    def count(self, number: int) -> int:
        """Adds."""
        log.info("counting from %d", self.start)
        return self.start + number


class Unpicklable:
    """Can't be pickled, but has a `repr`."""

    def __reduce__(self):
        raise TypeError("not me")

    def __repr__(self):
        return "<Unpicklable>"


class BadText:
    """Raises when it is formatted."""

    def __str__(self):
        raise RuntimeError("no text")


class LoggedAtDeath:
    """Logs from `__del__`."""

    def __del__(self):
        log.info("logged from __del__")


def any_record(_):
    """One record of each awkward kind, in this order."""
    logging.raiseExceptions = False
    try:
        {}["missing"]
    except KeyError:
        log.exception("with a traceback")
    log.info("with a stack", stack_info=True)
    log.info("a lone surrogate \ud800 and a NUL \0.")
    log.info("bad %s", BadText())
    log.info("bad arguments %d %d", 1)
    log.info("after the bad")
    log.info("")
    logged = LoggedAtDeath()
    del logged
    signal.signal(signal.SIGUSR1, lambda *_: log.info("logged from a signal handler"))
    os.kill(os.getpid(), signal.SIGUSR1)
    log.info("the last")


def extra_record(_):
    log.warning("extra", extra={"user": "ada", "odd": Unpicklable(), "many": [1, 2]})
    try:
        raise LookupError("for JSON")
    except LookupError:
        log.exception("failed")


def sized_records(job):
    """Records whose messages have these lengths, each with its own letter."""
    worker, sizes = job
    for number, size in enumerate(sizes):
        log.info("%d:%d:%s", worker, number, "abcdefgh"[worker] * size)


def from_threads(count):
    threads = [
        threading.Thread(target=say_many, args=((number, count),)) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def grandchild(_):
    child = multiprocessing.get_context("fork").Process(target=say, args=(99,))
    child.start()
    child.join()


def session_within(filename):
    """A worker that has a log of its own for a while."""
    log.info("before")
    with mplogging.LogSession(filename, format="%(message)s"):
        log.info("within")
        child = multiprocessing.Process(target=say, args=(7,))
        child.start()
        child.join()
    log.info("after")


class JsonFormatter(logging.Formatter):
    """Finds `extra=` fields as attributes of the record."""

    def format(self, record):
        fields = {"message": record.getMessage(), "trace": record.exc_text}
        fields.update(user=getattr(record, "user", None), odd=getattr(record, "odd", None))
        return json.dumps(fields)


def formatter_without_pickle():
    class Local(logging.Formatter):
        """Can't be pickled: it is local to a function."""

        def format(self, record):
            return f"{os.getpid()} local {super().format(record)}"

    return Local("%(message)s")
