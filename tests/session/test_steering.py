"""`setLevel`: a level for all processes of a session, for good or for a time."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import re
import threading

import pytest
import tree_jobs
from conftest import eventually, texts

import mplogging

pytestmark = pytest.mark.usefixtures("tree")
DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
LONG = 600  # seconds, more than a test takes
SHORT = 0.05


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def new_session(directory):
    """Makes sessions that log into `directory`, at INFO; a logger has a level of its own."""
    logging.getLogger("app").setLevel(ERROR)

    def make(**options):
        options = {"format": "%(name)s %(message)s", "level": "INFO", **options}
        return mplogging.LogSession(directory / "app.log", **options)

    return make


def lines(directory):
    return [line for text in texts(directory).values() for line in text.splitlines()]


def notices(directory):
    """What the log says of the session itself."""
    return [line for line in lines(directory) if line.startswith("mplogging ")]


class Worker:
    """A process that says its levels when asked, right after it has logged something."""

    def __init__(self, context, function=tree_jobs.tell_levels, *arguments):
        self._connection, self._theirs = context.Pipe()
        self._process = context.Process(target=function, args=(self._theirs, *arguments))

    def __enter__(self):
        self._process.start()
        return self

    def __exit__(self, *exception):
        self._connection.send(None)
        self._process.join(60)
        assert self._process.exitcode == 0
        self._connection.close()
        self._theirs.close()

    @contextlib.contextmanager
    def at_its_pause(self):
        """What is done within, is done while it stands still."""
        assert self._connection.poll(60)
        self._connection.recv()
        yield
        self._connection.send("go on")

    def levels(self, *names):
        self._connection.send(names)
        assert self._connection.poll(60)
        return self._connection.recv()

    def comes_to(self, levels):
        """Wait until it has these levels, by logger, while it logs."""
        eventually(lambda: self.levels(*levels) == [*levels.values()], 60)


@pytest.mark.parametrize("name", ["", "app", "app.db", "elsewhere"])
@pytest.mark.parametrize("seconds", [None, LONG])
def test_every_process_has_it(new_session, context, name, seconds):
    """This one, one that runs already, one that is started then; and the loggers below."""
    below = f"{name}.unmade" if name else "unmade"
    with new_session() as session, Worker(context) as old:
        assert old.levels("", "app") == [INFO, ERROR]
        session.setLevel("debug", name or None, seconds)
        assert logging.getLogger(name).level == DEBUG
        old.comes_to({name: DEBUG, below: DEBUG})
        with Worker(context) as new:
            assert new.levels(below, name) == [DEBUG, DEBUG]
    assert (logging.getLogger("app").level, logging.getLogger("app.db").level) == (ERROR, 0)
    assert logging.getLogger("elsewhere").level == 0


@pytest.mark.parametrize("step", ["read_config", "install"])
def test_a_process_that_is_just_attaching(new_session, context, step):
    """A level that is set in the midst of that is set there, too."""
    job = tree_jobs.tell_levels_after_a_pause
    with new_session(autoAttach=False) as session:
        with Worker(context, job, session.address, step) as worker:
            with worker.at_its_pause():
                session.setLevel(DEBUG)
            worker.comes_to({"": DEBUG})


@pytest.mark.parametrize("is_forking", [False, True])
def test_beside_a_thread_that_is_slow_to_take_it_over(new_session, context, is_forking):
    """What has come meanwhile holds in the end; and in a child that is forked just then."""
    job = tree_jobs.tell_levels_beside_a_slow_thread
    with new_session() as session, Worker(context, job, is_forking) as worker:
        with worker.at_its_pause():
            session.setLevel(DEBUG)
        with worker.at_its_pause():
            if not is_forking:
                session.setLevel(WARNING)
        worker.comes_to({"": DEBUG if is_forking else WARNING})


def test_it_is_raised(new_session, context):
    """What was to pass does so no more."""
    with new_session() as session, Worker(context) as worker:
        session.setLevel(ERROR)
        worker.comes_to({"": ERROR, "app": ERROR})


@pytest.mark.parametrize("name", ["", "app", "app.db"])
def test_it_is_given_back(new_session, context, name):
    """After the time, by all: also by a process that was started within it."""
    before = {"": INFO, "app": ERROR, "app.db": ERROR}
    with new_session() as session, Worker(context) as old:
        session.setLevel(DEBUG, name, LONG)
        old.comes_to({name: DEBUG})
        with Worker(context) as new:
            assert new.levels(name) == [DEBUG]
            session.setLevel(WARNING, name, SHORT)
            eventually(lambda: logging.getLogger(name).getEffectiveLevel() == before[name], 60)
            old.comes_to(before)
            new.comes_to(before)
            with Worker(context) as third:
                assert third.levels(*before) == [*before.values()]


def test_a_time_within_a_lasting_one(new_session, context):
    """What comes back is the lasting one; and that takes the place of a time that runs."""
    with new_session() as session, Worker(context) as worker:
        session.setLevel(WARNING, "app")
        session.setLevel(DEBUG, "app", SHORT)
        eventually(lambda: logging.getLogger("app").level == WARNING, 60)
        worker.comes_to({"app": WARNING})
        session.setLevel(DEBUG, "app", LONG)
        session.setLevel(INFO, "app")
        worker.comes_to({"app": INFO})


def test_a_level_that_the_worker_has_set(new_session, context):
    """That is what it gets back, not its parent's."""
    with new_session() as session, Worker(context, tree_jobs.own_level_and_tell) as worker:
        assert worker.levels("app") == [WARNING]
        session.setLevel(DEBUG, "app", LONG)
        worker.comes_to({"app": DEBUG})
        session.setLevel(DEBUG, "app", SHORT)
        worker.comes_to({"app": WARNING})


def test_a_level_that_the_program_sets_meanwhile(new_session):
    """It stays, when the time is over."""
    with new_session() as session:
        session.setLevel(DEBUG, "app", LONG)
        logging.getLogger("app").setLevel(WARNING)
        session.setLevel(DEBUG, "other", SHORT)
        eventually(lambda: logging.getLogger("other").level == logging.NOTSET, 60)
        assert logging.getLogger("app").level == WARNING
        session.setLevel(DEBUG, "app", LONG)
        assert logging.getLogger("app").level == DEBUG
    assert logging.getLogger("app").level == WARNING


def test_a_pool(new_session, directory, context):
    """Its workers, which were there before, log from the new level on, and then as before."""
    with new_session() as session, context.Pool(2) as pool:

        def debugs_come():
            pool.map(tree_jobs.say_at, [("app.db", ERROR, "error"), ("app.db", DEBUG, "debug")])
            session.flush()
            return lines(directory)[-4:].count("app.db debug")

        assert not debugs_come()
        session.setLevel("DEBUG", "app")
        eventually(debugs_come, 60)
        session.setLevel("ERROR", "app")
        eventually(lambda: not debugs_come(), 60)
        pool.close()
        pool.join()


def test_a_program_that_is_started_otherwise(new_session, directory, in_worker):
    """One that attaches has it too."""
    with new_session() as session:
        session.setLevel(DEBUG, "app.db")
        in_worker(tree_jobs.say_at, ("app.db.pool", DEBUG, "debug"), ("app", INFO, "too low"))
    assert [line for line in lines(directory) if line.startswith("app")] == ["app.db.pool debug"]


def test_over_a_queue(new_session, context):
    """Whoever is started from then on has it."""
    queue = context.Queue()
    with new_session(queue=queue) as session:
        session.setLevel(DEBUG, "app")
        with Worker(context) as worker:
            assert worker.levels("app.db") == [DEBUG]
    queue.close()
    queue.join_thread()


def test_the_log_says_who(new_session, directory):
    """One line for each change, and one when it is over, whatever the level is."""
    with new_session() as session:
        session.setLevel("CRITICAL", seconds=SHORT)
        eventually(lambda: logging.getLogger().level == INFO, 60)
        session.setLevel(DEBUG, "app.db")
    by = f"set by process {os.getpid()}"
    assert notices(directory) == [
        f"mplogging the root logger logs from CRITICAL on for 0.05 s: {by}",
        "mplogging the root logger has its level back",
        f"mplogging logger 'app.db' logs from DEBUG on: {by}",
    ]


def test_the_end_gives_all_back(new_session):
    """A next run of the session begins as the first did."""
    session = new_session()
    with session:
        session.setLevel(DEBUG)
        session.setLevel(DEBUG, "app", LONG)
    with session:
        assert [logging.getLogger(name).level for name in ("", "app")] == [INFO, ERROR]


def test_no_thread_in_a_worker(new_session):
    """A fork in a process with threads warns."""
    context = multiprocessing.get_context("spawn")
    with new_session() as session, Worker(context, tree_jobs.tell_levels_and_threads) as worker:
        session.setLevel(DEBUG, "app", LONG)
        eventually(lambda: worker.levels("app") == [DEBUG, 1], 60)
        assert threading.active_count() > 1  # the session's own process has the listener


WRONG = [
    ({"level": "DEBGU"}, "level must be .*'DEBGU'"),
    ({"level": None}, "level must be .*None"),
    ({"level": True}, "level must be .*True"),
    ({"level": 10, "logger": 5}, "logger must be .*5"),
    ({"level": 10, "seconds": 0}, "seconds must be .*0"),
    ({"level": 10, "seconds": -1}, "seconds must be .*-1"),
    ({"level": 10, "seconds": "60"}, "seconds must be .*'60'"),
    ({"level": 10, "seconds": float("inf")}, "seconds must be .*inf"),
    ({"level": 10, "seconds": float("nan")}, "seconds must be .*nan"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_what_cannot_be_meant(new_session, arguments, message):
    """It is told, with the argument's name and its value."""
    with new_session() as session, pytest.raises(mplogging.ConfigError, match=message):
        session.setLevel(**arguments)


def test_where_no_session_runs(new_session):
    """Before and after, it is an error."""
    session = new_session()
    for _ in range(2):
        with pytest.raises(mplogging.SessionClosedError, match=re.escape("setLevel()")):
            session.setLevel(DEBUG)
        with session:
            pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_no_say(new_session):
    """The session is its parent's."""
    context = multiprocessing.get_context("fork")
    with new_session() as session:
        process = context.Process(target=tree_jobs.set_level_elsewhere, args=(session,))
        process.start()
        process.join(60)
        assert process.exitcode == 0
