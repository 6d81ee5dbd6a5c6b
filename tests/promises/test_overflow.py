"""Writers that are faster than the disk, and handlers that get stuck."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import signal
import threading
import time

import fault_jobs
import pytest
from conftest import eventually
from ledgers import FORMAT, LOGS, accepted, all_have, check, find, prepare, until_nothing_moves
from processes import end, start

from mplogging import LogSession, MPLoggingWarning

_DROPPED = re.compile(
    r"process (\d+) \(.*\) dropped (\d+) records between .* and .*: the journal was full"
)


@pytest.fixture
def gate(tmp_path):
    """Shut: the listener of this process writes nothing until the gate is set."""
    fault_jobs.Gated.gate.clear()
    fault_jobs.Gated.shut_by = os.getpid()
    yield fault_jobs.Gated.gate
    fault_jobs.Gated.gate.set()
    fault_jobs.Gated.shut_by = 0
    # Whatever a test that failed has left running.
    (tmp_path / fault_jobs.ENOUGH).touch()
    for process in multiprocessing.active_children():
        process.join(20)


@pytest.fixture
def file(tmp_path, gate):
    """A ready handler, behind the gate."""
    file = fault_jobs.Gated(prepare(tmp_path), bufferBytes=1 << 20)
    file.setFormatter(logging.Formatter(FORMAT))
    yield file
    file.close()


@pytest.mark.parametrize("way", ["return", "kill"])
def test_what_is_dropped_is_counted(context, tmp_path, gate, file, way):
    """Exactly, by process, in the statistics and in the log; a killed process's too."""
    with LogSession(file, overflow="drop") as session:
        processes = start(context, fault_jobs.log, tmp_path, 8000, way, count=4)
        for process in processes:
            process.join()
        gate.set()
        end(processes, tmp_path)
    found = find(tmp_path)
    dropped = session.stats().dropped
    assert dropped and found.records() + dropped == 4 * 8000
    reports = [match for line in found.warnings if (match := _DROPPED.search(line))]
    assert sum(int(report[2]) for report in reports) == dropped
    writers = {name.split("-")[0] for name in accepted(tmp_path)}
    assert {report[1] for report in reports} <= writers
    for name, entries in found.entries.items():
        numbers = [entry.number for entry in entries]
        assert numbers == sorted(set(numbers)), name


def test_what_is_never_dropped(context, tmp_path, gate, file):
    """From the level `dropBelow` on, records wait for room; threads count right too."""
    options = {"overflow": "drop", "dropBelow": "ERROR"}
    with LogSession(file, **options) as session:
        processes = start(context, fault_jobs.log_levels, tmp_path, 6000, 500, count=2)
        processes += start(context, fault_jobs.log_in_threads, tmp_path, 4, 6000)
        until_nothing_moves(tmp_path, 6)
        gate.set()
        end(processes, tmp_path)
    found = find(tmp_path)
    dropped = session.stats().dropped
    assert dropped and found.records() + dropped == 6 * 6000
    errors = [
        entry.number
        for entries in found.entries.values()
        for entry in entries
        if entry.level == "ERROR"
    ]
    assert sorted(errors) == sorted(2 * list(range(0, 6000, 500)))


def test_blocked_writers_wake_when_there_is_room(context, tmp_path, gate, file):
    """And nothing is lost."""
    with LogSession(file) as session:
        processes = start(context, fault_jobs.log, tmp_path, 10_000, count=3)
        until_nothing_moves(tmp_path, 3)
        assert sum(accepted(tmp_path).values()) < 30_000
        gate.set()
        end(processes, tmp_path)
    assert check(tmp_path).records() == session.stats().records == 30_000


def test_control_c_interrupts_a_blocked_writer(context, tmp_path, gate, file):
    """The call raises KeyboardInterrupt; the next ones are as before."""
    with LogSession(file):
        processes = start(context, fault_jobs.log_until_interrupted, tmp_path)
        until_nothing_moves(tmp_path, 1)
        os.kill(processes[0].pid, signal.SIGINT)
        eventually((tmp_path / "interrupted").exists, 20)
        gate.set()
        eventually(lambda: all_have(tmp_path, 2, 100), 20)
        end(processes, tmp_path)
    check(tmp_path)


@pytest.mark.filterwarnings("ignore::mplogging.MPLoggingWarning")
def test_blocked_writers_wake_when_the_session_stops(context, tmp_path, gate, file):
    """By its deadline, even if the listener is stuck: they read the journal themselves."""
    session = LogSession(file).start()
    processes = start(context, fault_jobs.log_on, tmp_path, count=3)
    until_nothing_moves(tmp_path, 3)
    listener = listening_thread()
    began = time.monotonic()
    assert not session.stop(timeout=0.5)
    assert time.monotonic() - began < 10
    (left,) = session.stats().unfinished
    assert left.startswith(repr(file))
    before = accepted(tmp_path)
    eventually(lambda: all(accepted(tmp_path)[name] > before[name] + 200 for name in before), 20)
    gate.set()
    listener.join()
    end(processes, tmp_path)
    found = find(tmp_path)
    assert not found.others
    for name, count in accepted(tmp_path).items():
        assert sorted(entry.number for entry in found.entries[name]) == list(range(count))


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_record_cut_short_by_a_kill(context, tmp_path, is_loaded):
    """Its call had not returned: it was never accepted, is counted, and harms no other."""
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        others = start(context, fault_jobs.log_on, tmp_path, count=2 if is_loaded else 0)
        victims = start(context, fault_jobs.log_half, tmp_path, count=3)
        for victim in victims:
            victim.join()
        if is_loaded:
            eventually(lambda: session.stats().incomplete == 3, 20)
        end([*others, *victims], tmp_path)
    assert session.stats().incomplete == 3
    assert not check(tmp_path).warnings


def test_what_is_left_at_the_deadline_is_counted(context, tmp_path, gate, file):
    """To the record, and is there with the next session."""
    session = LogSession(file).start()
    processes = start(context, fault_jobs.log, tmp_path, 200, count=2)
    for process in processes:
        process.join()
    listener = listening_thread()
    with pytest.warns(MPLoggingWarning, match="still had 400"):
        assert not session.stop(timeout=0.5)
    assert session.stats().unfinished == {repr(file): 400}
    assert find(tmp_path).records() == 0
    gate.set()
    listener.join()
    end(processes, tmp_path)
    assert find(tmp_path).records() == 0  # it is no longer the listener's to write
    with LogSession(file) as session:
        assert session.stats().recovered == 400
    assert check(tmp_path).records() == 400


def listening_thread() -> threading.Thread:
    return next(
        thread for thread in threading.enumerate() if thread.name == "mplogging-listener"
    )


class Stuck(logging.Handler):
    """Does not come back from its third record until it is let go."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self.event = event
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())
        if len(self.seen) == 3:
            self.event.wait()


@pytest.mark.parametrize("policy", ["drop", "block"])
def test_a_stuck_handler_holds_up_neither_the_file_nor_the_end(tmp_path, policy):
    """`stop` returns by its deadline and says, in every way, what was left."""
    event = threading.Event()
    stuck, fine = Stuck(event), Counting()
    session = LogSession(
        prepare(tmp_path), format=FORMAT, handlers=[stuck, fine],
        handlerCapacity=50, handlerOverflow=policy,
    ).start()  # fmt: skip
    try:
        fault_jobs.log(str(tmp_path), 3)
        eventually(lambda: len(stuck.seen) == 3, 20)  # it is stuck before its queue fills
        fault_jobs.log(str(tmp_path), 37 if policy == "block" else 497)
        began = time.monotonic()
        with pytest.warns(MPLoggingWarning, match=r"<Stuck .*> still had \d+"):
            assert session.stop(timeout=1) is False
        assert time.monotonic() - began < 10
    finally:
        event.set()
    found = check(tmp_path)
    left = session.stats().unfinished[repr(stuck)]
    assert list(session.stats().unfinished) == [repr(stuck)]
    assert left == (38 if policy == "block" else 51)
    assert any(f"{stuck!r} did not finish in time: {left}" in line for line in found.warnings)
    if policy == "drop":
        assert session.stats().dropped == (500 - 2 - 51) + (500 - fine.seen)
        report = f"447 records were dropped because {stuck!r}"
        assert any(report in line for line in found.warnings)
    else:
        assert fine.seen == found.records()


class Counting(logging.Handler):
    seen = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.seen += record.name == "jobs"


def test_a_patient_handler_gives_up_at_the_end(tmp_path):
    """It held up everything else, as it was told to; the file still gets all by the deadline."""
    event = threading.Event()
    stuck = Stuck(event)
    session = LogSession(
        prepare(tmp_path), format=FORMAT, handlers=[stuck],
        handlerCapacity=5, handlerOverflow="block",
    ).start()  # fmt: skip
    try:
        fault_jobs.log(str(tmp_path), 500)
        with pytest.warns(MPLoggingWarning, match=r"<Stuck .*> still had 6"):
            assert session.stop(timeout=1) is False
    finally:
        event.set()
    assert check(tmp_path).records() == 500
    assert (tmp_path / LOGS).is_dir()
