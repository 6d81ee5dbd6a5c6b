"""Exceptions that nobody catches are in the log: once, where they happened."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import texts

import mplogging
from watch import failing

ROOT = Path(mplogging.__file__).parent.parent
NAME = "mplogging.exceptions"
RAISED = "failing.py uncaught exception"
IS_TOLD_WHOLE = sys.version_info >= (3, 14)
IGNORED = "Exception ignored " + ("while calling deallocator" if IS_TOLD_WHOLE else "in:")
# What each leaves in the log, from a process of its name; the lines without the tracebacks.
TOLD = {
    failing.raise_error: [f"CRITICAL raise_error {NAME} {RAISED} in process raise_error"],
    failing.raise_once: ["ERROR raise_once watch.failing decorators.py"
                         " uncaught exception in raise_once"],
    failing.in_thread: [f"ERROR in_thread {NAME} {RAISED} in thread T"],
    failing.in_del: [f"ERROR in_del {NAME} failing.py {IGNORED} "
                     "<function Unlucky.__del__ at 0x>"],
    failing.in_task: ["ERROR in_task asyncio base_events.py"
                      " Task exception was never retrieved"],
    failing.exit_in_thread: [], failing.leave: [], failing.interrupt: [],
}  # fmt: skip


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def new_session(directory):
    def make(**options):
        return mplogging.LogSession(directory / "app.log", format=failing.FORMAT, **options)

    return make


def entries(directory):
    """First line and traceback of each record."""
    text = "".join(texts(directory).values())
    found = re.findall(r"^> (.*)\n((?:[^>].*\n|\n)*)", text, re.MULTILINE)
    return [(_without_addresses(line), rest) for line, rest in found]


def lines(directory):
    return [line for line, _ in entries(directory)]


def _without_addresses(line):
    return re.sub("0x[0-9a-fA-F]+", "0x", line)


def run(context, *functions, count=1):
    """Each in a process of its name, all at a time."""
    processes = [
        context.Process(target=function, name=function.__name__) for function in functions
    ] * count
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_in_processes(new_session, context, directory, capfd):
    """Of each kind one record with the traceback, and what was printed still is."""
    with new_session(reportDeaths=False):
        assert run(context, *TOLD) == [1, 1, 0, 0, 0, 0, 3, 1]
    assert sorted(lines(directory)) == sorted(sum(TOLD.values(), []))
    for line, traceback in entries(directory):
        assert "Traceback (most recent call last):\n" in traceback, line
        assert re.search(r"\nValueError: in (run|a worker function|__del__|a task)\n$", traceback)
        assert "_bootstrap(" not in traceback
    if context.get_start_method() != "forkserver":  # its server may be another test's
        assert "Process raise_error:\n" in capfd.readouterr().err


@pytest.mark.parametrize("package", ["multiprocess", "billiard"])
def test_in_processes_of_a_package(new_session, directory, package):
    """Those that `multiprocessing` has been forked into."""
    context = pytest.importorskip(package).get_context("spawn")
    with new_session(reportDeaths=False):
        assert run(context, failing.raise_error) == [1]
    assert lines(directory) == TOLD[failing.raise_error]


def test_in_pools(new_session, context, directory):
    """What a task raises is given back, and is none; what its thread raises is one."""
    with new_session():
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
            with pytest.raises(ValueError):
                executor.submit(failing.raise_error).result()
            executor.submit(failing.in_thread).result()
        with context.Pool(1) as pool:
            with pytest.raises(ValueError):
                pool.apply(failing.raise_error)
            pool.apply(failing.in_thread)
            pool.close()
            pool.join()
    told = [re.sub(r"(Fork|Spawn|ForkServer)(Pool)?(Process|Worker)-[\d:]+ ", "P ", line)
            for line in lines(directory)]  # fmt: skip
    assert told == [f"ERROR P {NAME} {RAISED} in thread T"] * 2


def program(name, log):
    """Run one; what it wrote on stderr."""
    done = subprocess.run(
        [sys.executable, failing.__file__, name, str(log)], capture_output=True, text=True,
        timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode != 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("name", ["within", "decorated", "started"])
def test_in_main(name, directory):
    """The session's block is left by it, or it comes to the hook that was there while it runs."""
    errors = program(name, directory / "app.log")
    ((line, traceback),) = entries(directory)
    assert line == f"CRITICAL MainProcess {NAME} {RAISED}"
    assert traceback.endswith("ValueError: in run\n")
    assert errors == "shown: in run\n"


def test_in_a_program_that_attaches(new_session, directory):
    """It tells of itself."""
    with new_session():
        assert program("attached", directory) == "shown: in run\n"
    assert lines(directory) == [f"CRITICAL MainProcess {NAME} {RAISED}"]


def test_what_is_meant_as_an_end_is_none(directory):
    """Ctrl-C."""
    program("interrupted", directory / "app.log")
    assert lines(directory) == []


def test_one_session_after_another(directory):
    """Each has its own."""
    program("twice", directory / "app.log")
    assert lines(directory) == [
        f"ERROR MainProcess {NAME} {RAISED} in thread T",
        f"CRITICAL MainProcess {NAME} {RAISED}",
    ]


def test_it_can_be_refused(directory):
    """captureExceptions=False: the hooks are left alone."""
    assert "shown: in run\n" in program("refused", directory / "app.log")
    assert lines(directory) == []
    with pytest.raises(mplogging.ConfigError, match="captureExceptions must be True or False"):
        mplogging.LogSession(directory / "app.log", captureExceptions="yes")


def test_what_a_process_was_forked_in_the_midst_of_is_none(new_session, directory):
    """`multiprocessing` runs a child within its parent's calls, and their `except`."""
    with new_session():
        try:
            failing.raise_error()
        except ValueError:
            assert run(multiprocessing.get_context("fork"), int, failing.in_forks) == [0, 0]
    child = TOLD[failing.in_del][0].replace("in_del", "in_forks")
    assert lines(directory) == [child] * 2


def test_what_has_no_repr(new_session, directory):
    """Where it was ignored can't be said, but what it was can."""
    with new_session():
        assert run(multiprocessing.get_context("fork"), failing.in_callback) == [0]
    ((line, traceback),) = entries(directory)
    ignored = "Exception ignored" if IS_TOLD_WHOLE else "Exception ignored in: <Callback>"
    assert line == f"ERROR in_callback {NAME} failing.py {ignored}"
    assert traceback.endswith("ValueError: in a callback\n")


def hooks():
    return sys.excepthook, threading.excepthook, sys.unraisablehook


def test_the_hooks_are_put_back(new_session, monkeypatch):
    """Unless somebody else has replaced them: then what comes is passed on, and not told."""
    before, seen = hooks(), []
    with new_session():
        assert not set(hooks()) & set(before)
    assert hooks() == before
    monkeypatch.setattr(sys, "excepthook", lambda *args: seen.append(args))
    with new_session():
        ours = sys.excepthook
        monkeypatch.setattr(sys, "excepthook", theirs := lambda *args: ours(*args))
    assert sys.excepthook is theirs
    error = ValueError("late")
    theirs(ValueError, error, None)
    assert seen == [(ValueError, error, None)]
