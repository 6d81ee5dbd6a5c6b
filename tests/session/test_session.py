"""`LogSession` end to end: real processes, real files, every line counted."""

from __future__ import annotations

import collections
import io
import logging
import logging.config
import logging.handlers
import multiprocessing
import os
import queue
import re
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

import jobs
import pytest
from conftest import texts
from processes import sweep

import mplogging
from mplogging._wire.frames import LINE, MARK

FORMAT = "%(levelname)s %(processName)s %(name)s %(message)s"


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def new_session(directory):
    """Makes sessions that log into `directory`."""

    def make(**options):
        return mplogging.LogSession(directory / "app.log", **{"format": "%(message)s", **options})

    return make


def lines_in(directory):
    """The lines of the only file there, which is today's."""
    (name, text), *others = texts(directory).items()
    assert not others
    assert name == time.strftime("app.log.%Y-%m-%d")
    assert text.endswith("\n") or not text
    return text.splitlines()


def records_of(lines):
    """The records of `jobs.say_many`, by worker, in the order of the file."""
    found = collections.defaultdict(list)
    for line in lines:
        match = re.fullmatch(r"worker (\d+) record (\d+)", line)
        if match:
            found[int(match[1])].append(int(match[2]))
    return dict(found)


# -- around main ----------------------------------------------------------------------


def test_the_parents_own_records_are_in_the_dated_file(new_session, directory):
    """Entering makes the directory and routes the root logger."""
    with new_session():
        logging.getLogger("main").info("hello")
        logging.debug("below the level")
    assert lines_in(directory) == ["hello"]


def test_constructing_does_nothing(new_session, directory, runtime_directory):
    """Spawned children import the module with the session in it."""
    handlers = logging.getLogger().handlers[:]
    new_session()
    assert not directory.exists()
    assert not list(runtime_directory.iterdir())
    assert logging.getLogger().handlers == handlers


def test_leaving_restores_the_root_logger(new_session, directory):
    """Handlers and level are exactly as before, after an exception too."""
    root = logging.getLogger()
    mine = logging.NullHandler()
    root.addHandler(mine)
    root.setLevel(logging.ERROR)
    before = root.handlers[:]
    with pytest.raises(KeyError), new_session():
        assert root.level == logging.INFO
        logging.getLogger().addHandler(logging.NullHandler())
        logging.info("written all the same")
        raise KeyError
    assert root.handlers == before
    assert root.level == logging.ERROR
    assert lines_in(directory)[:2] == ["written all the same", "uncaught exception"]


SET_UPS = {
    "basicConfig": lambda other: logging.basicConfig(force=True, handlers=[other]),
    "dictConfig": lambda other: logging.config.dictConfig({
        "version": 1, "disable_existing_loggers": False,
        "handlers": {"other": {"()": lambda: other}}, "root": {"handlers": ["other"]},
    }),
    "assigned": lambda other: setattr(logging.getLogger(), "handlers", [other]),
    "cleared": lambda other: logging.getLogger().handlers.clear() or _add_if_none(other),
}  # fmt: skip


def _add_if_none(handler):
    if not logging.getLogger().hasHandlers():
        logging.getLogger().addHandler(handler)


@pytest.mark.parametrize("set_up", SET_UPS.values(), ids=SET_UPS)
def test_logging_set_up_within_the_session(
    new_session, directory, no_other_handlers, context, set_up
):
    """That stands beside the session, which has each record once, and is put back."""
    root = logging.getLogger()
    before, parent = root.handlers[:], root.parent
    other = Keeping()
    with new_session():
        logging.info("first")
        for number in range(2):  # a second time finds what the first has left
            set_up(other)
            logging.getLogger("a.b").info("then %d", number)
            process = context.Process(target=jobs.say, args=(number,))
            process.start()
            process.join()
        logging.info("last")
    assert (root.handlers, root.parent) == (before, parent)
    assert lines_in(directory) == ["first", "then 0", "number 0", "then 1", "number 1", "last"]
    assert other.messages == ["then 0", "then 1", "last"]


def test_the_sessions_own_file_set_up_within_it(new_session, directory, no_other_handlers):
    """Each line stands there once: the session writes it already."""
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "file": {"class": "mplogging.DatedFileHandler", "filename": directory / "app.log"}
        },
        "root": {"handlers": ["file"]},
    }
    with new_session():
        logging.config.dictConfig(config)
        logging.info("once")
    assert lines_in(directory) == ["once"]


class Keeping(logging.Handler):
    """Keeps the messages."""

    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


def test_a_fork_after_logging_was_set_up_anew(directory):
    """A child that is none of the session's has what was set up, and not the session."""
    program = """
import logging, os, sys, mplogging
with mplogging.LogSession(sys.argv[1], autoAttach=False, format="%(message)s"):
    logging.basicConfig(force=True, level="INFO", format="%(message)s")
    child = os.fork()
    logging.info("child" if child == 0 else "parent")
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(directory / "app.log")],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0
    assert lines_in(directory) == ["parent"]


def test_as_a_decorator(new_session, directory):
    """The session lasts as long as each call; name and docstring stay."""

    @new_session()
    def main(number):
        """Runs."""
        logging.info("main %d", number)
        return number

    assert (main.__name__, main.__doc__) == ("main", "Runs.")
    assert [main(1), main(2)] == [1, 2]
    assert lines_in(directory) == ["main 1", "main 2"]


def test_as_a_decorator_of_a_coroutine(new_session, directory):
    """The session lasts until the coroutine has ended."""
    import asyncio

    @new_session()
    async def main():
        await asyncio.sleep(0)
        logging.info("async")

    asyncio.run(main())
    assert lines_in(directory) == ["async"]


def test_two_sessions_at_once_are_an_error(new_session, directory):
    """So is one session entered twice; the first goes on unharmed."""
    session = new_session()
    with session:
        with pytest.raises(mplogging.SessionError, match="running in this process"):
            new_session().start()
        with pytest.raises(mplogging.SessionError, match="entered already"):
            session.start()
        logging.info("unharmed")
    with session:
        logging.info("one after the other")
    assert lines_in(directory) == ["unharmed", "one after the other"]


def test_a_closed_session_says_so(new_session):
    """What needs a running session raises before and after it."""
    session = new_session()
    for _ in range(2):
        for use in (
            lambda: session.initializer,
            lambda: session.wrap(print),
            lambda: session.address,
            session.flush,
        ):
            with pytest.raises(mplogging.SessionClosedError, match="closed session"):
                use()
        with session:
            pass
    assert session.stop() is True


# -- into the workers -------------------------------------------------------------------


@pytest.mark.parametrize("auto", [True, False])
def test_pool_with_initializer(new_session, directory, context, auto):
    """`Pool(4, session.initializer)`, whether workers attach by themselves or not."""
    with new_session(autoAttach=auto) as session:
        with context.Pool(2, session.initializer) as pool:
            pool.map(jobs.say, range(20), chunksize=1)
    assert sorted(lines_in(directory)) == sorted(f"number {i}" for i in range(20))


def test_executor_with_initializer(new_session, directory, context):
    """`ProcessPoolExecutor(initializer=session.initializer)`; arguments are ignored."""
    with new_session(autoAttach=False) as session:
        with ProcessPoolExecutor(
            2, mp_context=context, initializer=session.initializer, initargs=(1, 2)
        ) as pool:
            list(pool.map(jobs.say, range(20)))
    assert sorted(lines_in(directory)) == sorted(f"number {i}" for i in range(20))


def test_a_users_own_initializer(new_session, directory, context):
    """`session.wrap(my_init)` attaches first, and passes the initargs on."""
    with new_session(autoAttach=False) as session:
        with context.Pool(1, session.wrap(jobs.prepare), ("care",)) as pool:
            pool.map(jobs.say, [1])
    assert lines_in(directory) == ["prepared with care", "number 1"]


def test_an_initializer_that_sets_up_logging(new_session, directory, context):
    """The session's handler stays, beside what it has set up."""
    with new_session() as session:
        with context.Pool(1, session.wrap(jobs.set_up_logging)) as pool:
            pool.map(jobs.say, [1, 2])
            assert pool.apply(jobs.root_handlers, (0,)) == ["NullHandler", "SessionHandler"]
    assert lines_in(directory) == ["number 1", "number 2"]


def test_a_worker_that_sets_up_logging(directory, context):
    """What it logs from then on goes elsewhere: at its end that is said."""
    program = """
import multiprocessing, sys, jobs, mplogging
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with mplogging.LogSession(sys.argv[2], captureWarnings=False):
        process = context.Process(target=jobs.say_after_set_up, args=(1,))
        process.start()
        process.join()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, context.get_start_method(), str(directory / "app.log")],
        capture_output=True, text=True, timeout=30,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr.count("logging was set up anew") == 1
    assert lines_in(directory) == []


def test_an_initializers_exception_reaches_the_pool(new_session, context):
    """As it would without us."""
    from concurrent.futures.process import BrokenProcessPool

    with new_session() as session:
        with ProcessPoolExecutor(
            1, mp_context=context, initializer=session.wrap(jobs.fail_to_prepare)
        ) as pool:
            with pytest.raises(BrokenProcessPool):
                pool.submit(jobs.say, 1).result()


def test_a_process_with_a_wrapped_target(new_session, directory, context):
    """`Process(target=session.wrap(f), args=…)`."""
    with new_session(autoAttach=False) as session:
        process = context.Process(target=session.wrap(jobs.say), args=(5,))
        process.start()
        process.join()
    assert process.exitcode == 0
    assert lines_in(directory) == ["number 5"]


@pytest.mark.parametrize("kind", ["pool", "executor", "process", "subclass", "maxtasksperchild"])
def test_with_nothing_in_the_workers(new_session, directory, context, kind):
    """Children of `multiprocessing` attach by themselves, under every start method."""
    with new_session():
        if kind == "pool":
            with context.Pool(2) as pool:
                pool.map(jobs.say, range(4))
        elif kind == "executor":
            with ProcessPoolExecutor(2, mp_context=context) as pool:
                list(pool.map(jobs.say, range(4)))
        elif kind == "maxtasksperchild":
            with context.Pool(2, maxtasksperchild=1) as pool:
                pool.map(jobs.say, range(4), chunksize=1)
        elif kind == "process":
            children = [context.Process(target=jobs.say, args=(i,)) for i in range(4)]
            for child in children:
                child.start()
            for child in children:
                child.join()
        else:
            base = {"fork": 0, "spawn": 1, "forkserver": 2}[context.get_start_method()]
            multiprocessing.set_start_method(["fork", "spawn", "forkserver"][base], force=True)
            try:
                child = jobs.Talker()
                child.start()
                child.join()
            finally:
                multiprocessing.set_start_method(None, force=True)
    expected = [f"number {i}" for i in range(4)]
    assert sorted(lines_in(directory)) == (
        ["a subclass talks"] if kind == "subclass" else expected
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_auto_attach_off(new_session, directory, method):
    """With `autoAttach=False`, a child logs as if there were no session."""
    context = multiprocessing.get_context(method)
    with new_session(autoAttach=False):
        with context.Pool(1) as pool:
            pool.map(jobs.say, [1])
            assert pool.apply(jobs.root_handlers, (0,)) != ["SessionHandler"]
        logging.info("the parent")
    assert lines_in(directory) == ["the parent"]


def test_a_decorated_function_needs_no_initializer(new_session, directory, context):
    """The pickled function carries the address; the exception is logged once, there."""
    with new_session(autoAttach=False, format=FORMAT):
        with context.Pool(1) as pool:
            assert pool.map(jobs.decorated, [1, 2]) == [1, 2]
            with pytest.raises(ValueError, match="negative: -1"):
                pool.map(jobs.decorated, [-1])
            assert pool.apply(jobs.Counter(5).count, (6,)) == 11
    lines = lines_in(directory)
    assert [line.split(" ", 2)[2] for line in lines if line.startswith("INFO")] == [
        "jobs decorated 1", "jobs decorated 2", "jobs decorated -1", "jobs counting from 5",
    ]  # fmt: skip
    uncaught = [line for line in lines if "uncaught exception in decorated" in line]
    assert len(uncaught) == 1 and "MainProcess" not in uncaught[0]
    assert lines.count("ValueError: negative: -1") == 1


def test_a_decorated_function_with_an_executor(new_session, directory, context):
    """`submit` too."""
    with new_session(autoAttach=False):
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            assert pool.submit(jobs.decorated, 3).result() == 3
    assert lines_in(directory) == ["decorated 3"]


def test_a_pool_older_than_the_sessions_records(new_session, directory, context):
    """A pool that was made before the first record, and used late."""
    with new_session():
        with context.Pool(1) as pool:
            logging.info("first")
            pool.map(jobs.say, [1])
    assert lines_in(directory) == ["first", "number 1"]


def test_a_pool_outlives_its_session(new_session, directory):
    """A worker of an ended session is attached to the next by what is sent to it."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        for number in range(3):
            with new_session():
                pool.map(jobs.decorated, [number])
            assert len(list(directory.glob(".mplogging-*"))) == 1  # that of the last
        pool.terminate()
        pool.join()
    assert sweep(directory) == 0
    assert lines_in(directory) == ["decorated 0", "decorated 1", "decorated 2"]


def test_grandchildren(new_session, directory):
    """A process that a worker forks logs as well."""
    with new_session():
        with ProcessPoolExecutor(1) as pool:
            list(pool.map(jobs.grandchild, [1]))
    assert lines_in(directory) == ["number 99"]


def test_a_session_within_a_worker(new_session, directory, tmp_path, context):
    """A worker may have a log of its own for a while; then it is back in the outer one."""
    with new_session():
        child = context.Process(target=jobs.session_within, args=(tmp_path / "own" / "x.log",))
        child.start()
        child.join()
    assert lines_in(directory) == ["before", "after"]
    (own,) = texts(tmp_path / "own").values()
    assert own == "within\nnumber 7\n"


def test_a_session_that_a_worker_leaves_to_its_end(directory, context):
    """It is stopped there, though children of multiprocessing don't run `atexit`."""
    child = context.Process(target=jobs.begin_session, args=(directory / "app.log",))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert records_of(lines_in(directory)) == {0: list(range(10))}


def test_the_environment_of_a_worker(new_session, context):
    """It names the session that the worker is attached to, whenever its server was started."""
    for _ in range(2):
        with new_session() as session:
            with context.Pool(1) as pool:
                assert pool.map(jobs.report_environment, [1]) == [session.address]


# -- levels, warnings, handlers ------------------------------------------------------------


def test_a_renewal_while_it_ends(new_session, monkeypatch):
    """The listener may find new levels just then: the environment is as it was all the same."""
    session = new_session().start()
    lane = session._run._lanes[0]
    is_publishing, may_go_on = threading.Event(), threading.Event()
    publish = lane.publish

    def publish_slowly(config):
        is_publishing.set()
        may_go_on.wait(30)
        return publish(config)

    monkeypatch.setattr(lane, "publish", publish_slowly)
    logging.getLogger("renewed").setLevel(logging.DEBUG)
    is_publishing.wait(30)
    threading.Timer(0.2, may_go_on.set).start()
    assert session.stop()
    assert "MPLOGGING_SESSION" not in os.environ
    logging.getLogger("renewed").setLevel(logging.NOTSET)


def test_levels_hold_in_the_workers(new_session, context):
    """Root and named levels, custom names, set before or during the session."""
    logging.addLevelName(25, "NOTICE")
    quiet, loud = logging.getLogger("quiet"), logging.getLogger("loud")
    quiet.setLevel(logging.ERROR)
    try:
        with new_session(level="WARNING"):
            loud.setLevel(logging.DEBUG)
            with context.Pool(1) as pool:
                levels, name = pool.apply(jobs.report_levels, (["", "quiet", "loud"],))
    finally:
        quiet.setLevel(logging.NOTSET)
        loud.setLevel(logging.NOTSET)
    assert levels == {"": logging.WARNING, "quiet": logging.ERROR, "loud": logging.DEBUG}
    assert name == "NOTICE"


def test_inherited_handlers_do_not_fire(new_session, directory):
    """What a forked worker inherits on its root logger is not called there."""
    called = []
    handler = logging.Handler()
    handler.emit = called.append
    with new_session():
        logging.getLogger().addHandler(handler)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.apply(jobs.root_handlers, (0,)) == ["SessionHandler"]


def test_warnings_are_captured_in_workers(new_session, directory, context):
    """`captureWarnings` holds there, and is turned off again here."""
    with new_session(format="%(name)s %(message)s"):
        with context.Pool(1) as pool:
            pool.map(jobs.warn, [0])
    assert any(line.startswith("py.warnings") and "mind the gap" in line
               for line in lines_in(directory))
    assert logging._warnings_showwarning is None


# -- the main promise ------------------------------------------------------------------------


@pytest.mark.parametrize("fails", [False, True])
def test_a_terminated_pool_loses_nothing(new_session, directory, context, fails):
    """`with Pool(...)` terminates its workers: 4 × 500 records, in order, 3 times."""
    for _ in range(3):
        with new_session():
            try:
                with context.Pool(4) as pool:
                    pool.map(jobs.say_many, [(worker, 500) for worker in range(4)])
                    if fails:
                        raise LookupError
            except LookupError:
                pass
        lines = lines_in(directory)
        assert records_of(lines) == {worker: list(range(500)) for worker in range(4)}
        assert len(lines) == 2000
        for path in directory.iterdir():
            path.unlink()


def test_many_sizes_at_once(new_session, directory, context):
    """From 1 byte to 4 MiB, from several workers at once: whole, once, in order."""
    sizes = [1, 4000, 3, 4078, 4079, 70_000, 1, 4 << 20, 2, 5000]
    with new_session():
        with context.Pool(3) as pool:
            pool.map(jobs.sized_records, [(worker, sizes) for worker in range(3)], chunksize=1)
    found = collections.defaultdict(list)
    for line in lines_in(directory):
        worker, number, letters = line.split(":")
        assert set(letters) == {"abc"[int(worker)]}
        found[worker].append((int(number), len(letters)))
    assert found == {str(worker): list(enumerate(sizes)) for worker in range(3)}


def test_any_record(new_session, directory, context):
    """Tracebacks, stacks, odd text; a record that can't be formatted harms no other."""
    with new_session():
        with context.Pool(1) as pool:
            pool.map(jobs.any_record, [0])
    text = "\n".join(lines_in(directory))
    assert re.search(r"with a traceback\nTraceback .*\n(.*\n)*KeyError: 'missing'\n", text)
    assert re.search(r"with a stack\nStack \(most recent call last\):\n", text)
    assert "a lone surrogate \\ud800 and a NUL \0." in text
    assert text.endswith(
        "after the bad\n\nlogged from __del__\nlogged from a signal handler\nthe last"
    )


def test_threads_in_a_worker(new_session, directory, context):
    """Each thread's records are whole, and in its order."""
    with new_session():
        with context.Pool(1) as pool:
            pool.map(jobs.from_threads, [200])
    assert records_of(lines_in(directory)) == {thread: list(range(200)) for thread in range(8)}


def test_a_records_own_time_picks_its_file(new_session, directory):
    """Late records, and those of other days, go where they belong."""
    log = logging.getLogger("dated")
    with new_session():
        for day in (3, 1, 2, 1):
            created = time.mktime((2026, 1, day, 12, 0, 0, 0, 0, -1))
            fields = {"created": created, "msg": f"day {day}", "levelno": logging.INFO}
            log.handle(logging.makeLogRecord(fields))
        log.info("today")
    assert texts(directory) == {
        "app.log.2026-01-01": "day 1\nday 1\n",
        "app.log.2026-01-02": "day 2\n",
        "app.log.2026-01-03": "day 3\n",
        time.strftime("app.log.%Y-%m-%d"): "today\n",
    }


# -- other handlers, other files ---------------------------------------------------------------


def test_other_handlers_get_the_record(new_session, directory, context):
    """Level, filters and formatter hold; text of tracebacks and extra fields are there."""
    console, everything = io.StringIO(), io.StringIO()
    strict = logging.StreamHandler(console)
    strict.setLevel(logging.ERROR)
    strict.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    strict.addFilter(lambda record: record.name == "jobs")
    loose = logging.StreamHandler(everything)
    loose.setFormatter(jobs.JsonFormatter())
    with new_session(handlers=[strict, loose]):
        with context.Pool(1) as pool:
            pool.map(jobs.extra_record, [0])
        logging.error("not from jobs")
    assert re.fullmatch(
        r"ERROR failed\nTraceback .*\n(.*\n)*LookupError: for JSON\n", console.getvalue()
    )
    first, second, third = everything.getvalue().splitlines()
    assert '"user": "ada"' in first and '"odd": "<Unpicklable>"' in first
    assert "LookupError: for JSON" in second
    assert "not from jobs" in third
    assert "extra" in lines_in(directory)


def test_adopting_the_root_loggers_handlers(directory, context):
    """Without a filename, the handlers that stand there move behind the listener."""
    stream = io.StringIO()
    root = logging.getLogger()
    console = logging.StreamHandler(stream)
    file = mplogging.DatedFileHandler(directory / "app.log")
    root.handlers[:] = [console, file]
    root.setLevel(logging.INFO)
    with mplogging.LogSession():
        with context.Pool(1) as pool:
            pool.map(jobs.say, range(3))
    assert root.handlers == [console, file]
    assert lines_in(directory) == ["number 0", "number 1", "number 2"]
    assert stream.getvalue() == "number 0\nnumber 1\nnumber 2\n"
    logging.info("after the session")
    file.close()
    root.removeHandler(file)
    assert lines_in(directory)[-1] == "after the session"


def test_a_ready_handler(directory, context):
    """A `DatedFileHandler` of the user's own, with level, formatter and suffix."""
    file = mplogging.DatedFileHandler(directory / "app.log", suffix="%Y%m%d", delay=True)
    file.setFormatter(logging.Formatter("<%(message)s>"))
    file.setLevel(logging.WARNING)
    with mplogging.LogSession(file):
        with context.Pool(1) as pool:
            pool.map(jobs.say, range(3))
            pool.map(jobs.extra_record, [0])
    file.close()
    (name,) = texts(directory)
    assert name == time.strftime("app.log.%Y%m%d")
    assert texts(directory)[name].startswith("<extra>\n<failed>\nTraceback")


@pytest.mark.parametrize("obstacle", ["formatter", "filter"])
def test_what_cannot_go_to_the_workers_is_done_here(directory, context, obstacle):
    """A formatter that can't be pickled, and a handler's filters, work in the parent."""
    file = mplogging.DatedFileHandler(directory / "app.log", delay=True)
    if obstacle == "formatter":
        file.setFormatter(jobs.formatter_without_pickle())
    else:
        file.addFilter(lambda record: "1" not in record.getMessage())
    with mplogging.LogSession(file):
        with context.Pool(1) as pool:
            pool.map(jobs.say, range(3))
    file.close()
    expected = [f"number {number}" for number in range(3)]
    if obstacle == "formatter":
        expected = [f"{os.getpid()} local {line}" for line in expected]
    else:
        expected.remove("number 1")
    assert lines_in(directory) == expected


@pytest.mark.parametrize("kind", ["queue", "manager"])
def test_over_a_queue(new_session, directory, context, kind):
    """The same session, where there is no journal."""
    manager = context.Manager() if kind == "manager" else None
    queue = context.Queue() if manager is None else manager.Queue()
    with new_session(queue=queue) as session:
        pool = context.Pool(2, session.initializer)
        pool.map(jobs.say_many, [(worker, 100) for worker in range(3)], chunksize=1)
        pool.close()
        pool.join()
        logging.info("the parent")
        assert session.flush(10)
    lines = lines_in(directory)
    assert records_of(lines) == {worker: list(range(100)) for worker in range(3)}
    assert len(lines) == 301
    if manager:
        manager.shutdown()
    else:
        queue.close()
        queue.join_thread()


# -- attach, flush, stats ------------------------------------------------------------------------


ATTACH = "import logging, sys, mplogging\nmplogging.attach(*sys.argv[1:])\nlogging.info('hello')\n"


@pytest.mark.parametrize("way", ["environment", "address"])
def test_attaching_from_a_subprocess(new_session, directory, way):
    """By the environment variable, or by an address."""
    with new_session() as session:
        environment = dict(os.environ)
        arguments = []
        if way == "address":
            arguments = [environment.pop("MPLOGGING_SESSION")]
            assert arguments == [session.address]
        subprocess.run([sys.executable, "-c", ATTACH, *arguments], env=environment, check=True)
        subprocess.run([sys.executable, "-c", ATTACH, *arguments], env=environment, check=True)
    assert lines_in(directory) == ["hello", "hello"]
    assert "MPLOGGING_SESSION" not in os.environ


def test_workers_of_an_attached_program(new_session, directory):
    """`mplogging.attach` is the initializer that they need."""
    program = """
import logging, multiprocessing, sys, mplogging
if __name__ == "__main__":
    mplogging.attach()
    with multiprocessing.get_context("spawn").Pool(1, mplogging.attach) as pool:
        pool.map(logging.info, ["from a worker"])
    logging.info("from the program")
"""
    script = directory.parent / "program.py"
    script.write_text(program)
    with new_session():
        subprocess.run([sys.executable, str(script)], check=True)
    assert lines_in(directory) == ["from a worker", "from the program"]


def test_attaching_elsewhere_within_a_session(new_session, directory):
    """The process of a running session stays with it: an error, and nothing is lost."""
    with new_session():
        code = "import sys, mplogging\nwith mplogging.LogSession(sys.argv[1]) as other:\n" \
            "    print(other.address, flush=True)\n    sys.stdin.read()\n"
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(directory.parent / "other" / "x.log")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        address = other.stdout.readline().strip()
        with pytest.raises(mplogging.SessionError, match="running session"):
            mplogging.attach(address)
        other.communicate("")
        logging.info("here")
    assert lines_in(directory) == ["here"]


def test_attaching_to_what_is_no_session(new_session, tmp_path):
    """An ended session, a looser mode, a link and no address are refused, clearly."""
    with new_session() as session:
        address = session.address
        os.chmod(address, 0o755)
        attempt = [sys.executable, "-c", ATTACH]
        loose = subprocess.run([*attempt, address], capture_output=True, text=True)
        os.chmod(address, 0o700)
        link = tmp_path / "link"
        link.symlink_to(address)
        linked = subprocess.run([*attempt, link], capture_output=True, text=True)
    assert "UnsafeSessionError" in loose.stderr and "mode 0755" in loose.stderr
    assert "UnsafeSessionError" in linked.stderr
    with pytest.raises(mplogging.SessionClosedError, match="is over"):
        mplogging.attach(address)
    with pytest.raises(mplogging.SessionClosedError, match="MPLOGGING_SESSION"):
        mplogging.attach()


PERHAPS = """
import logging, sys, mplogging
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
print(mplogging.attach(*sys.argv[1:], required=False), flush=True)
logging.info("hello")
"""


def test_a_program_that_also_runs_alone(new_session, directory):
    """It learns whether it is attached, and logs as it has arranged for if it is not."""
    attempt = [sys.executable, "-c", PERHAPS]
    with new_session() as session:
        address = session.address
        assert mplogging.attach() is mplogging.attach(required=False) is True
        within = subprocess.run(attempt, stdout=subprocess.PIPE, text=True, check=True)
    alone = subprocess.run(attempt, stdout=subprocess.PIPE, text=True, check=True)
    after = subprocess.run([*attempt, address], stdout=subprocess.PIPE, text=True, check=True)
    assert within.stdout == "True\n"
    assert alone.stdout == after.stdout == "False\nINFO:root:hello\n"
    assert lines_in(directory) == ["hello"]


def test_flush_and_stats(new_session, directory, context):
    """After `flush`, what was accepted is in the file; the counts are exact."""
    with new_session() as session:
        logging.info("one")
        assert session.flush(10) is True
        assert lines_in(directory) == ["one"]
        with context.Pool(2) as pool:
            pool.map(jobs.say, range(10), chunksize=5)
        assert session.flush() is True
        stats = session.stats()
        assert stats.records == 11
        assert 1 <= stats.workers <= 2
        assert stats.bytes == len("\n".join(lines_in(directory))) + 1
    assert session.stats() == stats
    assert stats[3:] == (0, 0, 0, 0, 0, 0, 0, {})


def test_stopping_may_take_for_ever(new_session, directory):
    """`stop(timeout=inf)` is no deadline."""
    session = new_session().start()
    logging.info("all the time in the world")
    assert session.stop(timeout=float("inf")) is True
    assert lines_in(directory) == ["all the time in the world"]


@pytest.mark.parametrize("timeout", ["x", -1, float("nan"), True])
def test_a_timeout_that_is_none(new_session, directory, timeout):
    """It is refused, and the session goes on."""
    with new_session() as session:
        for wait in (session.stop, session.flush):
            with pytest.raises(mplogging.ConfigError, match=f"timeout .*{timeout!r}"):
                wait(timeout)
        logging.info("unharmed")
    assert lines_in(directory) == ["unharmed"]


class ForTasks:
    """As `asyncio.Queue`, which makes an event loop on some versions."""

    def put_nowait(self, item):
        pass

    async def get(self):
        pass


@pytest.mark.parametrize(
    "make", [queue.Queue, queue.LifoQueue, queue.SimpleQueue, ForTasks,
             multiprocessing.SimpleQueue, dict],
)  # fmt: skip
def test_a_queue_that_can_reach_nobody(make):
    """What other processes can't put to is refused, and what works is said."""
    made = make()
    with pytest.raises(mplogging.ConfigError, match=r"multiprocessing\.Queue\(\) and") as refusal:
        mplogging.LogSession("app.log", queue=made)
    assert repr(made) in str(refusal.value)
    if hasattr(made, "close"):
        made.close()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_queue_for_forks_only(new_session, directory, method):
    """A process that can't have it starts all the same, unattached; forked ones log."""
    shared = multiprocessing.get_context("fork").Queue()
    with new_session(queue=shared, captureWarnings=False):
        with pytest.warns(mplogging.MPLoggingWarning, match=r'get_context\("spawn"\)'):
            spawned = multiprocessing.get_context(method).Process(target=jobs.say, args=(1,))
            spawned.start()
        forked = multiprocessing.get_context("fork").Process(target=jobs.say, args=(2,))
        forked.start()
        for process in (spawned, forked):
            process.join()
            assert process.exitcode == 0
    assert lines_in(directory) == ["number 2"]
    shared.close()
    shared.join_thread()


def test_foreign_objects_in_the_queue(new_session, directory):
    """They are counted, and harm no record."""
    queue = multiprocessing.Queue()
    with new_session(queue=queue) as session:
        for item in (None, "text", (1, 2)):
            logging.info("before %r", item)
            queue.put(item)
        logging.info("after")
    assert [line for line in lines_in(directory) if "is no record" not in line] == [
        "before None", "before 'text'", "before (1, 2)", "after", "3 in all: corrupt",
    ]  # fmt: skip
    assert session.stats().corrupt == 3
    queue.close()
    queue.join_thread()


def log_by_queue_handler(queue, kind):
    """As a worker that knows the queue only."""
    handlers = {"standard": logging.handlers.QueueHandler, "ours": mplogging.QueueHandler}
    logging.getLogger().handlers = [handlers[kind](queue)]
    log = logging.getLogger("worker")
    log.warning("extra", extra={"user": "ada"})
    try:
        raise LookupError("for a trace")
    except LookupError:
        log.exception("failed", extra={"user": "bob"})


@pytest.mark.parametrize("kind", ["standard", "ours"])
def test_a_queue_handler_at_the_other_end_of_the_queue(new_session, directory, kind):
    """What it puts there is a record as any other, for the file and for further handlers."""
    queue, stream = multiprocessing.Queue(), io.StringIO()
    beside = logging.StreamHandler(stream)
    beside.setFormatter(logging.Formatter("%(user)s %(message)s"))
    with new_session(queue=queue, handlers=[beside], autoAttach=False) as session:
        worker = multiprocessing.Process(target=log_by_queue_handler, args=(queue, kind))
        worker.start()
        worker.join()
        bad = logging.makeLogRecord({})
        bad.created = "noon"
        queue.put(bad)
    first, second, *trace = [line for line in lines_in(directory) if "no record" not in line]
    assert (first, second, trace[-1]) == ("extra", "failed", "LookupError: for a trace")
    assert stream.getvalue().startswith("ada extra\nbob failed\nTraceback")
    assert (session.stats().records, session.stats().corrupt) == (2, 1)
    queue.close()
    queue.join_thread()


def test_a_whole_number_for_a_time_over_a_queue(new_session, directory):
    """A record whose `created` somebody has set to an `int` is a record."""
    queue = multiprocessing.Queue()
    with new_session(queue=queue) as session:
        record = {"msg": "hello", "levelno": logging.INFO, "created": int(time.time())}
        logging.getLogger().handle(logging.makeLogRecord(record))
    assert lines_in(directory) == ["hello"]
    assert session.stats().corrupt == 0
    queue.close()
    queue.join_thread()


class Unloadable:
    """Can be pickled, and not unpickled."""

    def __reduce__(self):
        return int, ("no number",)


def test_what_cannot_be_unpickled_in_the_queue(new_session, directory):
    """Nor does it harm those that came before and after it in one go, at the end too."""
    queue = multiprocessing.Queue()
    with new_session(queue=queue) as session:
        attachment = mplogging._worker.attaching.attached()
        queue.put(Unloadable())
        for number in range(50):
            queue.put((LINE, os.getpid(), time.time(), b"line %d\n" % number))
        queue.put((LINE, os.getpid(), "noon", b"no time\n"))
        for item in (Unloadable(), Unloadable()):
            queue.put(item)
        logging.info("after")
        assert session.flush(10)
        attachment.handler.queue.send(MARK, 0.0, b"no mark of ours")
        queue.put(Unloadable())
        logging.info("at the end")
    lines = lines_in(directory)
    assert [line for line in lines if line.startswith("line ")] == [
        f"line {number}" for number in range(50)
    ]
    assert "after" in lines and "at the end" in lines
    stats = session.stats()
    assert stats.corrupt + stats.failed == 5
    queue.close()
    queue.join_thread()


def test_attaching_to_half_a_session(new_session, directory):
    """A place whose configuration is gone is as good as none; no descriptor stays open."""
    with new_session() as session:
        os.unlink(os.path.join(session.address, "config"))
        done = subprocess.run(
            [sys.executable, "-c", ATTACH], capture_output=True, text=True
        )
    assert "SessionClosedError" in done.stderr


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"when": "Y"},
        {"backupCount": -1},
        {"interval": 0},
        {"level": "LOUD"},
        {"overflow": "explode"},
        {"dropBelow": "ERROR"},
        {"overflow": "drop", "dropBelow": "LOUD"},
        {"handlers": [print]},
        {"handlers": logging.NullHandler()},
        {"queue": []},
        {"format": "%(message"},
        {"style": "?"},
        {"encoding": "latin-99"},
        {"backupcount": 3},
        {"stopTimeout": -1},
        {"handlerCapacity": 0},
        {"handlerOverflow": "maybe"},
        {"newlines": "eat"},
        {"compress": "rar"},
        {"handlers": 5},
        {"autoAttach": "no"},
        {"captureWarnings": "no"},
        {"handleSignals": None},
        {"datefmt": 5},
        {"level": -1},
        {"stopTimeout": float("nan")},
    ],
    ids=lambda options: next(iter(options)),
)
def test_bad_arguments(directory, options):
    """Each is an error of our own that names argument and value; nothing is created."""
    name, value = list(options.items())[-1]
    with pytest.raises(mplogging.ConfigError) as caught:
        mplogging.LogSession(directory / "app.log", **options)
    assert name in str(caught.value)
    shown = value[0] if isinstance(value, list) and value else value
    assert repr(shown) in str(caught.value) or str(shown) in str(caught.value)
    assert not directory.exists()


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("file", "filename"), ("backupcount", "backupCount"), ("backup_count", "backupCount"),
        ("autoattach", "autoAttach"), ("formatt", "format"), ("utf", "utc"),
    ],
)  # fmt: skip
def test_a_misspelt_argument(directory, wrong, meant):
    """The error knows what was meant."""
    with pytest.raises(mplogging.ConfigError, match=f"{wrong}=7 .* did you mean {meant}[?]$"):
        mplogging.LogSession(directory / "app.log", **{wrong: 7})
    with pytest.raises(mplogging.ConfigError, match="zzz=7 is no argument of LogSession$"):
        mplogging.LogSession(directory / "app.log", zzz=7)


def test_a_decorator_without_parentheses():
    """It says how it is written."""
    with pytest.raises(mplogging.ConfigError, match="parentheses"):

        @mplogging.LogSession
        def main():
            pass


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        ({"format": "{message}"}, "{"),
        ({"format": "$message"}, "$"),
        ({"format": "%(message)s", "style": "{"}, "%"),
    ],
)
def test_a_format_of_another_style(directory, options, meant):
    """The error names the style."""
    with pytest.raises(mplogging.ConfigError, match=re.escape(f"did you mean style={meant!r}?")):
        mplogging.LogSession(directory / "app.log", **options)


@pytest.mark.parametrize(
    ("style", "form"),
    [
        ("%", "%(asctime)s %(mesage)s %(levelname)-8s"),
        ("{", "{asctime} {mesage!r:>10} {name}"),
        ("$", "$asctime ${mesage} $name $$x"),
    ],
)
def test_a_field_that_no_record_has(directory, style, form, monkeypatch):
    """It is told when the session is entered, once; not if the program's factory brings it."""
    monkeypatch.setattr("mplogging._session.formats._told", set())
    session = mplogging.LogSession(directory / "app.log", format=form, style=style)
    make = logging.getLogRecordFactory()

    def made(*args, **kwargs):
        record = make(*args, **kwargs)
        record.mesage = "brought"
        return record

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        logging.setLogRecordFactory(made)
        with session:
            pass
        logging.setLogRecordFactory(make)
        assert ["can't be pickled" in str(one.message) for one in caught] == [True]
        caught.clear()
        with session:
            logging.info("x", extra={"mesage": "brought"})
        with session:
            pass
    (warning,) = caught
    assert warning.category is mplogging.MPLoggingWarning
    assert "itself: 'mesage'. " in str(warning.message)
    assert "brought" in lines_in(directory)[0]


def test_repr(new_session, directory):
    """It tells the file, and how far the session is."""
    session = new_session()
    assert repr(session) == f"<LogSession {directory / 'app.log'} (not entered yet)>"
    with session:
        assert repr(session) == f"<LogSession {directory / 'app.log'} (running)>"
    assert repr(session) == f"<LogSession {directory / 'app.log'} (over)>"
    assert "root logger" in repr(mplogging.LogSession())


@pytest.mark.parametrize("level", ["debug", "Debug", "DEBUG", 10])
def test_a_level_in_either_case(new_session, directory, level):
    """Wherever one is taken."""
    with new_session(level=level, overflow="drop", dropBelow=level):
        logging.debug("shown")
    assert lines_in(directory) == ["shown"]
    assert mplogging.worker(level=level)(jobs.say)._level == logging.DEBUG


@pytest.mark.parametrize("has_queue", [False, True])
def test_bytes_where_a_filter_decides(directory, context, has_queue):
    """What it lets through counts, whoever made the record."""
    file = mplogging.DatedFileHandler(directory / "app.log")
    file.addFilter(lambda record: "9" not in record.getMessage())
    options = {"queue": context.Queue()} if has_queue else {}
    with mplogging.LogSession(file, **options) as session:
        logging.info("one, and 9")
        logging.info("one")
        pool = context.Pool(2)
        pool.map(jobs.say, range(10))
        pool.close()  # not terminated: a worker that is killed may have the queue's lock
        pool.join()
        assert session.flush(10)
        stats = session.stats()
    file.close()
    if has_queue:
        options["queue"].close()
        options["queue"].join_thread()
    lines = lines_in(directory)
    assert len(lines) == stats.records == 10
    assert stats.bytes == len("\n".join(lines)) + 1


def test_arguments_that_exclude_each_other(directory):
    """Settings beside a ready handler, and handlers without a file."""
    file = mplogging.DatedFileHandler(directory / "app.log", delay=True)
    with pytest.raises(mplogging.ConfigError, match="backupCount"):
        mplogging.LogSession(file, backupCount=3)
    with pytest.raises(mplogging.ConfigError, match="format"):
        mplogging.LogSession(format="%(message)s")
    with pytest.raises(mplogging.ConfigError, match="handlers"):
        mplogging.LogSession(handlers=[logging.NullHandler()])
    assert not directory.exists()


def test_nothing_to_adopt():
    """Without a filename and without handlers, entering says what is missing."""
    logging.getLogger().handlers[:] = []
    with pytest.raises(mplogging.ConfigError, match="filename"):
        mplogging.LogSession().start()


def test_a_directory_as_filename(tmp_path):
    """Refused when the session is made."""
    with pytest.raises(mplogging.ConfigError, match=re.escape(str(tmp_path))):
        mplogging.LogSession(tmp_path)


@pytest.mark.parametrize("name", ["mplogging-listener", "mplogging-StreamHandler"])
def test_a_thread_that_cannot_be_started(new_session, monkeypatch, name):
    """That error is the user's to see; nothing of the session is left, and the next one works."""
    start = threading.Thread.start

    def refuse(thread):
        if thread.name == name:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    handlers = [logging.NullHandler(), logging.StreamHandler()]
    with pytest.raises(RuntimeError, match="can't start new thread"):
        new_session(handlers=handlers, stopTimeout=float("inf")).start()
    monkeypatch.undo()
    with new_session():
        logging.info("works")


def test_an_unwritable_place(tmp_path, runtime_directory):
    """Entering fails clearly, and leaves no thread, directory or handler behind."""
    (tmp_path / "file").write_text("")
    handlers = logging.getLogger().handlers[:]
    with pytest.raises(mplogging.ConfigError, match="filename .*file/app.log"):
        mplogging.LogSession(tmp_path / "file" / "app.log").start()
    assert logging.getLogger().handlers == handlers
    assert not list(runtime_directory.iterdir())


def test_a_session_directory_that_cannot_be_made(new_session, directory, tmp_path, monkeypatch):
    """The error names each that was tried; the log is as empty as it was."""
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    directory.mkdir()
    directory.chmod(0o777)  # anybody could put another in its place
    for place in (directory, tmp_path / "file"):
        with pytest.raises(mplogging.SessionError, match=re.escape(str(place))):
            new_session().start()
    assert lines_in(directory) == []


def test_errors_survive_pickling():
    """Each can come back from a pool's worker."""
    import pickle

    for name in ("ConfigError", "SessionError", "SessionClosedError", "UnsafeSessionError"):
        error = getattr(mplogging, name)
        again = pickle.loads(pickle.dumps(error("what happened")))
        assert type(again) is error and str(again) == "what happened"


@pytest.mark.parametrize("style, form", [
    ("%", "%(asctime)s %(request)s %(message)s"), ("{", "{asctime} {request} {message}"),
    ("$", "$asctime $request $message"),
])
def test_a_format_with_fields_of_ones_own(tmp_path, style, form):
    """The program's records bring them; nothing else is asked for when the session is made."""
    with mplogging.LogSession(tmp_path / "app.log", format=form, style=style, datefmt="then"):
        logging.getLogger("a").info("served", extra={"request": 17})
    (path,) = tmp_path.iterdir()
    assert path.read_text() == "then 17 served\n"
