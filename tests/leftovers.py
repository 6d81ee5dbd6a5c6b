"""What a test may leave behind: looked for before it and after it."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import stat
from collections.abc import Iterable
from multiprocessing import forkserver, resource_tracker
from pathlib import Path

HAS_PROC = os.path.isdir("/proc/self/fd")
# A new descriptor gets the lowest free number, so a leak shows among these; the journal's
# own are lifted to the others.
_DESCRIPTORS = frozenset((*range(256), *range(700, 1100)))


def own_handlers() -> set[logging.Handler]:
    """The handlers, on any logger, of this package's classes and those derived from them."""
    return {
        handler
        for logger in loggers()
        for handler in logger.handlers
        if any(kind.__module__.split(".")[0] == "mplogging" for kind in type(handler).__mro__)
    }


def loggers() -> list[logging.Logger]:
    """All that there are by now, the root logger among them."""
    root = logging.getLogger()
    made = root.manager.loggerDict.values()
    return [root, *(logger for logger in made if isinstance(logger, logging.Logger))]


def children() -> set[int]:
    """The processes that this one has started and not waited for.

    Without /proc, only those that multiprocessing knows.
    """
    found = {child.pid for child in multiprocessing.active_children()}
    for path in Path("/proc/self/task").glob("*/children") if HAS_PROC else ():
        with contextlib.suppress(OSError):  # a thread that has just ended
            found.update(map(int, path.read_text().split()))
    return found - {server for server, _ in _servers()}


def end(processes: set[int]) -> None:
    """Kill these children."""
    for child in multiprocessing.active_children():
        if child.pid in processes:
            child.kill()
            child.join()
    for pid in processes:
        with contextlib.suppress(OSError):  # it was one of those above
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def open_descriptors() -> dict[int, str]:
    """Every open descriptor of this process, with what it leads to."""
    found = {}
    for number in _numbers():
        with contextlib.suppress(OSError):
            status = os.fstat(number)
            found[number] = f"{stat.filemode(status.st_mode)} {status.st_dev}:{status.st_ino}"
            found[number] = os.readlink(f"/proc/self/fd/{number}")
    for _, descriptor in _servers():
        found.pop(descriptor, None)
    return found


def _numbers() -> Iterable[int]:
    """Those that may be open: /proc knows, else each is tried."""
    if not HAS_PROC:
        return _DESCRIPTORS
    return sorted(_DESCRIPTORS & set(map(int, os.listdir("/proc/self/fd"))))


def _servers() -> list[tuple[int | None, int | None]]:
    """Process and descriptor of each of multiprocessing's own servers, which stay."""
    tracker, server = resource_tracker._resource_tracker, forkserver._forkserver
    return [
        (tracker._pid, tracker._fd),
        (server._forkserver_pid, server._forkserver_alive_fd),
    ]
