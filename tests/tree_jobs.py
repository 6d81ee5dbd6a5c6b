"""What tests of the logging tree run in workers."""

from __future__ import annotations

import contextvars
import logging
import os
import threading
import time

import mplogging
from mplogging._wire.place import Place
from mplogging._worker.attaching import attached
from mplogging._worker.attachment import Attachment
from mplogging._worker.channels import JournalChannel


def say_at(*jobs):
    """Log each text to the logger of its name, at its level."""
    for name, level, text in jobs:
        logging.getLogger(name or None).log(level, text)


def at_the_epoch(formatter, seconds):
    """A `converter` for `logging.Formatter`."""
    return time.gmtime(0)


def last_line_only(formatter, exception):
    """A `formatException` for it."""
    return f"{type(exception[1]).__name__}!"


def fail():
    """Log an exception."""
    try:
        raise LookupError("lost")
    except LookupError:
        logging.exception("failed")


def _stream_to(path):
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def set_up_and_say(name, path, text):
    """As a module does that sets up its logger when it is imported."""
    logging.getLogger(name).addHandler(_stream_to(path))
    logging.getLogger(name).warning(text)


class OnlyOf:
    """A filter that can be pickled."""

    def __init__(self, word):
        self.word = word

    def filter(self, record):
        return self.word in record.getMessage()


def say_many(count):
    for number in range(count):
        logging.info("%d", number)


request = contextvars.ContextVar("request", default="no request")


def with_request(record):
    """A filter that adds what only the thread that logs knows."""
    record.request = request.get()
    return record.request != "none"


def say_in_request(name, text):
    request.set(name)
    logging.info(text)


class Counting:
    """A filter that counts."""

    count = 0

    def filter(self, record):
        self.count += 1
        return True


class Texts(logging.Handler):
    """A handler that keeps what it is given."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append(self.format(record))


def record_with_site(*args, **kwargs):
    """A record factory."""
    record = logging.LogRecord(*args, **kwargs)
    record.site = "ours"
    return record


def say_when_told(connection, name):
    """Log at INFO what comes, until it is None; tell when it is done."""
    while (text := connection.recv()) is not None:
        logging.getLogger(name).info(text)
        connection.send(text)


def say_specially():
    """As web servers and structlog do."""
    logging.info('%s - "%s" %d', "1.2.3.4", "GET /", 404)
    logging.info({"event": "login", "user": {"id": 7}})


class MarkedRecord(logging.LogRecord):
    """What a record factory of a program's own makes."""


class _Collector(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


def own_record():
    """A record as a log call makes it here."""
    logger, collector = logging.Logger("own"), _Collector()  # a logger that nobody else has
    logger.addHandler(collector)
    logger.warning("made")
    return collector.records[0]


def left_out_here():
    """By what would fill them in, the fields that such a record is without."""
    record = own_record()
    values = {
        "findCaller": record.lineno, "logThreads": record.thread,
        "logProcesses": record.process, "logMultiprocessing": record.processName,
    }  # fmt: skip
    return {name for name, value in values.items() if not value}


def tell_left_out(path):
    """Write their names into a file."""
    with open(path, "w") as file:
        file.write(" ".join(left_out_here()))


def level_of(name):
    """The logger's own level here."""
    return logging.getLogger(name).level


def tell_levels(connection):
    """Log a record that passes, and say which levels the loggers asked for have then."""
    while (names := connection.recv()) is not None:
        logging.critical("passes")
        connection.send([logging.getLogger(name).getEffectiveLevel() for name in names])


def tell_levels_after_a_pause(connection, address, step):
    """The same, by a process that pauses right after that step of its attaching."""
    owner = Place if step == "read_config" else Attachment
    known = getattr(owner, step)

    def take_the_step(self):
        result = known(self)
        connection.send(step)
        connection.recv()
        logging.critical("passes")
        return result

    setattr(owner, step, take_the_step)
    mplogging.attach(address)
    setattr(owner, step, known)
    tell_levels(connection)


def tell_levels_beside_a_slow_thread(connection, is_forking):
    """The same, where a thread has just read what is new, and has not taken it over yet."""
    is_reading, goes_on = threading.Event(), threading.Event()
    known = JournalChannel.new_config

    def read_slowly(self):
        config = known(self)
        if config is not None and threading.current_thread() is slow:
            is_reading.set()
            goes_on.wait(60)
        return config

    def log():
        while not is_reading.is_set():
            logging.critical("passes")

    logging.critical("passes")
    connection.send("has what there is")
    connection.recv()
    slow = threading.Thread(target=log)
    JournalChannel.new_config = read_slowly
    slow.start()
    assert is_reading.wait(60)
    connection.send("has read it")
    connection.recv()
    if is_forking and not os.fork():
        tell_levels(connection)
        os._exit(0)
    attached().handler.look()
    goes_on.set()
    slow.join()
    if is_forking:
        assert os.wait()[1] == 0
    else:
        tell_levels(connection)


def own_level_and_tell(connection):
    """The same, in a worker whose set-up code sets a level."""
    logging.getLogger("app").setLevel("WARNING")
    tell_levels(connection)


def tell_levels_and_threads(connection):
    """The same as `tell_levels`, with the number of threads last."""
    while (names := connection.recv()) is not None:
        logging.critical("passes")
        levels = [logging.getLogger(name).getEffectiveLevel() for name in names]
        connection.send([*levels, threading.active_count()])


def set_level_elsewhere(session):
    """In a forked child, to whom the session does not belong."""
    try:
        session.setLevel("DEBUG")
    except mplogging.SessionClosedError:
        return
    raise AssertionError("it was set")
