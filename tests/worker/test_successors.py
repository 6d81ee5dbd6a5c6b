"""A worker that outlives its session goes on with the next one of the same program."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import random
import threading
import time
from concurrent.futures import ProcessPoolExecutor

import jobs
import pytest
import tree_jobs
from conftest import START_METHODS, eventually, texts

import mplogging


@pytest.fixture
def new_session(tmp_path):
    """Makes sessions with a log each, in one directory; with a handler that keeps what it gets."""

    def make(name, kept=None, **options):
        handlers = [] if kept is None else [Kept(kept)]
        return mplogging.LogSession(
            tmp_path / name, format="%(message)s", handlers=handlers, **options
        )

    return make


class Kept(logging.Handler):
    """Keeps the messages."""

    def __init__(self, kept):
        super().__init__()
        self.kept = kept

    def emit(self, record):
        self.kept.append(record.getMessage())


@pytest.fixture
def pool(context):
    """Of one worker, which nobody shuts down with a session."""
    with ProcessPoolExecutor(1, context) as executor:
        yield executor


def texts_by_log(directory):
    return {name.rpartition(".")[0]: text for name, text in texts(directory).items()}


class Speaker:
    """Lets the worker say the next number."""

    def __init__(self, pool):
        self._pool = pool
        self.said = 0

    def say(self):
        self.said += 1
        self._pool.submit(jobs.say, self.said).result()
        return f"number {self.said}"

    def has_said_last(self, directory, log):
        return f"number {self.said}\n" in texts_by_log(directory)[log]

    def say_until(self, is_heard):
        """Workers look 20 times a second what has become of their session."""
        eventually(lambda: self.say() and is_heard())


def test_a_pool_that_outlives_its_session(new_session, pool, tmp_path):
    """What it logs goes to whichever session there is; between two, to the log of the last."""
    worker, kept = Speaker(pool), []
    with new_session("first.log"):
        worker.say()
    worker.say_until(lambda: worker.has_said_last(tmp_path, "first.log"))
    for name in ("second.log", "third.log"):
        kept.clear()
        with new_session(name, kept) as session:
            worker.say_until(lambda: kept)
            first = int(kept[0].split()[1])
            for _ in range(2):
                worker.say()
            followed = [f"number {number}" for number in range(first, worker.said + 1)]
            assert session.flush(10)
            assert texts_by_log(tmp_path)[name].splitlines() == followed
        assert kept == followed
        worker.say()
    pool.shutdown()
    lines = "".join(texts_by_log(tmp_path).values()).splitlines()
    assert [line for line in lines if line.startswith("number")] == [
        f"number {number}" for number in range(1, worker.said + 1)
    ]


def test_a_level_that_the_session_before_was_told(new_session, pool, tmp_path):
    """It ends with that session."""

    def level():
        return pool.submit(tree_jobs.level_of, "jobs").result()

    worker = Speaker(pool)
    with new_session("first.log") as session:
        session.setLevel("DEBUG", "jobs")
        worker.say_until(lambda: level() == logging.DEBUG)
    with new_session("second.log"):
        worker.say_until(lambda: worker.has_said_last(tmp_path, "second.log"))
        assert level() == logging.NOTSET


@pytest.mark.parametrize("has_handler", [False, True])
def test_what_has_no_session_any_more_says_so(new_session, tmp_path, has_handler):
    """Once, in the log that is left, where a handler gets nothing more."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        worker = Speaker(pool)
        with new_session("first.log", [] if has_handler else None):
            worker.say()
        for _ in range(2):
            worker.say_until(lambda: worker.has_said_last(tmp_path, "first.log"))
    (text,) = texts(tmp_path).values()
    assert text.count("is over: what it logs goes to") == has_handler
    assert (str(next(tmp_path.iterdir())) in text) == has_handler


def test_a_worker_that_was_idle_in_its_session(new_session, pool, tmp_path):
    """It finds the next one with its first record."""
    with new_session("first.log"):
        pool.submit(len, "").result()
    with new_session("second.log"):
        Speaker(pool).say()
    pool.shutdown()
    assert texts_by_log(tmp_path) == {"first.log": "", "second.log": "number 1\n"}


def log_from_threads(count):
    threads = [
        threading.Thread(target=jobs.say_many, args=((number, count),)) for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_go_over_together(new_session, context, tmp_path):
    """However a thread meets the change, each of its records is in one of the logs, once."""
    with new_session("first.log") as first:
        worker = context.Process(target=log_from_threads, args=(2000,))
        worker.start()
        eventually(lambda: first.stats().records > 100)
    with new_session("second.log"):
        worker.join()
    lines = "".join(texts(tmp_path).values()).splitlines()
    assert sorted(lines) == sorted(
        f"worker {worker} record {number}" for worker in range(4) for number in range(2000)
    )


# --- named loggers -----------------------------------------------------------------------


class Program:
    """A logger of its own that has a file in some of the sessions, and a pool that stays."""

    def __init__(self, directory, submit, propagate):
        self._directory = directory
        self.submit = submit
        self._propagate = propagate
        self.expected = {}  # the texts that each log is to have, in order
        self._number = 0
        self._session = ""

    @contextlib.contextmanager
    def session(self, name, has_file):
        """One that logs to the file of that name, with or without the logger's own."""
        audit, before = logging.getLogger("audit"), logging.getLogger("audit").propagate
        self._session, self._has_file = name, has_file
        handlers = []
        if has_file:
            handlers = [mplogging.DatedFileHandler(self._directory / "audit.log")]
            audit.propagate = self._propagate
        audit.handlers[:] = handlers
        try:
            with mplogging.LogSession(
                self._directory / f"{name}.log", format="%(message)s", level="INFO"
            ) as session:
                yield session
        finally:
            audit.handlers[:], audit.propagate = [], before
            for handler in handlers:
                handler.close()

    def say(self):
        """Let the worker log to both loggers, and note where that is to come."""
        self._number += 1
        texts = {name: f"{name} {self._number}" for name in ("audit", "plain")}
        self.submit(tree_jobs.say_at, *((name, logging.INFO, texts[name]) for name in texts))
        if self._has_file:
            self.expected.setdefault("audit", []).append(texts["audit"])
        if not self._has_file or self._propagate:
            self.expected.setdefault(self._session, []).append(texts["audit"])
        self.expected.setdefault(self._session, []).append(texts["plain"])

    def say_until_noticed(self):
        """After a session: until the worker has noticed, and writes to the logs itself."""

        def is_there():
            self.say()
            return self.lines() == self.expected

        eventually(is_there)

    def lines(self):
        found = {name.partition(".")[0]: text for name, text in texts(self._directory).items()}
        return {name: text.splitlines() for name, text in found.items() if text}


def executor_of(context):
    pool = ProcessPoolExecutor(1, context)
    return lambda function, *args: pool.submit(function, *args).result(60), pool.shutdown


def pool_of(context):
    pool = context.Pool(1)

    def end():
        pool.close()
        pool.join()

    return lambda function, *args: pool.apply_async(function, args).get(60), end


@pytest.fixture(params=[executor_of, pool_of])
def new_program(request, tmp_path):
    """Makes a program whose pool is of each kind in turn; it is ended after all sessions."""

    ends = []

    def make(context, propagate=False):
        submit = []

        def submit_late(function, *args):
            if not submit:  # in the first session, as a program does that has one pool for all
                found, end = request.param(context)
                submit.append(found)
                ends.append(end)
            return submit[0](function, *args)

        return Program(tmp_path, submit_late, propagate)

    make.end = lambda: [ends.pop()() for _ in ends[:]]
    yield make
    make.end()


@pytest.mark.parametrize("propagate", [False, True])
@pytest.mark.parametrize(
    "has_files", [(True, True), (True, False), (False, True)], ids=["both", "first", "second"]
)
def test_a_named_loggers_own_file(new_program, context, has_files, propagate):
    """It is found in the session that has it; where it is gone, the log has its lines."""
    program = new_program(context, propagate)
    for name, has_file in zip(("one", "two"), has_files):
        with program.session(name, has_file) as session:
            program.say()
            program.say()
            assert session.flush(10)
            assert program.lines() == program.expected
        program.say_until_noticed()
    new_program.end()
    assert program.lines() == program.expected


@pytest.mark.parametrize("has_files", [(True, True), (True, False), (False, True)])
def test_a_worker_that_is_brought_over(new_program, context, has_files, tmp_path):
    """By `wrap`, which attaches it to the next session before that has got a record."""
    program = new_program(context)
    submit = program.submit
    for name, has_file in zip(("one", "two"), has_files):
        with program.session(name, has_file) as session:
            program.submit = lambda function, *args, wrap=session.wrap: submit(
                wrap(function), *args
            )
            program.say()
    new_program.end()
    assert program.lines() == program.expected


def say_in_turn(stop):
    """Log numbers to one logger for a while, then to the other; tell how many to each."""
    draw, counts = random.Random(13), {"audit": 0, "plain": 0}
    while not stop.poll():
        for name in counts:
            logger, until = logging.getLogger(name), time.monotonic() + draw.uniform(0, 0.06)
            while time.monotonic() < until:
                logger.info("%s %d", name, counts[name])
                counts[name] += 1
    stop.send(counts)


def test_no_record_is_lost_or_doubled_where_sessions_change(context, tmp_path):
    """Wherever a worker is caught that logs to several files all the time; in its order."""
    audit, names = logging.getLogger("audit"), [f"number{number}" for number in range(8)]
    files = [mplogging.DatedFileHandler(tmp_path / f"{name}.log") for name in ("one", "two")]
    audit.handlers[:] = files
    ours, theirs = context.Pipe()
    worker = None
    for name in names:
        with mplogging.LogSession(
            tmp_path / f"{name}.log", format="%(message)s", level="INFO"
        ) as session:
            if worker is None:
                worker = context.Process(target=say_in_turn, args=(theirs,))
                worker.start()
            eventually(lambda session=session: session.stats().records > 5000)
    ours.send(None)
    assert ours.poll(60)
    counts = ours.recv()
    worker.join(60)
    for connection in (ours, theirs, *files):
        connection.close()
    audit.handlers[:] = []
    lines = {log.partition(".")[0]: text.splitlines() for log, text in texts(tmp_path).items()}
    said = {name: [f"{name} {number}" for number in range(counts[name])] for name in counts}
    assert lines["one"] == lines["two"] == said["audit"]
    every = [line for name in names for line in lines[name]]
    for name in counts:
        assert [line for line in every if line.startswith(name)] == said[name]
    assert all(lines[name] for name in names)


# --- what else changes between sessions -------------------------------------------------------


def test_levels_are_the_next_sessions(new_session, pool, tmp_path):
    """One that only the first had set holds no more."""
    noisy, said = logging.getLogger("noisy"), logging.INFO
    for name, level in (("first.log", logging.ERROR), ("second.log", logging.NOTSET)):
        noisy.setLevel(level)
        with new_session(name, level="INFO"):
            for logger in ("noisy", "plain", "noisy"):
                pool.submit(tree_jobs.say_at, (logger, said, f"{logger} in {name}")).result()
        Speaker(pool).say_until(lambda: "number" in texts_by_log(tmp_path)["first.log"])
    pool.shutdown()
    lines = {name: text.splitlines() for name, text in texts_by_log(tmp_path).items()}
    said = {name: [one for one in lines[name] if "number" not in one] for name in lines}
    assert said == {
        "first.log": ["plain in first.log"],
        # Its first record decides by what holds until then.
        "second.log": ["plain in second.log", "noisy in second.log"],
    }


def hold_session(path, connection):
    with mplogging.LogSession(path, format="%(message)s"):
        connection.send(None)
        connection.recv()


def test_another_programs_session(new_session, pool, tmp_path):
    """It stands in the same directory, and is none of this one's business."""
    worker = Speaker(pool)
    with new_session("first.log"):
        worker.say()
    ours, theirs = multiprocessing.Pipe()
    other = multiprocessing.get_context("spawn").Process(
        target=hold_session, args=(tmp_path / "other.log", theirs)
    )
    other.start()
    assert ours.poll(60)
    ours.recv()
    worker.say_until(lambda: worker.has_said_last(tmp_path, "first.log"))
    with new_session("second.log") as session:
        worker.say()
        assert session.flush(10)
        assert worker.has_said_last(tmp_path, "second.log")
    ours.send(None)
    other.join(60)
    pool.shutdown()
    ours.close()
    theirs.close()
    assert texts_by_log(tmp_path)["other.log"] == ""


def test_fields_that_only_the_next_session_shows(tmp_path, context):
    """A record that was made without them stays with the session that needs none."""
    with ProcessPoolExecutor(1, context) as pool:
        for name, format in (("first", "%(message)s"), ("second", "%(message)s %(process)d")):
            with mplogging.LogSession(
                tmp_path / f"{name}.log", format=format, level="INFO", recordFields="needed"
            ):
                for text in (f"one in {name}", f"two in {name}"):
                    pid = pool.submit(say_and_tell_pid, text).result()
            Speaker(pool).say_until(lambda: "number" in texts_by_log(tmp_path)["first.log"])
    lines = {name: text.splitlines() for name, text in texts_by_log(tmp_path).items()}
    said = {name: [one for one in lines[name] if "number" not in one] for name in lines}
    assert said == {
        "first.log": ["one in first", "two in first", "one in second"],
        "second.log": [f"two in second {pid}"],
    }


def say_and_tell_pid(text):
    logging.info(text)
    return os.getpid()


def say_after(passport, word):
    pickle.loads(passport)
    logging.info("%s", word)


@pytest.mark.parametrize("method", [one for one in START_METHODS if one != "fork"])
def test_a_worker_that_has_not_attached_by_the_end(new_session, method, tmp_path):
    """It attaches to the next session at once: a pool may be ready before all its workers are."""
    with new_session("one"):
        passport = pickle.dumps(multiprocessing.current_process()._config["mplogging"])
    with new_session("two", autoAttach=False):
        context = multiprocessing.get_context(method)
        process = context.Process(target=say_after, args=(passport, "late"))
        process.start()
        process.join()
    assert texts_by_log(tmp_path) == {"one": "", "two": "late\n"}
