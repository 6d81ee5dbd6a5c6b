"""Dropped records are counted exactly, by any number of threads, and the count outlives them."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from mplogging._wire.drops import DropCount, Dropped, read_drops
from mplogging._wire.place import Place


@pytest.fixture
def short_turns():
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def counted_in(place: Place) -> list[tuple[int, Dropped]]:
    return list(read_drops(place))


@pytest.mark.parametrize("name", ["Worker-1", "", "Ünïcode", "lone \ud800"])
def test_dump_and_load(name):
    """Figures come back as they were, and the name as far as it is text."""
    dropped = Dropped(3, 1.5, 2.5, True, name)
    expected = dropped._replace(process_name=name.replace("\ud800", "?"))
    assert Dropped.load(dropped.dump()) == expected


def test_a_long_name_is_cut():
    """Whatever a process is called, its report is short."""
    assert len(Dropped(1 << 63, 1.0, 2.0, False, "ü" * 5000).dump()) < 450


def test_in_memory_and_in_the_place(place):
    """The file holds the whole count at any time."""
    drops = DropCount(place)
    assert counted_in(place) == []
    for number in range(1, 4):
        drops.add(number / 2, False, "Worker-1" if number == 1 else "W")
        expected = Dropped(number, 0.5, number / 2, False, "Worker-1")
        assert counted_in(place) == [(os.getpid(), expected)]
    drops.close()
    assert counted_in(place)[0][1].records == 3


def test_take():
    """What has been reported is not reported again; what comes later is."""
    drops = DropCount(None)
    assert list(drops.take()) == []
    drops.add(1.0, False, "W")
    drops.add(2.0, False, "W")
    assert list(drops.take()) == [Dropped(2, 1.0, 2.0, False, "W")]
    assert list(drops.take()) == []
    drops.add(3.0, False, "W")
    assert list(drops.take()) == [Dropped(1, 3.0, 3.0, False, "W")]


def test_a_report_that_fails():
    """It stays to be made, together with what is dropped meanwhile."""
    drops = DropCount(None)
    drops.add(1.0, False, "W")
    with pytest.raises(BlockingIOError):
        for _ in drops.take():
            drops.add(2.0, False, "W")
            raise BlockingIOError
    assert list(drops.take()) == [Dropped(2, 1.0, 2.0, False, "W")]


def test_dropped_while_a_report_is_made():
    """What is dropped during a report belongs to the next."""
    drops = DropCount(None)
    drops.add(1.0, False, "W")
    for report in drops.take():
        assert report.records == 1
        assert list(drops.take()) == []  # another thread: the report is being made
        drops.add(2.0, False, "W")
    assert list(drops.take()) == [Dropped(1, 2.0, 2.0, False, "W")]


def test_many_threads(place, short_turns):
    """None is lost, and none is reported twice."""
    drops, reports = DropCount(place), []

    def drop(number: int) -> None:
        for turn in range(500):
            drops.add(1.0, False, "W")
            if turn % 7 == number:
                reports.extend(drops.take())

    threads = [threading.Thread(target=drop, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reports.extend(drops.take())
    assert sum(report.records for report in reports) == 2000
    assert [dropped.records for _, dropped in counted_in(place)] == [2000]
    drops.close()


class Interrupted(str):
    """A name in whose midst, as it were, a signal handler runs."""

    def encode(self, *args):
        self.handler()
        return super().encode(*args)


def test_from_a_signal_handler(place):
    """One that drops a record in the midst of another drop waits for nobody."""
    drops, name, due = DropCount(place), Interrupted("W"), []
    name.handler = lambda: due and drops.add(due.pop(), False, "W")
    for _ in range(100):
        due.append(2.0)
        drops.add(1.0, False, name)
    drops.close()
    assert due == [] and counted_in(place)[0][1].records == 200


def test_place_cleared_away(place):
    """Without the directory the count is kept in memory."""
    drops = DropCount(place)
    place.remove()
    drops.add(1.0, False, "W")
    drops.add(2.0, False, "W")
    assert list(drops.take()) == [Dropped(2, 1.0, 2.0, False, "W")]
    assert counted_in(place) == []
    drops.close()


def test_foreign_files_are_skipped(place):
    """A file that is no count is none, and keeps no other from being read."""
    for name, data in (
        ("dropped-x-1", Dropped(1, 1.0, 1.0, False, "").dump()), ("dropped-", b""),
        ("dropped-7-1", b"short"), ("dropped-8-1", Dropped(8, 1.0, 1.0, False, "W").dump()),
    ):  # fmt: skip
        with open(os.path.join(place.path, name), "wb") as file:
            file.write(data)
    os.symlink("dropped-8-1", os.path.join(place.path, "dropped-9-1"))
    assert counted_in(place) == [(8, Dropped(8, 1.0, 1.0, False, "W"))]


def test_why():
    """Once one was dropped because the log took no lines, the whole count says so."""
    drops = DropCount(None)
    drops.add(1.0, False, "W")
    drops.add(2.0, True, "W")
    drops.add(3.0, False, "W")
    assert list(drops.take()) == [Dropped(3, 1.0, 3.0, True, "W")]
    drops.add(4.0, False, "W")
    assert list(drops.take()) == [Dropped(1, 4.0, 4.0, False, "W")]


def test_its_number_is_another_files_by_now(place, tmp_path):
    """A daemon has closed it: the program's own file is left alone, and the count goes on."""
    drops = DropCount(place)
    drops.add(1.0, False, "W")
    with open(tmp_path / "theirs", "w+b") as theirs:
        first = drops._descriptor
        os.dup2(theirs.fileno(), first)
        drops.add(2.0, False, "W")
        assert counted_in(place) == [(os.getpid(), Dropped(2, 1.0, 2.0, False, "W"))]
        second = drops._descriptor
        os.dup2(theirs.fileno(), second)
        drops.close()
        assert os.fstat(first).st_size == os.fstat(second).st_size == 0
        os.close(first), os.close(second)
