"""Locks tell who lives: each is its process's own, and goes with that, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import pytest

from mplogging._wire.place import Place


class Process:
    """A forked child that does with a place what it is told to, until it is killed."""

    def __init__(self, place: Place, is_entered: bool) -> None:
        (there, self._ask), (self._answer, back) = os.pipe(), os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            with contextlib.suppress(BaseException):
                mine = Place.open(place.path) if is_entered else place
                while (request := os.read(there, 100).decode()) != "end":
                    method, *numbers = request.split()
                    found = getattr(mine, method)(*map(int, numbers))
                    os.write(back, b"T" if found else b"F")
            os._exit(0)
        os.close(there), os.close(back)

    def __call__(self, request: str) -> bool:
        """The answer to a method's name and arguments."""
        os.write(self._ask, request.encode())
        answer = os.read(self._answer, 1)
        assert answer, f"it died of {request!r}"
        return answer == b"T"

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        self._wait()

    def end(self) -> None:
        if self._pid:
            os.write(self._ask, b"end")
            self._wait()

    def _wait(self) -> None:
        os.waitpid(self._pid, 0)
        os.close(self._ask), os.close(self._answer)
        self._pid = 0


@pytest.fixture
def start(place):
    """Starts processes: such as enter the place themselves, or have it from their parent."""
    processes: list[Process] = []

    def _start(is_entered: bool) -> Process:
        processes.append(Process(place, is_entered))
        return processes[-1]

    yield _start
    for process in processes:
        process.end()


@pytest.fixture(params=[True, False], ids=["entered", "forked"])
def other(start, request):
    """Another process."""
    return start(request.param)


def test_one_reads(place, other):
    """Its maker has the lock; another gets it once that gives it up, and not before."""
    assert not other("try_reader_lock")
    place.release_reader_lock()
    assert other("try_reader_lock")
    assert not place.try_reader_lock()
    other("release_reader_lock")
    assert place.try_reader_lock()


def test_a_lock_that_one_has_already(place):
    """To take it again does no harm."""
    assert place.try_reader_lock() and place.try_reader_lock()


def test_a_reader_that_is_killed(place, other, start):
    """The kernel gives its lock to the next; a child that it forked has nothing of it."""
    place.release_reader_lock()
    assert other("try_reader_lock")
    third = start(True)
    assert not third("try_reader_lock")
    other.kill()
    assert third("try_reader_lock")


def test_attached(place, start):
    """As long as one of them lives, and has not let go."""
    assert not place.is_held()
    first, second = start(True), start(False)
    first("hold")
    second("hold")
    assert place.is_held() and place.is_held()
    first("let_go")
    assert place.is_held() and not second("is_held")
    second("hold")
    second.kill()
    assert not place.is_held()


def test_segments(place, start):
    """Each has writers of its own."""
    first, second = start(True), start(False)
    first("hold_segment 1")
    second("hold_segment 1")
    second("hold_segment 2")
    held = [number for number in range(4) if place.is_segment_held(number)]
    assert held == [1, 2]
    second("let_go_segment 1")
    assert place.is_segment_held(1)
    first("let_go_segment 1")
    assert not place.is_segment_held(1)
    second.kill()
    assert not place.is_segment_held(2)


def test_the_kinds_do_not_meet(place, other):
    """Reading, being attached and writing are locks apart."""
    other("hold")
    other("hold_segment 7")
    assert place.try_reader_lock()
    assert not place.is_segment_held(0) and not place.is_segment_held(8)
    other("let_go")
    assert not place.is_held() and place.is_segment_held(7)


def test_one_does_not_see_oneself(place):
    """And has let go once it has looked."""
    place.hold()
    assert not place.is_held()


@pytest.mark.parametrize("is_entered", [True, False])
def test_a_child_that_closes(place, start, is_entered):
    """It closes its own copies: its parent's locks stay, also when it ends."""
    place.hold_segment(1)
    child, third = start(is_entered), start(True)
    child("close")
    child.end()
    assert not third("try_reader_lock") and third("is_segment_held 1")


def test_a_readers_child(place, start):
    """What it has of its parent's descriptors does not keep the parent's lock alive."""
    place.release_reader_lock()
    lives, alive = os.pipe()
    parent = os.fork()
    if parent == 0:
        mine = Place.open(place.path)
        assert mine.try_reader_lock()
        if os.fork() == 0:  # as a C library does, of which Python knows nothing
            os.close(alive)
            os.read(lives, 1)
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    assert place.try_reader_lock()
    os.close(alive), os.close(lives)


def test_whoever_looks_does_not_keep_others_out(place, start):
    """To look whether it is held takes it for a moment: whoever wants it waits for that."""
    looking, other = start(True), start(True)
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            looking("is_held")

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(300):
        other("hold")
        assert place.is_held()
    is_over.set()
    thread.join()


def test_closing_gives_all_up(place, other):
    """As the end of the process does."""
    place.hold_segment(1)
    place.close()
    assert other("try_reader_lock") and not other("is_segment_held 1")
    place.reopen()
