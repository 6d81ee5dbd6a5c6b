"""What writes to its descriptors in the tests of this folder: workers, and programs.

`python tests/watch/talking.py NAME ARGUMENT…` runs a program.
"""

from __future__ import annotations

import concurrent.futures
import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from conftest import texts

import mplogging

FORMAT = "%(levelname)s %(processName)s %(name)s %(process)d|%(message)s"
CAPTURING = {"format": FORMAT, "captureOutput": True, "reportDeaths": False}


def speak():
    """By print, past Python, by a program, and by a child."""
    print("printed", flush=False)
    sys.stderr.write("told\n")
    os.write(1, b"by number\n")
    subprocess.run(["sh", "-c", "echo from a shell; echo its error >&2"], check=True)
    child = os.fork()
    if child == 0:
        os.write(1, b"from a child\n")
        os._exit(0)
    os.waitpid(child, 0)
    print("half a line", end="")
    return os.getpid()


def speak_oddly():
    os.write(1, b"\xff\xfe binary\0\x80\n\n" + "käse\r\n".encode())
    os.write(2, b"x" + "ä".encode() * 1_000_000 + b"\nafter\n")


def speak_and_die(signal_number=signal.SIGKILL):
    for number in range(1000):
        print("line", number)
    os.write(1, b"the last words")  # no flush: each line before is there by now
    os.kill(os.getpid(), signal_number)


def crash():
    """CPython's own last words."""
    import faulthandler

    faulthandler.enable()
    os.kill(os.getpid(), signal.SIGSEGV)


def echo_a_record():
    """Through a handler of this process's own that writes to its stderr."""
    logger = logging.getLogger("echo")
    logger.addHandler(logging.StreamHandler())
    logger.warning("said twice")


def flood(lines):
    text = b"".join(b"%09d %s\n" % (number, b"y" * 90) for number in range(10_000))
    for _ in range(lines // 10_000):
        os.write(1, text)


def speak_when_told(reading):
    while (word := reading.recv()) is not None:
        print(word)


def wait_and_speak(directory):
    """Until the session's process is gone; then says something, and ends."""
    print("before")
    Path(directory, "ready").touch()
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.01)
    print("after")
    print("at last", end="")


# -- programs ---------------------------------------------------------------------------


def in_process(context, function, *args):
    process = context.Process(target=function, args=args, name="W")
    process.start()
    process.join()
    return [process.pid]


def in_pools(context, function, *args):
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        pids = [executor.submit(function, *args).result()]
    with context.Pool(1) as pool:
        pids.append(pool.apply(function, args))
        pool.close()
        pool.join()
    return pids


def session(directory, method, way, function, options):
    """A session with workers; prints their pids, and how many lines were dropped."""
    options = {**CAPTURING, **json.loads(options)}
    arguments = options.pop("arguments", [])
    with mplogging.LogSession(Path(directory, "app.log"), **options) as session:
        print("of the session's own process")
        context = multiprocessing.get_context(method)
        pids = globals()[way](context, globals()[function], *arguments)
    print(json.dumps({"pids": pids, "dropped": session.stats().dropped}))


def attached():
    print("before it attaches")
    mplogging.attach()
    speak()


def print_and_log(connection):
    while (word := connection.recv()) is not None:
        logging.warning("%s", word)  # which makes it look for its session
        print(word)
        connection.send(word)


def successive(directory, method):
    """A worker that outlives a session with captureOutput, and goes on in one without."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context(method)
    for name, is_captured in (("first.log", True), ("second.log", False), ("third.log", True)):
        with mplogging.LogSession(
            Path(directory, name), format="%(name)s %(message)s", captureOutput=is_captured
        ):
            if name == "first.log":
                process = context.Process(target=print_and_log, args=(theirs,))
                process.start()
            while f"root of {name}" not in "".join(texts(Path(directory)).values()):
                ours.send(f"of {name}")  # it looks 20 times a second where its session is
                ours.recv()
                time.sleep(0.02)
    ours.send(None)
    process.join()


def killed(directory, everybody):
    """A session whose process is killed, and its worker with it or not."""
    with mplogging.LogSession(Path(directory, "app.log"), **CAPTURING):
        context = multiprocessing.get_context("fork")
        context.Process(target=wait_and_speak, args=(directory,), name="W").start()
        while not Path(directory, "ready").exists():
            time.sleep(0.01)
        if everybody == "yes":
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    # Not as `__main__`: workers are to find it.
    from watch import talking

    getattr(talking, sys.argv[1])(*sys.argv[2:])
