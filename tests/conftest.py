"""What every test gets: the root logger as it was, and nothing left behind."""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest
from leftovers import HAS_PROC, children, end, loggers, open_descriptors, own_handlers

from mplogging._wire.place import ENVIRONMENT

START_METHODS = multiprocessing.get_all_start_methods()
# Where a worker has begun, one of the fork server's is like a forked one: what takes long is
# tried with it only in the long run.
SHORTLY = [
    pytest.param(method, marks=pytest.mark.soak) if method == "forkserver" else method
    for method in START_METHODS
]
# The server imports the package once, as programs let it do, and not each child anew. That a
# child imports it itself is proved by those that are spawned, and by the programs that the
# tests of commands and documentation run, whose servers have nothing.
multiprocessing.set_forkserver_preload([
    "mplogging._session.session", "mplogging._worker.decorators", "mplogging._worker.attaching",
])  # fmt: skip
# How long a thread or a descriptor may take to go.
PATIENCE_SECONDS = 5.0
needs_proc = pytest.mark.skipif(not HAS_PROC, reason="needs Linux's /proc")


@pytest.fixture(params=START_METHODS)
def context(request):
    """A multiprocessing context of each start method in turn."""
    return multiprocessing.get_context(request.param)


@pytest.fixture(autouse=True)
def runtime_directory(tmp_path_factory, monkeypatch):
    """The bells of sessions hang here, so that leftovers can be seen."""
    directory = tmp_path_factory.mktemp("run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
    return directory


@pytest.fixture(autouse=True)
def level_names(monkeypatch):
    """The names of levels are put back."""
    for table in ("_nameToLevel", "_levelToName"):
        monkeypatch.setattr(logging, table, dict(getattr(logging, table)))


@pytest.fixture
def no_other_handlers(monkeypatch):
    """`dictConfig` closes all that it knows of: not pytest's, please."""
    monkeypatch.setattr(logging, "_handlerList", [])


@pytest.fixture(autouse=True)
def nothing_is_left(runtime_directory, tmp_path):
    """The loggers are put back, and nothing stays: `test_conftest.py` leaves one of each."""
    root, address = logging.getLogger(), os.environ.get(ENVIRONMENT)
    level, before = root.level, {one: (one.handlers[:], one.propagate) for one in loggers()}
    handlers, processes = own_handlers(), children()
    threads, descriptors = set(threading.enumerate()), open_descriptors().items()
    yield
    left = {
        "handlers": own_handlers() - handlers,
        "environment": {os.environ.get(ENVIRONMENT)} - {address},
        "children": children() - processes,
    }
    # What a test that failed has left must not trouble the next.
    for logger in loggers():
        logger.handlers[:], logger.propagate = before.get(logger, ([], True))
    root.setLevel(level)
    set_environment(address)
    end(left["children"])
    left["directories"] = set(runtime_directory.iterdir()) | set(tmp_path.rglob(".mplogging-*"))
    left["threads"] = staying(lambda: set(threading.enumerate()) - threads)
    gc.collect()
    gc.freeze()  # what is there by now need not be gone through each time
    left["descriptors"] = staying(lambda: open_descriptors().items() - descriptors)
    left = {kind: things for kind, things in left.items() if things}
    assert not left, f"left behind: {left}"


def set_environment(address: str | None) -> None:
    """Put the session's address into the environment, or none."""
    os.environ.pop(ENVIRONMENT, None)
    if address is not None:
        os.environ[ENVIRONMENT] = address


def staying(left):
    """What is still left after the system has had a moment to clear it away."""
    with contextlib.suppress(AssertionError):
        eventually(lambda: not left(), PATIENCE_SECONDS)
    return left()


def eventually(condition, seconds: float = 5.0) -> None:
    """Assert a condition that the system may take a moment to fulfil."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.01)


def texts(directory: Path) -> dict[str, str]:
    """Every regular file below the directory, by its name from there, with its text.

    But for what a session that runs, or was killed, has beside its log.
    """
    return {
        str(path.relative_to(directory)): path.read_bytes().decode("utf-8", "surrogateescape")
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink() and ".mplogging-" not in str(path)
    }
