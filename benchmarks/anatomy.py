"""Where a call's time goes: what each piece of it costs by itself.

    python -m benchmarks.anatomy        # about 20 seconds

Every piece runs in a forked process of its own, and the least of its rounds counts, since
whatever else the machine does makes it worse. A piece alone finds the processor's caches as
it left them: so the whole costs more than the sum of its pieces.
"""

from __future__ import annotations

import logging
import mmap
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import mplogging

from .workload import FORMAT, MESSAGE, TEXT

_CALLS = 3000
_ROUNDS = 60
_TEXT = b"2026-11-24 08:15:00,123 INFO Process-1 bench worker 1 record 12345 "
_FRAME = bytes(24) + _TEXT + 100 * b"x" + b"\n"
_MAPPED = _CALLS * len(_FRAME)

Call = Callable[[], Any]


def least(call: Call) -> float:
    """Microseconds of a call, in a loop's best round."""
    clock, best = time.perf_counter, float("inf")
    for _ in range(_ROUNDS):
        began = clock()
        for _ in range(_CALLS):
            call()
        best = min(best, clock() - began)
    return best / _CALLS * 1e6


def in_a_fork(make: Callable[[], Call]) -> float:
    """The same of what `make` makes, in a process of its own."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, str(least(make())).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        told = file.read()
    os.waitpid(pid, 0)
    return float(told)


@contextmanager
def beside(work: Callable[[], Any]) -> Iterator[None]:
    """Meanwhile another process does this, over and over."""
    pid = os.fork()
    if pid == 0:
        parent = os.getppid()
        while os.getppid() == parent:
            work()
        os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def _logging(handler: logging.Handler | None) -> Call:
    """A call that comes to this handler, or to those that the root logger has."""
    root, log = logging.getLogger(), logging.getLogger("bench").info
    root.setLevel(logging.INFO)
    if handler is not None:
        root.handlers = [handler]
    return lambda: log(MESSAGE, 1, 12345, TEXT)


class _Null(logging.NullHandler):
    """One that a record really comes to."""

    def handle(self, record: logging.LogRecord) -> bool:
        return True


def _file_handler(path: Path) -> logging.Handler:
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler


def _line() -> Call:
    handler: Any = logging.getLogger().handlers[0]
    record = logging.getLogger("bench").makeRecord(
        "bench", logging.INFO, __file__, 1, MESSAGE, (1, 12345, TEXT), None
    )
    return lambda: handler.line(record)


def worker_pieces(directory: Path) -> dict[str, float]:
    """Of a call."""
    with mplogging.LogSession(directory / "session.log", format=FORMAT):
        found = {
            "a whole call": in_a_fork(lambda: _logging(None)),
            "of it, logging itself: a logger with a handler that does nothing":
                in_a_fork(lambda: _logging(_Null())),
            "of it, the line": in_a_fork(_line),
        }  # fmt: skip
    with mplogging.LogSession(directory / "needed.log", format=FORMAT, recordFields="needed"):
        found['a whole call with recordFields="needed"'] = in_a_fork(lambda: _logging(None))
        found["of it, logging itself"] = in_a_fork(lambda: _logging(_Null()))
    found["a whole call of FileHandler"] = in_a_fork(
        lambda: _logging(_file_handler(directory / "file.log"))
    )
    return found


def _writing(descriptor: int) -> Call:
    write = os.write
    return lambda: write(descriptor, _FRAME)


def _append_to(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _mapping(path: Path) -> Call:
    with open(path, "w+b") as file:
        file.truncate(_MAPPED)
        region = mmap.mmap(file.fileno(), _MAPPED)
    at, size = 0, len(_FRAME)

    def copy() -> None:
        nonlocal at
        region[at : at + size] = _FRAME
        at = (at + size) % _MAPPED

    return copy


def write_pieces(directory: Path) -> dict[str, float]:
    """Of handing over the bytes of a line, whichever way."""
    null, alone = os.open(os.devnull, os.O_WRONLY), _append_to(directory / "alone")
    shared = _append_to(directory / "shared")
    reading, pipe = os.pipe()
    found = {
        "to /dev/null": in_a_fork(lambda: _writing(null)),
        "to a file of one's own, at its end": in_a_fork(lambda: _writing(alone)),
    }
    with beside(_writing(shared)):
        found["to a file that another process appends to all the time"] = in_a_fork(
            lambda: _writing(shared)
        )
    with beside(lambda: os.read(reading, 1 << 16)):
        found["to a pipe that another process reads"] = in_a_fork(lambda: _writing(pipe))
    found["no call of the system: copied into a mapped file"] = in_a_fork(
        lambda: _mapping(directory / "mapped")
    )
    for descriptor in (null, alone, shared, reading, pipe):
        os.close(descriptor)
    return found


def _told(title: str, found: dict[str, float]) -> Iterator[str]:
    yield title
    yield from (f"{microseconds:6.2f} µs  {what}" for what, microseconds in found.items())


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mplogging-anatomy-") as name:
        for title, pieces in (("A worker's call", worker_pieces), ("A write", write_pieces)):
            print("\n".join(_told(title, pieces(Path(name)))), flush=True)


if __name__ == "__main__":
    main()
