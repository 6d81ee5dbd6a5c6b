"""A fork at any moment, and the end of a program in any manner."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading

import fault_jobs
import pytest
from conftest import eventually
from ledgers import FORMAT, accepted, check, prepare
from processes import METHODS, Program, end, start

from mplogging import DatedFileHandler, LogSession

FORKS = int(os.environ.get("MPLOGGING_FORKS", "200"))  # of the long run


@pytest.mark.parametrize("way", ["_exit", "sys.exit"])
def test_forks_while_threads_log(tmp_path, way):
    """No hang, no duplicate, no loss; a child leaves the session's block and stops nothing."""
    fork_while_threads_log(tmp_path, 25, 4, way)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_forks_while_threads_log(tmp_path):
    """MPLOGGING_FORKS of them."""
    fork_while_threads_log(tmp_path, FORKS, 4, "sys.exit")


def fork_while_threads_log(directory, forks, threads, way) -> None:
    settings = {"forks": forks, "threads": threads, "way": way}
    with Program(directory, "forker", **settings) as program:
        program.process.wait(100)
    assert program.process.returncode == 0, program.errors
    assert not program.errors
    check(directory)
    counts = sorted(accepted(directory).values())
    assert counts[: 2 * forks] == [20] * 2 * forks
    assert len(counts) == 2 * forks + threads


class Holding(logging.Handler):
    """A handler that holds a lock of its own for a while, as a stream's buffer has one."""

    def __init__(self, event):
        super().__init__()
        self.has_begun, self.may_end = threading.Event(), event
        self.own = threading.Lock()

    def emit(self, record):
        with self.own:
            self.has_begun.set()
            self.may_end.wait(0.05)


def take(lock):
    os._exit(not lock.acquire(timeout=1.0))


def test_a_fork_while_a_handler_is_at_work(tmp_path):
    """The child has none of the locks that the handler's thread holds just now."""
    handler = Holding(threading.Event())
    with LogSession(prepare(tmp_path), format=FORMAT, handlers=[handler]):
        for _ in range(5):
            handler.has_begun.clear()
            logging.getLogger("held").info("record")
            assert handler.has_begun.wait(30)
            child = multiprocessing.get_context("fork").Process(target=take, args=(handler.own,))
            child.start()
            child.join()
            assert child.exitcode == 0


def test_a_fork_while_a_handler_is_stuck(tmp_path):
    """It is waited for a moment, and no more; then it goes on."""
    handler = Holding(threading.Event())
    handler.may_end.wait = lambda seconds: threading.Event.wait(handler.may_end)
    with LogSession(prepare(tmp_path), format=FORMAT, handlers=[handler]) as session:
        for _ in range(2):
            logging.getLogger("held").info("record")
        assert handler.has_begun.wait(30)
        fork = multiprocessing.get_context("fork")
        end(start(fork, fault_jobs.log_once, tmp_path, count=3), tmp_path)
        handler.may_end.set()
    assert session.stats().records == 5
    assert not session.stats().unfinished


def test_forks_within_a_worker(context, tmp_path):
    """Grandchildren, forked while the worker's threads log."""
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        end(start(context, fault_jobs.fork_and_log, tmp_path, 10, count=2), tmp_path)
    assert check(tmp_path).records() == 2 * (2 * 300 + 10 * 20)
    assert session.stats().workers == 2 * (1 + 10)


class Listing(logging.Handler):
    """Keeps what comes."""

    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


def fork_and_say(log, generations):
    """Log at three levels in a child; and then in a child of that."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            for level in (logging.DEBUG, logging.INFO, logging.WARNING):
                log.log(level, "%s %d", logging.getLevelName(level), generations)
            if generations:
                fork_and_say(log, generations - 1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_what_is_changed_between_two_forks(tmp_path):
    """A child has things as they are when it is forked, not as the one before had them."""
    log, own = logging.getLogger("between"), Listing()
    file = DatedFileHandler(tmp_path / "app.log")
    file.setFormatter(logging.Formatter("%(name)s %(message)s"))
    said = []

    def say(generations=0):
        fork_and_say(log, generations)
        assert session.flush()
        text = "".join(path.read_text() for path in tmp_path.glob("app.log.*"))
        lines = [line[len("between ") :] for line in text.splitlines() if "between " in line]
        said.append(lines[sum(map(len, said)) :])

    with LogSession(file, level=logging.INFO) as session:
        say()
        file.setLevel(logging.WARNING)
        say()
        session.setLevel(logging.DEBUG)
        file.setLevel(logging.NOTSET)
        say(1)
        file.addFilter(lambda record: record.levelno != logging.INFO)
        say()
        log.addHandler(own)
        say(1)
        log.removeHandler(own)
        log.disabled = True
        say()
    every, no_info = ["DEBUG 0", "INFO 0", "WARNING 0"], ["DEBUG 0", "WARNING 0"]
    of_parent = [line.replace("0", "1") for line in every]
    assert said == [
        every[1:], every[2:], [*of_parent, *every], no_info,
        [of_parent[0], of_parent[2], *no_info], [],
    ]  # fmt: skip
    assert own.messages == [*of_parent, *every]
    assert session.stats().workers == 7  # the last one has not said a word


def test_forks_while_the_session_is_being_left(tmp_path):
    """Such children keep no lock: workers go on at once, in order."""
    with Program(tmp_path, "forking_leaver", children=60) as program:
        eventually((tmp_path / "left").exists, 30)
        program.go_on()
    assert program.process.returncode == 0, program.errors
    assert not program.errors
    check(tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_daemon_processes(tmp_path, method):
    """They are terminated as the program ends: what they had accepted is there."""
    with Program(tmp_path, method=method, daemon=True, way="sys.exit") as program:
        program.process.wait(30)
    assert program.process.returncode == 3, program.errors
    check(tmp_path)


@pytest.mark.parametrize("options", [{}, {"compress": "gz"}])
@pytest.mark.parametrize("way, code", [("return", 0), ("raise", 1), ("sys.exit", 3)])
def test_a_session_that_is_never_stopped(tmp_path, way, code, options):
    """The interpreter's exit drains it, without a thread or a word; children go on."""
    with Program(tmp_path, "bare", way=way, captureExceptions=False, **options) as program:
        program.process.wait(30)
    assert program.process.returncode == code, program.errors
    assert not program.errors
    assert sorted(accepted(tmp_path).values()) == [300, 300, 300, 1000]
    check(tmp_path)


def test_a_session_that_is_never_stopped_and_a_signal(tmp_path):
    """SIGTERM, which the session handles."""
    with Program(tmp_path, "bare", way="terminate") as program:
        program.process.wait(30)
    assert program.process.returncode == -signal.SIGTERM
    assert not program.errors
    check(tmp_path)
