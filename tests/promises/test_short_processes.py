"""Many processes that live for one record: none leaves anything behind."""

from __future__ import annotations

import gc
import os

import fault_jobs
import pytest
from conftest import eventually, needs_proc
from ledgers import LOGS, find, prepare
from leftovers import open_descriptors

from mplogging import LogSession

PROCESSES = int(os.environ.get("MPLOGGING_PROCESSES", "10000"))  # of the long run
MIB = 10  # what the parent's memory may grow by


@needs_proc
def test_short_processes(tmp_path):
    short_processes(tmp_path, 100)


@needs_proc
@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_very_many_short_processes(tmp_path):
    """MPLOGGING_PROCESSES of them."""
    short_processes(tmp_path, PROCESSES)


def short_processes(directory, processes: int) -> None:
    with LogSession(prepare(directory), format="%(message)s") as session:
        fork_one(directory)
        assert session.flush()
        gc.collect()
        eventually(lambda: processes_in(session.address) == 1)
        before, files = open_descriptors(), files_in(session.address)
        resident = resident_bytes()
        for _ in range(processes):
            fork_one(directory)
        assert session.flush()
        gc.collect()
        assert open_descriptors() == before
        eventually(lambda: files_in(session.address) == files)
        assert resident_bytes() - resident < MIB << 20
        assert session.stats().workers == processes + 1
    assert find(directory).others == ["one record"] * (processes + 1)
    assert os.listdir(directory / LOGS) == [os.path.basename(session.activeFilename)]


def files_in(place: str) -> list[str]:
    """But for the session's figures, which are there after its first second."""
    return sorted(name for name in os.listdir(place) if name != "figures")


def processes_in(place: str) -> int:
    return sum(name.startswith("process-") for name in os.listdir(place))


def fork_one(directory) -> None:
    child = fault_jobs.in_child(fault_jobs.log_once, str(directory))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
