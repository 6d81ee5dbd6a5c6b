"""Programs for the tests to start: `python tests/programs.py NAME '{"json": "arguments"}'`.

Unrelated to the test's process, as an operator's programs are to each other.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

FORMAT = logging.Formatter("%(created)r %(message)s")
WIDE = "x" * 40


def start(name: str, timezone: str = "UTC", **arguments: object) -> subprocess.Popen[str]:
    """Start one of the functions below as a program of its own."""
    root = str(Path(__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, __file__, name, json.dumps(arguments, default=str)],
        env={**os.environ, "PYTHONPATH": root, "TZ": timezone},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )


def end(program: subprocess.Popen[str], status: int | None = 0) -> tuple[str, str]:
    """Wait for its end; returns what it wrote on stdout and stderr."""
    output, errors = program.communicate(timeout=60)
    assert status is None or program.returncode == status, errors
    return output, errors


def make_handler(filename: str, options: dict):
    import mplogging

    handler = mplogging.DatedFileHandler(filename, **options)
    handler.setFormatter(FORMAT)
    return handler


def record(message: str, created: float | None = None) -> logging.LogRecord:
    created = time.time() if created is None else created
    return logging.makeLogRecord({"msg": message, "created": created})


def wait_for_go() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def write(filename, tag, count, created=None, step=0.0, options=()):
    """`count` records, of injected times or by the clock (created=None, step as a pause)."""
    handler = make_handler(filename, dict(options))
    wait_for_go()
    for number in range(count):
        moment = None if created is None else created + number * step
        handler.handle(record(f"{tag} {number} {WIDE}", moment))
        if created is None and step:
            time.sleep(step)
    handler.close()


def write_until_killed(filename, tag, ledger, options=()):
    """Tells the ledger the number of each record whose call has returned."""
    handler = make_handler(filename, dict(options))
    accepted = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    number = 0
    while True:
        handler.handle(record(f"{tag} {number} {WIDE}"))
        os.write(accepted, f"{tag} {number}\n".encode())
        number += 1


def write_until_told(filename, tag, ledger, options=()):
    """As `write_until_killed`, but until stdin ends; then closes."""
    handler = make_handler(filename, dict(options))
    accepted = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
    number = 0
    while not is_over.is_set():
        handler.handle(record(f"{tag} {number} {WIDE}"))
        os.write(accepted, f"{tag} {number}\n".encode())
        number += 1
        time.sleep(0.0005)
    handler.close()


def hold_lock(path):
    """Takes the file's lock as a writer does, says so, and waits to be stopped."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    wait_for_go()


def compress_until_killed(filename, options):
    """Opens the log, whose finished files are compressed from then on."""
    handler = make_handler(filename, options)
    wait_for_go()
    handler.close()


def fill(filename, limit, count, options=(), width=100):
    """Writes under a file size limit; then lifts it, and writes one record more."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    handler = make_handler(filename, dict(options))
    handler.setFormatter(logging.Formatter("%(message)s"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    for number in range(count):
        handler.handle(record(f"{number:03d} ".ljust(width - 1, "x"), 1_000_000_000.0))
    state = {"waiting": handler.waiting, "lost": handler.lost, "size": size_of(filename)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    handler.flush()
    handler.handle(record("after", 1_000_000_000.0))
    handler.close()
    print(json.dumps({**state, "lost_in_all": handler.lost, "left": handler.waiting}))


def size_of(filename: str) -> int:
    return sum(path.stat().st_size for path in Path(filename).parent.iterdir())


def fork_while_threads_log(filename, forks, options=()):
    """Forks while threads log; each child logs one line of its own."""
    handler = make_handler(filename, dict(options))
    is_over = threading.Event()

    def log(tag):
        number = 0
        while not is_over.is_set():
            handler.handle(record(f"{tag} {number}", 0.0))
            number += 1
        counts[tag] = number

    counts: dict[str, int] = {}
    threads = [threading.Thread(target=log, args=(f"t{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    children = []
    for number in range(forks):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            handler.handle(record(f"child {number}", 0.0))
            handler.close()
            os._exit(0)
        children.append(child)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    is_over.set()
    for thread in threads:
        thread.join()
    handler.close()
    print(json.dumps({"statuses": statuses, "counts": counts}))


def log_at(filename, moments, options=()):
    """One record for each of these times."""
    handler = make_handler(filename, dict(options))
    for moment in moments:
        handler.handle(record("line", moment))
    handler.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](**json.loads(sys.argv[2]))
