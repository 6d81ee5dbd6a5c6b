"""Many processes, many threads, many sessions, many records: exact counts, in order."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import fault_jobs
import pytest
from conftest import needs_proc
from ledgers import FORMAT, check, prepare
from leftovers import open_descriptors
from processes import end, start

from mplogging import LogSession
from mplogging._delivery.reading import _READ_BYTES
from mplogging._wire.frames import HEADER_BYTES

WORKERS = int(os.environ.get("MPLOGGING_WORKERS", "64"))
RECORDS = int(os.environ.get("MPLOGGING_RECORDS", "10000"))  # of each worker
SESSIONS = int(os.environ.get("MPLOGGING_SESSIONS", "100"))
SOAK = int(os.environ.get("MPLOGGING_SOAK", "10000000"))  # records in all
SOAK_MIB = 20  # what the parent's memory may grow by

# The filling with which a record takes a whole page, or all that is read at once, or nearly.
_PAGE, _READ = 4096 - HEADER_BYTES - 60, _READ_BYTES - HEADER_BYTES - 60
SIZES = (1, 0, *range(_PAGE, _PAGE + 60, 7), 64 << 10, 20, 300, _READ, _READ + 40, 3 * _READ)


def test_many_workers(context, tmp_path):
    many_workers(context, tmp_path, 16, 500)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_very_many_workers(context, tmp_path):
    """MPLOGGING_WORKERS workers of MPLOGGING_RECORDS records each."""
    many_workers(context, tmp_path, WORKERS, RECORDS)


def many_workers(context, directory: Path, workers: int, records: int) -> None:
    began = time.monotonic()
    with LogSession(prepare(directory), format=FORMAT) as session:
        end(start(context, fault_jobs.log, directory, records, count=workers), directory)
    print(f"{workers} workers, {records} records each: {time.monotonic() - began:.1f} s")
    assert check(directory).records() == session.stats().records == workers * records
    assert session.stats().workers == workers


def test_threads_of_workers(context, tmp_path):
    """Eight workers with sixteen threads each."""
    with LogSession(prepare(tmp_path), format=FORMAT):
        end(start(context, fault_jobs.log_in_threads, tmp_path, 16, 60, count=8), tmp_path)
    assert check(tmp_path).records() == 8 * 16 * 60


def test_records_of_every_size(context, tmp_path):
    """Around what is read at once and far beyond, from all workers at once."""
    sizes = (*SIZES, 4 << 20)
    with LogSession(prepare(tmp_path), format=FORMAT):
        log, twice = fault_jobs.log, 2 * len(sizes)
        processes = start(context, log, tmp_path, twice, "return", sizes, count=3)
        processes += start(context, fault_jobs.log, tmp_path, 600, "return", SIZES)
        end(processes, tmp_path)
    assert check(tmp_path).records() == 3 * 2 * len(sizes) + 600


def test_lines_of_each_length_around_a_read(context, tmp_path):
    """One byte less than is read at once, just that, one more, and so on."""
    sizes = tuple(range(_READ - 20, _READ + 60))
    with LogSession(prepare(tmp_path), format=FORMAT):
        end(start(context, fault_jobs.log, tmp_path, 80, "return", sizes), tmp_path)
    assert check(tmp_path).records() == 80


def test_sessions_one_after_another(tmp_path):
    sessions_one_after_another(tmp_path, 10)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_very_many_sessions_one_after_another(tmp_path):
    """MPLOGGING_SESSIONS of them: none leaves a descriptor or a thread behind."""
    sessions_one_after_another(tmp_path, SESSIONS)


def sessions_one_after_another(directory: Path, sessions: int) -> None:
    path = prepare(directory)
    before = len(open_descriptors()), threading.active_count()
    for _ in range(sessions):
        with LogSession(path, format=FORMAT) as session:
            fault_jobs.log(str(directory), 10)
            fork = multiprocessing.get_context("fork")
            for process in start(fork, fault_jobs.log, directory, 50):
                process.join()
                process.close()
        assert session.stats().records == 60
        gc.collect()
        assert (len(open_descriptors()), threading.active_count()) == before
    assert check(directory).records() == sessions * 60


@needs_proc
def test_memory_stays_flat(tmp_path):
    flat_memory(tmp_path, 200_000)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_memory_stays_flat_for_long(tmp_path):
    """MPLOGGING_SOAK records through one session with a new file each second."""
    flat_memory(tmp_path, SOAK)


def flat_memory(directory: Path, records: int, workers: int = 4) -> None:
    prepare(directory)
    command = [sys.executable, fault_jobs.__file__, "soak", str(directory)]
    root = str(Path(fault_jobs.mplogging.__file__).parent.parent)
    process = subprocess.Popen(
        [*command, json.dumps({"workers": workers, "records": records})],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": root},
    )
    began, samples = time.monotonic(), []
    assert process.stdout is not None
    try:
        while not (directory / "written").exists():
            assert process.poll() is None
            time.sleep(0.05)
            samples.append(resources(process.pid))
        took = time.monotonic() - began
    finally:
        (directory / fault_jobs.ENOUGH).touch()
    stats = json.loads(process.communicate()[0])
    assert process.returncode == 0
    assert stats["records"] == records and stats["lost"] == stats["failed"] == 0
    assert len(list((directory / "logs").glob("app.log.*"))) <= 3
    settled = samples[len(samples) // 3 :]  # the beginning is not flat: a program is starting
    first, peak = settled[0], [max(column) for column in zip(*settled)]
    print(
        f"\n{records} records in {took:.0f} s: resident {first[0] >> 10} to {peak[0] >> 10} KiB,"
        f" descriptors {first[1]} to {peak[1]}, threads {first[2]} to {peak[2]}"
    )
    assert peak[0] - first[0] < SOAK_MIB << 20
    # The old file and the new one, a directory read, and two segments more.
    assert peak[1] <= first[1] + 6
    assert peak[2] <= first[2]


def resources(pid: int) -> tuple[int, int, int]:
    """Resident bytes, open descriptors, threads."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (
        pages * os.sysconf("SC_PAGESIZE"),
        len(os.listdir(f"/proc/{pid}/fd")),
        len(os.listdir(f"/proc/{pid}/task")),
    )
