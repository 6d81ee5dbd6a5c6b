"""SIGTERM ends a program as without us, only that all that was logged is written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import texts
from processes import sweep

import mplogging
from mplogging._session.signals import Signals

BEGINNING = """
import logging, multiprocessing, os, signal, sys, threading
import mplogging

log = logging.getLogger("app")
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it is ignored if the tests run under nohup

def meet(number):
    os.kill(os.getpid(), number)
    threading.Event().wait(30)  # the signal comes at once; this is for one that doesn't
    sys.exit("the signal had no effect")

"""
LOGGING = """
with mplogging.LogSession(sys.argv[1], format="%(message)s") as session:
    for number in range(2000):
        log.info("record %d", number)
"""


def run(program: str, directory: Path) -> tuple[int, list[str], str]:
    """Exit status, lines of the log, and what came to stderr."""
    (directory / "program.py").write_text(BEGINNING + program)
    logs = directory / "logs"
    package = Path(mplogging.__path__[0]).parent
    done = subprocess.run(
        [sys.executable, str(directory / "program.py"), str(logs / "log")],
        env={**os.environ, "PYTHONPATH": str(package)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.returncode, "".join(texts(logs).values()).splitlines(), done.stderr


def records(count: int) -> list[str]:
    return [f"record {number}" for number in range(count)]


@pytest.fixture
def default_sigterm():
    """SIGTERM has its default, which is put back."""
    old = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, old)


# --- whole programs -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_all_is_written(tmp_path, name):
    """All accepted records are in the file, and the exit status tells the signal."""
    status, lines, errors = run(LOGGING + f"    meet(signal.{name})\n", tmp_path)
    assert (status, lines, errors) == (-getattr(signal, name), records(2000), "")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_handler_of_the_programs_own(tmp_path, name):
    """It is called as it would be, and the session stays open."""
    program = f"""
def finish(number, frame):
    log.info("own handler")
    raise SystemExit(7)

signal.signal(signal.{name}, finish)
{LOGGING}
    meet(signal.{name})
"""
    assert run(program, tmp_path) == (7, [*records(2000), "own handler"], "")


def test_a_handler_set_during_the_session(tmp_path):
    """It is left in place at the end."""
    program = f"""
{LOGGING}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
meet(signal.SIGTERM)
"""
    assert run(program, tmp_path) == (7, records(2000), "")


def test_an_ignored_signal_stays_ignored(tmp_path):
    """As under nohup."""
    program = f"""
signal.signal(signal.SIGHUP, signal.SIG_IGN)
{LOGGING}
    os.kill(os.getpid(), signal.SIGHUP)
    log.info("record 2000")
"""
    assert run(program, tmp_path) == (0, records(2001), "")


def test_after_the_session(tmp_path):
    """The signal has its default effect again."""
    program = LOGGING + "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
    status, lines, errors = run(program + "meet(signal.SIGTERM)\n", tmp_path)
    assert (status, lines, errors) == (-signal.SIGTERM, records(2000), "")


@pytest.mark.parametrize("way", ["terminate", "kill"])
def test_forked_workers(tmp_path, way):
    """A pool's workers end as usual, and the session goes on."""
    program = f"""
pausing = multiprocessing.get_context("fork").Semaphore(0)

def work(number):
    log.info("record %d", number)

def pause():  # one who is here holds no lock of the pool, whose `terminate` can then not hang
    pausing.release()
    signal.pause()

with mplogging.LogSession(sys.argv[1], format="%(message)s"):
    pool = multiprocessing.get_context("fork").Pool(2)
    pool.map(work, range(50))
    processes = pool._pool[:]
    for _ in processes:
        pool.apply_async(pause)
    for _ in processes:
        pausing.acquire()
    pool.terminate()
    pool.join()
    codes = [process.exitcode for process in processes]
    assert codes == [-signal.SIGTERM] * 2, codes
    for _ in range(10):  # a child that has hardly begun ends as well
        child = multiprocessing.get_context("fork").Process(target=signal.pause)
        child.start()
        child.{way}()
        child.join()
        assert child.exitcode == -signal.SIG{"TERM" if way == "terminate" else "KILL"}, child
    log.info("record 50")
"""
    status, lines, errors = run(program, tmp_path)
    assert (status, sorted(lines), errors) == (0, sorted(records(51)), "")


def test_forked_child_that_runs_no_bytecode(tmp_path):
    """A child in C code is ended at once: its SIGTERM has the default effect."""
    program = """
def check():
    sys.exit(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL)

with mplogging.LogSession(sys.argv[1], format="%(message)s"):
    child = multiprocessing.get_context("fork").Process(target=check)
    child.start()
    child.join()
    assert child.exitcode == 0
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""
    assert run(program, tmp_path) == (0, [], "")


SLOW = """
class Slow(logging.Handler):
    def emit(self, record):
        pass
    def flush(self):
        begun.set()
        go_on.wait(20)

begun, go_on = threading.Event(), threading.Event()

def interrupt():
    begun.wait(20)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    go_on.set()

threading.Thread(target=interrupt, daemon=True).start()
session = mplogging.LogSession(
    sys.argv[1], format="%(message)s", handlers=[Slow()]
)
session.start()
for number in range(2000):
    log.info("record %d", number)
"""


def test_during_stop(tmp_path):
    """The end that is under way is finished first; then the signal has its effect."""
    program = SLOW + "session.stop()\nthreading.Event().wait(30)\nsys.exit('no effect')\n"
    assert run(program, tmp_path) == (-signal.SIGTERM, records(2000), "")


def test_during_stop_in_another_thread(tmp_path):
    """So it is if another thread stops the session."""
    program = SLOW + """
errors = []
def stop():
    try:
        session.stop()
    except BaseException as error:
        errors.append(error)
thread = threading.Thread(target=stop)
thread.start()
thread.join()
threading.Event().wait(30)
sys.exit(f"no effect {errors}")
"""
    assert run(program, tmp_path) == (-signal.SIGTERM, records(2000), "")


def test_after_a_stop_in_another_thread(tmp_path):
    """Only the main thread can give a signal back; it ends the program all the same."""
    program = """
with mplogging.LogSession(sys.argv[1], format="%(message)s") as session:
    log.info("record 0")
    thread = threading.Thread(target=session.stop)
    thread.start()
    thread.join()
meet(signal.SIGTERM)
"""
    assert run(program, tmp_path) == (-signal.SIGTERM, records(1), "")


def test_a_second_control_c(tmp_path):
    """While the session is being left: it is quick, but the listener ends in good order."""
    program = """
begun = threading.Event()
class Slow(logging.Handler):
    def emit(self, record):
        is_last = record.getMessage() == "record 19"
        if is_last:
            begun.set()  # all are logged by now
        threading.Event().wait(0.3 if is_last else 0.02)

def interrupt():
    begun.wait(20)
    os.kill(os.getpid(), signal.SIGINT)

session = mplogging.LogSession(
    sys.argv[1], format="%(message)s", handlers=[Slow()], handlerOverflow="block",
    handlerCapacity=1, stopTimeout=60,
)
threading.Thread(target=interrupt, daemon=True).start()
try:
    with session:
        for number in range(20):
            log.info("record %d", number)
except KeyboardInterrupt:
    pass
with session:
    log.info("record 20")
"""
    assert run(program, tmp_path) == (0, records(21), "")


def test_a_handler_that_does_not_finish(tmp_path):
    """The end comes at the deadline, as an error of `stop` does not keep the signal back."""
    program = """
import warnings
warnings.simplefilter("error")

class Stuck(logging.Handler):
    def emit(self, record):
        threading.Event().wait(60)

with mplogging.LogSession(
    sys.argv[1], format="%(message)s", handlers=[Stuck()], stopTimeout=0.5
):
    log.info("record 0")
    meet(signal.SIGTERM)
"""
    status, lines, _ = run(program, tmp_path)
    assert (status, lines[:1]) == (-signal.SIGTERM, records(1))


def test_not_asked_for(tmp_path):
    """With handleSignals=False, the signal's default ends the program at once."""
    program = """
with mplogging.LogSession(sys.argv[1], handleSignals=False, format="%(message)s"):
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    log.info("record 0")
    meet(signal.SIGTERM)
"""
    status, lines, errors = run(program, tmp_path)
    assert (status, lines, errors) == (-signal.SIGTERM, records(1), "")
    assert sweep(tmp_path / "logs") == 0


UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc"]


def can_be_process_1() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True).returncode == 0


def test_a_whole_program_as_process_1(tmp_path):
    """As the first of a container: SIGTERM does nothing there, and the session goes on."""
    if not can_be_process_1():
        pytest.skip("needs unshare, and the right to use it")
    program = """
assert os.getpid() == 1
with mplogging.LogSession(sys.argv[1], format="%(message)s"):
    log.info("before")
    os.kill(1, signal.SIGTERM)
    os.kill(1, signal.SIGHUP)
    log.info("after")
    process = multiprocessing.get_context("fork").Process(target=meet, args=(signal.SIGTERM,))
    process.start()
    process.join()
    log.info("worker %d", process.exitcode)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.map(log.info, ["from a worker"])
"""
    program = program.replace("\n", "\n    ")
    (tmp_path / "program.py").write_text(f'{BEGINNING}\nif __name__ == "__main__":\n{program}\n')
    package = Path(mplogging.__path__[0]).parent
    done = subprocess.run(
        [*UNSHARE, sys.executable, "program.py", "logs/log"], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(package)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    (text,) = texts(tmp_path / "logs").values()
    told = "ForkProcess-1 (pid 3) ended by SIGTERM"
    assert text.splitlines().count(told) == 1
    lines = [line for line in text.splitlines() if line != told]
    assert lines == ["before", "after", "worker -15", "from a worker"]


# --- the pieces ------------------------------------------------------------------------


def test_in_another_thread(default_sigterm):
    """Where no signal handler can be set, none is, and nothing fails."""
    thread = threading.Thread(target=lambda: Signals(lambda: None, lambda: False).restore())
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_in_process_1(default_sigterm, monkeypatch):
    """There, signals have no default effect, and go on having none."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    signals = Signals(lambda: None, lambda: False)
    signals.take()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signals.restore()


def test_restore(default_sigterm):
    """What was taken is given back, once."""
    signals = Signals(lambda: None, lambda: False)
    signals.take()
    assert signal.getsignal(signal.SIGTERM) == signals._end
    signals.restore()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signals.restore()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
