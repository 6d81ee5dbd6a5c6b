"""Ctrl-C at any line of entering and leaving a session: nothing stays, nothing is lost.

What Python can't help: between the return of the system call that opens a descriptor and
the line that keeps its number, an interruption leaves it open.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import threading
from pathlib import Path

import pytest
from leftovers import open_descriptors

import mplogging
from mplogging import LogSession

ROOT = os.path.dirname(mplogging.__file__)


class Interruption:
    """Raises KeyboardInterrupt at the n-th line of the package, in this thread."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.where: str | None = None

    def __enter__(self) -> Interruption:
        sys.settrace(self._trace)
        return self

    def __exit__(self, *exception: object) -> None:
        sys.settrace(None)

    def _trace(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(ROOT):
            return None
        if event == "line":
            self._left -= 1
            if self._left < 0:
                sys.settrace(None)
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self._trace


def state() -> object:
    """What a session sets up in a process."""
    root = logging.getLogger()
    threads = {thread.name for thread in threading.enumerate()}
    return root.handlers, root.level, threads, dict(os.environ)


# In the long run every line, else one of so many; each is a session of its own.
STRIDE = int(os.environ.get("MPLOGGING_STRIDE", "11"))


@pytest.fixture(autouse=True)
def descriptors(nothing_is_left):
    """Close what an interruption has left open (see above), and count it."""
    before = open_descriptors().items()
    yield
    left = open_descriptors().items() - before
    for number, _ in left:
        os.close(number)
    assert len(left) <= 30


def lines(directory: Path) -> list[str]:
    return [line for path in sorted(directory.glob("app.log.*")) for line in path.open()]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_while_it_is_entered(tmp_path):
    """It has not begun: the root logger, threads, descriptors and directories are as before."""
    with LogSession(tmp_path / "app.log"):  # what is made once in a process is made
        pass
    before = state()
    for number in itertools.count(0, STRIDE):
        session = LogSession(tmp_path / "app.log", handlers=[logging.NullHandler()])
        try:
            with Interruption(number) as interruption:
                session.start()
        except KeyboardInterrupt:
            pass
        else:
            break
        assert state() == before, interruption.where
        assert not list(tmp_path.glob(".mplogging-*")), interruption.where
    assert number > 200
    assert session.stop()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_while_it_is_left(tmp_path):
    """All that was accepted is in the file; it can't be said where the exception came from."""
    with LogSession(tmp_path / "app.log"):
        pass
    before = state()
    expected = []
    for number in itertools.count(0, max(1, STRIDE // 10)):
        session = LogSession(tmp_path / "app.log", format="%(message)s").start()
        logging.info("record %d", number)
        expected.append(f"record {number}\n")
        try:
            with Interruption(number) as interruption:
                session.stop()
        except KeyboardInterrupt:
            # At its first lines it has not begun: then it is open, and can be left again.
            assert session.stop()
        else:
            break
        assert state() == before, interruption.where
        assert not list(tmp_path.glob(".mplogging-*")), interruption.where
        assert lines(tmp_path) == expected, interruption.where
    assert number > 100
    assert lines(tmp_path) == expected


def test_an_exception_keeps_its_context(tmp_path):
    """What a signal handler raises while the session ends hides no exception of the program."""

    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None: ...

        def flush(self) -> None: ...

    session = LogSession(tmp_path / "app.log", handlers=[Raising()])
    with pytest.raises(KeyboardInterrupt) as caught:
        with session:
            try:
                raise ValueError("the program's own")
            finally:
                interruption = Interruption(40)
                sys.settrace(interruption._trace)
    sys.settrace(None)
    assert isinstance(caught.value.__context__, ValueError)
