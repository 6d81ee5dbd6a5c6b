"""What every test gets: the root logger as it was, and nothing left behind."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest

from mplogging._wire.place import Place

START_METHODS = multiprocessing.get_all_start_methods()
HAS_PROC = os.path.isdir("/proc/self/fd")
needs_proc = pytest.mark.skipif(not HAS_PROC, reason="needs Linux's /proc")


@pytest.fixture(params=START_METHODS)
def context(request):
    """A multiprocessing context of each start method in turn."""
    return multiprocessing.get_context(request.param)


@pytest.fixture(autouse=True)
def runtime_directory(tmp_path_factory, monkeypatch):
    """Session directories of the test go here, so that leftovers can be seen."""
    directory = tmp_path_factory.mktemp("run")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
    return directory


@pytest.fixture(autouse=True)
def nothing_is_left(runtime_directory):
    """The root logger is put back; no child, thread, descriptor or session directory stays."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    descriptors, threads = open_descriptors(), set(threading.enumerate())
    yield
    left = [handler for handler in root.handlers if type(handler).__module__ == "mplogging"]
    root.handlers[:] = handlers
    root.setLevel(level)
    children = multiprocessing.active_children()
    for child in children:  # that of a test that failed: they must not trouble the next
        child.kill()
        child.join()
    assert not left
    if not HAS_PROC and list(runtime_directory.iterdir()):
        Place.make().remove()  # an abandoned session leaves its directory to the next one
    assert not list(runtime_directory.iterdir())
    assert not children
    eventually(lambda: set(threading.enumerate()) <= threads)
    gc.collect()
    eventually(lambda: own(open_descriptors()) <= own(descriptors))


def open_descriptors() -> dict[int, str]:
    """Every open descriptor of this process, with what it leads to."""
    found = {}
    for name in os.listdir("/proc/self/fd") if HAS_PROC else []:
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
    return found


def own(descriptors: dict[int, str]) -> set[str]:
    """What of them could be ours: not the pipes of multiprocessing's own servers."""
    return {target for target in descriptors.values() if target.startswith("/")}


def eventually(condition, seconds: float = 5.0) -> None:
    """Assert a condition that the system may take a moment to fulfil."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, condition
        time.sleep(0.01)


def texts(directory: Path) -> dict[str, str]:
    """Every regular file below the directory, by its name from there, with its text."""
    return {
        str(path.relative_to(directory)): path.read_bytes().decode("utf-8", "surrogateescape")
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
