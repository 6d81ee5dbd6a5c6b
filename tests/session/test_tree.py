"""What the parent has set up on its loggers holds in every worker, however it was started."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest
import tree_jobs
from conftest import texts
from processes import sweep

import mplogging

pytestmark = pytest.mark.usefixtures("tree")
DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def new_session(directory):
    """Makes sessions that log into `directory`."""

    def make(**options):
        return mplogging.LogSession(directory / "app.log", **{"format": "%(message)s", **options})

    return make


def lines_by_log(directory):
    """The lines of each log, by the name that its handler has."""
    return {
        name.partition(".log")[0]: text.splitlines() for name, text in texts(directory).items()
    }


# --- levels ----------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "within"])
def test_levels_of_ancestors(new_session, directory, in_worker, when):
    """A worker makes the loggers below them first, or only those."""

    def set_levels():
        logging.getLogger("tree").setLevel(DEBUG)
        logging.getLogger("tree.noisy").setLevel(ERROR)

    if when == "before":
        set_levels()
    with new_session():
        if when == "within":
            set_levels()
        in_worker(
            tree_jobs.say_at,
            ("tree.jobs", DEBUG, "debug of a child"), ("tree.noisy.lib", WARNING, "too noisy"),
            ("tree", DEBUG, "debug"), ("tree.noisy", WARNING, "too noisy"),
            ("elsewhere", DEBUG, "below the root's level"), ("tree.noisy.lib", ERROR, "error"),
        )  # fmt: skip
    assert lines_by_log(directory) == {"app": ["debug of a child", "debug", "error"]}


@pytest.mark.parametrize("when", ["before", "within"])
def test_what_is_disabled(new_session, directory, in_worker, when):
    """`logging.disable` holds there."""
    if when == "before":
        logging.disable(INFO)
    with new_session():
        logging.disable(INFO)
        in_worker(tree_jobs.say_at, ("tree", INFO, "disabled"), ("tree", WARNING, "enabled"))
        logging.disable(logging.NOTSET)
        in_worker(tree_jobs.say_at, ("tree", INFO, "enabled again"))
    assert lines_by_log(directory) == {"app": ["enabled", "enabled again"]}


def test_levels_under_run(directory, tmp_path):
    """A program that sets its levels while `run` has its session on."""
    script = tmp_path / "script.py"
    script.write_text(
        "import logging, multiprocessing\n"
        "def work(n):\n"
        "    logging.getLogger('tree.jobs').debug('debug %d', n)\n"
        "    logging.getLogger('tree.noisy.lib').warning('noisy %d', n)\n"
        "if __name__ == '__main__':\n"
        "    logging.getLogger('tree').setLevel('DEBUG')\n"
        "    logging.getLogger('tree.noisy').setLevel('ERROR')\n"
        "    for method in multiprocessing.get_all_start_methods():\n"
        "        process = multiprocessing.get_context(method).Process(target=work, args=(1,))\n"
        "        process.start()\n"
        "        process.join()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mplogging", "run", "--file", str(directory / "app.log"),
         str(script)],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.rpartition(": ")[2] for line in lines_by_log(directory)["app"]]
    assert lines == ["debug 1"] * 3


def test_levels_set_within_a_session_over_a_queue(new_session, directory):
    """They travel with the queue's address."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    with new_session(queue=queue):
        logging.getLogger("tree").setLevel(DEBUG)
        process = context.Process(target=tree_jobs.say_at, args=(("tree.jobs", DEBUG, "debug"),))
        process.start()
        process.join()
    queue.close()
    queue.join_thread()
    assert lines_by_log(directory) == {"app": ["debug"]}


# --- handlers of named loggers ---------------------------------------------------------


def handler_to(path, level=logging.NOTSET):
    path.parent.mkdir(exist_ok=True)
    handler = logging.FileHandler(path)
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def dated_to(path, level=logging.NOTSET):
    handler = mplogging.DatedFileHandler(path)
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


@pytest.mark.parametrize("make", [handler_to, dated_to])
def test_a_named_loggers_handler(new_session, directory, in_worker, make):
    """It gets what it gets in the parent, there; `propagate`, levels and filters hold."""
    audit, below, plain = map(logging.getLogger, ("audit", "audit.below", "plain"))
    audit.addHandler(make(directory / "audit.log"))
    audit.propagate = False
    strict = make(directory / "strict.log", ERROR)
    strict.addFilter(lambda record: "secret" not in record.getMessage())
    plain.addHandler(strict)
    with new_session() as session:
        in_worker(
            tree_jobs.say_at,
            ("audit", INFO, "one"), ("audit.below", WARNING, "two"), ("plain", WARNING, "three"),
            ("plain.below", ERROR, "four"), ("plain", ERROR, "a secret"), ("other", INFO, "five"),
        )  # fmt: skip
        assert session.flush(10)
        below.warning("six, of the parent")
    assert lines_by_log(directory) == {
        "app": ["three", "four", "a secret", "five"],
        "audit": ["one", "two", "six, of the parent"],
        "strict": ["four"],
    }
    assert plain.handlers == [strict]


def test_set_up_in_the_worker_as_in_the_parent(new_session, directory, in_worker):
    """A handler that a module adds in each process, when it is imported, doubles no line."""
    logging.getLogger("audit").addHandler(handler_to(directory / "audit.log"))
    # What a forked worker lets go of unclosed are errors, as the tests' warnings are.
    with new_session(captureExceptions=False):
        path = str(directory / "audit.log")
        in_worker(tree_jobs.set_up_and_say, "audit", path, "once")
        in_worker(tree_jobs.set_up_and_say, "elsewhere", str(directory / "own.log"), "of its own")
    assert lines_by_log(directory) == {
        "app": ["once", "of its own"], "audit": ["once"], "own": ["of its own"],
    }  # fmt: skip


def test_filters_of_loggers(new_session, directory, in_worker):
    """They hold in the worker; one that can't go there is told of."""
    logging.getLogger("tree").addFilter(tree_jobs.OnlyOf("good"))
    logging.getLogger().addFilter(tree_jobs.OnlyOf("good"))
    logging.getLogger("local").addFilter(lambda record: True)
    logging.getLogger("off").disabled = True
    with pytest.warns(mplogging.MPLoggingWarning, match="of logger 'local' works in this process"):
        session = new_session().start()
    in_worker(
        tree_jobs.say_at,
        ("tree", INFO, "good"), ("tree", INFO, "bad"), ("off", ERROR, "silent"),
        ("", INFO, "bad too"), ("", INFO, "also good"),
    )  # fmt: skip
    assert session.stop()
    assert lines_by_log(directory) == {"app": ["good", "also good"]}


def test_a_handler_that_is_added_within_the_session(new_session, directory, in_worker):
    """Whoever is started after that has it; another program, once the address was asked for."""
    with new_session() as session:
        handler = handler_to(directory / "late.log")
        logging.getLogger("late").addHandler(handler)
        assert session.address
        in_worker(tree_jobs.say_at, ("late.below", INFO, "in both"))
    assert lines_by_log(directory) == {"app": ["in both"], "late": ["in both"]}


@pytest.mark.parametrize("order", [("info", "error"), ("error", "info")])
def test_several_files(directory, in_worker, order):
    """Each is a file of the session, with level and filter; whichever comes first."""
    root, levels = logging.getLogger(), {"info": INFO, "error": ERROR}
    root.handlers[:] = [dated_to(directory / f"{name}.log", levels[name]) for name in order]
    root.setLevel(DEBUG)
    files = root.handlers[:]
    with mplogging.LogSession() as session:
        in_worker(
            tree_jobs.say_at, ("tree", DEBUG, "no"), ("tree", INFO, "one"), ("", ERROR, "two")
        )
        logging.error("three")
        assert session.flush(10)
        stats = session.stats()
    assert (stats.records, stats.workers, stats.failed) == (5, 1, 0)
    assert root.handlers == files
    logging.error("after the session")
    for file in files:
        root.removeHandler(file)
        file.close()
    errors = ["two", "three", "after the session"]
    assert lines_by_log(directory) == {"info": ["one", *errors], "error": errors}


def test_a_burst_to_several_files(directory, context):
    """Records wait for room, and none is dropped, though there is little."""
    root = logging.getLogger()
    root.setLevel(INFO)
    root.handlers[:] = [
        mplogging.DatedFileHandler(directory / f"{name}.log", bufferBytes=20_000)
        for name in ("one", "two")
    ]
    files = root.handlers[:]
    with mplogging.LogSession() as session:
        with context.Pool(2) as pool:
            pool.map(tree_jobs.say_many, [2000] * 2, chunksize=1)
            pool.close()
            pool.join()
    for file in files:
        root.removeHandler(file)
        file.close()
    assert session.stats().dropped == 0
    assert {name: len(lines) for name, lines in lines_by_log(directory).items()} == {
        "one": 4000, "two": 4000,
    }  # fmt: skip


def test_the_whole_tree_is_adopted(directory, in_worker):
    """Without a filename and with nothing on the root logger."""
    logging.getLogger().handlers[:] = []
    audit = logging.getLogger("audit")
    audit.setLevel(INFO)
    audit.addHandler(dated_to(directory / "audit.log"))
    with mplogging.LogSession():
        in_worker(tree_jobs.say_at, ("audit", INFO, "hello"), ("other", ERROR, "to nobody"))
    assert lines_by_log(directory) == {"audit": ["hello"]}


def test_a_file_on_several_loggers(directory, in_worker):
    """The root logger's own file is meant by its name, without what stands beside it there."""
    file, beside = dated_to(directory / "app.log"), handler_to(directory / "beside.log")
    audit = logging.getLogger("audit")
    audit.addHandler(file)
    audit.propagate = False
    with mplogging.LogSession(file, handlers=[beside]):
        in_worker(tree_jobs.say_at, ("audit", INFO, "audit"), ("other", INFO, "other"))
        audit.info("of the parent")
    assert audit.handlers == [file]
    beside.close()
    assert lines_by_log(directory) == {
        "app": ["audit", "other", "of the parent"], "beside": ["other"],
    }  # fmt: skip


# --- the record factory ------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "within"])
def test_the_record_factory(new_session, directory, in_worker, when):
    """Its fields are there in every process."""
    if when == "before":
        logging.setLogRecordFactory(tree_jobs.record_with_site)
    with new_session(format="%(site)s %(message)s", level=ERROR) as session:
        logging.setLogRecordFactory(tree_jobs.record_with_site)
        assert session.address
        in_worker(tree_jobs.say_at, ("tree", ERROR, "hello"))
    assert lines_by_log(directory) == {"app": ["ours hello"]}


def test_a_record_factory_that_cannot_travel(new_session):
    """That is told once, where the session begins."""
    logging.setLogRecordFactory(lambda *args, **kwargs: logging.LogRecord(*args, **kwargs))
    with pytest.warns(mplogging.MPLoggingWarning, match="the record factory .* can't be") as told:
        with new_session() as session:
            assert session.address
    assert len(told) == 1


KILLED_WITH_ALL = """
import logging, multiprocessing, os, signal, time
import mplogging

def work():
    logging.error("before")
    logging.getLogger("audit").error("audit")
    os.kill(os.getppid(), signal.SIGSTOP)
    time.sleep(0.2)  # until its threads have taken that
    logging.error("after")
    os.killpg(0, signal.SIGKILL)

if __name__ == "__main__":
    audit = logging.getLogger("audit")
    audit.propagate = False
    audit.addHandler(mplogging.DatedFileHandler("logs/audit.log"))
    for name in ("one", "two"):
        logging.getLogger().addHandler(mplogging.DatedFileHandler(f"logs/{name}.log"))
    with mplogging.LogSession(reportDeaths=False):
        process = multiprocessing.get_context("spawn").Process(target=work)
        process.start()
        process.join()
"""


def test_several_files_of_a_dead_program(tmp_path, directory):
    """All of it is killed: what is left in each journal comes into that one's file."""
    (tmp_path / "killed.py").write_text(KILLED_WITH_ALL)
    with subprocess.Popen(
        [sys.executable, "killed.py"], cwd=tmp_path, start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as program:  # fmt: skip
        assert program.wait(60) == -9
    assert sweep(directory) >= 2  # the parent was stopped before the last of each
    lines = {
        name: [line for line in found if "recovered" not in line]
        for name, found in lines_by_log(directory).items()
    }
    assert lines == {
        "audit": ["audit"], "one": ["before", "after"], "two": ["before", "after"],
    }  # fmt: skip


KILLED = """
import logging, multiprocessing, os, signal, time
import mplogging

def work(parent, ready):
    logging.error("before")
    ready.send(None)
    while os.getppid() == parent:
        time.sleep(0.01)
    if not os.path.isdir("/proc/self"):
        time.sleep(0.3)  # nobody can see that the parent is just about to be dead
    logging.error("after")
    logging.getLogger("audit").error("audit")

if __name__ == "__main__":
    root, audit = logging.getLogger(), logging.getLogger("audit")
    audit.propagate = False
    audit.addHandler(mplogging.DatedFileHandler("logs/audit.log"))
    for name in ("one", "two"):
        root.addHandler(mplogging.DatedFileHandler(f"logs/{name}.log"))
    mplogging.LogSession(reportDeaths=False).start()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    context.Process(target=work, args=(os.getpid(), theirs)).start()
    ours.recv()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_several_files_of_a_dead_parent(tmp_path, directory):
    """Workers go on in each of them, and leave nothing behind."""
    (tmp_path / "killed.py").write_text(KILLED)
    # It returns once the worker too has closed its output.
    done = subprocess.run(
        [sys.executable, "killed.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    assert lines_by_log(directory) == {
        "audit": ["audit"], "one": ["before", "after"], "two": ["before", "after"],
    }  # fmt: skip
