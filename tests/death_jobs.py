"""How processes end, for the tests that look what the log says of it; importable under spawn.

As a script, it is a program with a session: `python death_jobs.py PROGRAM DIRECTORY …`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import mplogging

log = logging.getLogger("jobs")
FORMAT = "%(levelname)s %(processName)s[%(process)d] %(name)s: %(message)s"


@mplogging.worker
def end_by(way, directory=""):
    """Log a record, and end in this way."""
    log.info("about to %s", way)
    if directory:
        ways[way](directory)
    else:
        ways[way]()
    return os.getpid()


def kill_myself():
    os.kill(os.getpid(), signal.SIGKILL)


def segfault():
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # no stack of faulthandler's, please
    os.kill(os.getpid(), signal.SIGSEGV)


def fail():
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # nobody needs to see the traceback
    raise RuntimeError("meant to happen")


def stay(directory):
    Path(directory, f"{os.getpid()}").touch()
    while True:
        signal.pause()


def become_another_program(program=""):
    os.execv(sys.executable, [sys.executable, "-c", program])


def copy_the_log(directory):
    """Which takes the locks of what is copied."""
    with tempfile.TemporaryDirectory() as copies:
        shutil.copytree(os.path.join(directory, "logs"), os.path.join(copies, "copy"))
    stay(directory)


ways = {
    "kill": kill_myself,
    "segfault": segfault,
    "_exit(3)": lambda: os._exit(3),
    "_exit(0)": lambda: os._exit(0),
    "exit(4)": lambda: sys.exit(4),
    "raise": fail,
    "exec": become_another_program,
    "exec(5)": lambda: become_another_program("raise SystemExit(5)"),
    "stay": stay,
    "copy and stay": copy_the_log,
    "return": lambda: None,
}


def in_fork(way):
    """A process that `multiprocessing` knows nothing of; waits for its end."""
    child = os.fork()
    if child == 0:
        try:
            end_by(way)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return child


def end_own_child(way, directory):
    """A process of a process of the session: ended on purpose, or not."""
    context = multiprocessing.get_context("fork")
    args = ("stay", directory) if way == "terminate" else (way,)
    child = context.Process(target=end_by, args=args)
    child.start()
    if way == "terminate":
        wait_for(Path(directory, f"{child.pid}"))
        child.terminate()
    child.join()
    log.info("child %d", child.pid)


# -- crashes ------------------------------------------------------------------------------


def overflow():
    faulthandler._stack_overflow()


crashes = {
    "SIGSEGV": lambda: faulthandler._sigsegv(),
    "SIGFPE": lambda: os.kill(os.getpid(), signal.SIGFPE),
    "SIGABRT": lambda: os.abort(),
    "SIGBUS": lambda: os.kill(os.getpid(), signal.SIGBUS),
    "stack overflow": overflow,
}


def crash_by(way):
    crashes[way]()


# -- programs -------------------------------------------------------------------------------


def crashing_workers(directory, method):
    """A worker for each way to crash."""
    context = multiprocessing.get_context(method)
    with mplogging.LogSession(os.path.join(directory, "app.log"), format=FORMAT):
        workers = [context.Process(target=crash_by, args=(way,), name=way) for way in crashes]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    print(faulthandler.is_enabled())


def crash(directory, way):
    """The session's own process crashes."""
    with mplogging.LogSession(os.path.join(directory, "app.log"), format=FORMAT):
        log.info("here")
        crash_by(way)


def killed(directory, method):
    """The session's own process is killed, and a worker outlives it."""
    context = multiprocessing.get_context(method)
    with mplogging.LogSession(os.path.join(directory, "app.log"), format=FORMAT):
        context.Process(target=outlive, args=(directory,)).start()
        wait_for(Path(directory, "ready"))
        kill_myself()


def outlive(directory):
    log.info("here")
    Path(directory, "ready").touch()
    wait_for(Path(directory, "go"))
    log.info("parent is gone")


def all_killed(directory):
    """The whole group is."""
    with mplogging.LogSession(os.path.join(directory, "app.log"), format=FORMAT):
        for name in ("one", "two"):
            worker = multiprocessing.Process(target=end_by, args=("stay", directory), name=name)
            worker.start()
            wait_for(Path(directory, str(worker.pid)))
        os.killpg(0, signal.SIGKILL)


def few_descriptors(directory):
    """64 in all, which the session does not have for itself."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    context = multiprocessing.get_context("fork")
    with mplogging.LogSession(os.path.join(directory, "app.log"), format=FORMAT):
        taken = []
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(6):
            os.close(taken.pop())  # for what it takes to start a process
        for _ in range(20):
            worker = context.Process(target=end_by, args=("return",))
            worker.start()
            worker.join()
            worker.close()


def wait_for(path):
    while not path.exists():
        time.sleep(0.01)


def own_faulthandler(directory):
    """The program has its own, from the beginning or from somewhere in its midst."""
    with open(os.path.join(directory, "own"), "w") as own:
        with mplogging.LogSession(os.path.join(directory, "app.log"), format=FORMAT):
            faulthandler.enable(own)
        assert faulthandler.is_enabled()
        with mplogging.LogSession(os.path.join(directory, "app.log"), format=FORMAT):
            worker = multiprocessing.get_context("fork").Process(
                target=crash_by, args=("SIGSEGV",), name="worker"
            )
            worker.start()
            worker.join()
        assert faulthandler.is_enabled()


def attached(address, way, directory):
    """A program that comes by itself."""
    mplogging.attach(address)
    end_by(way, directory if way == "stay" else "")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
