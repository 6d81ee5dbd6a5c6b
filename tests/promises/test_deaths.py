"""Whatever happens to a worker, what it had accepted is in the file."""

from __future__ import annotations

import concurrent.futures
import os
import random
import signal
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import fault_jobs
import pytest
from conftest import eventually
from ledgers import FORMAT, accepted, all_have, check, prepare
from processes import end, start

from mplogging import LogSession

DEATHS = int(os.environ.get("MPLOGGING_DEATHS", "1000"))  # of the long run
WAYS = ["kill", "terminate", "segfault", "_exit", "raise", "sys.exit", "return"]
# Short records, those of about a page, larger ones.
SIZES = (1, 30, 4020, 4060, 9000, 70_000)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


def test_a_worker_may_end_in_any_way(context, tmp_path):
    """Each way of dying right after the last record, while others log at full speed."""
    with LogSession(prepare(tmp_path), format=FORMAT, captureExceptions=False):
        others = start(context, fault_jobs.log_on, tmp_path, SIZES, count=2)
        dying = [
            process
            for way in WAYS
            for process in start(context, fault_jobs.log, tmp_path, 200, way, SIZES)
        ]
        for process in dying:
            process.join()
        end([*others, *dying], tmp_path)
    found = check(tmp_path)
    # The others may have come to fewer records, or to more.
    assert list(map(len, found.entries.values())).count(200) >= len(WAYS)


@pytest.mark.parametrize("workers", [4, 8])
def test_workers_killed_at_any_moment(context, tmp_path, workers):
    """SIGKILL from outside, in the midst of large and small records."""
    kill_at_random(context, tmp_path, workers, seed=workers)
    check(tmp_path)


def kill_at_random(context, directory: Path, workers: int, seed: int) -> None:
    chance = random.Random(seed)
    with LogSession(prepare(directory), format=FORMAT) as session:
        processes = start(context, fault_jobs.log_on, directory, SIZES, count=workers)
        for process in processes:
            goal = sum(accepted(directory).values()) + chance.randrange(200)
            eventually(lambda goal=goal: sum(accepted(directory).values()) > goal, 30)
            os.kill(process.pid, signal.SIGKILL)
        end(processes, directory)
    assert session.stats().incomplete <= workers
    assert session.stats().corrupt == 0
    check(directory)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_deaths(context, tmp_path):
    """MPLOGGING_DEATHS deaths of workers under load, 8 at a time: not a record is lost."""
    for round_ in range(-(-DEATHS // 8)):
        directory = tmp_path / str(round_)
        directory.mkdir()
        kill_at_random(context, directory, 8, round_)


def test_a_pool_that_is_terminated(context, tmp_path):
    """`with Pool(...)` kills its workers as it is left."""
    with LogSession(prepare(tmp_path), format=FORMAT):
        with context.Pool(4) as pool:
            pool.map_async(fault_jobs.log_on, [str(tmp_path)] * 4, chunksize=1)
            eventually(lambda: all_have(tmp_path, 4, 500), 30)
        pool.join()
    check(tmp_path)


def test_a_broken_pool(context, tmp_path):
    """An executor one of whose workers dies takes the others along."""
    with LogSession(prepare(tmp_path), format=FORMAT):
        with concurrent.futures.ProcessPoolExecutor(4, mp_context=context) as pool:
            jobs = [pool.submit(fault_jobs.log_on, str(tmp_path)) for _ in range(4)]
            eventually(lambda: all_have(tmp_path, 4, 500), 30)
            # CPython only watches a process that it started last once it is asked again.
            jobs.append(pool.submit(os.getpid))
            os.kill(int(next(iter(accepted(tmp_path))).split("-")[0]), signal.SIGKILL)
            for job in jobs:
                assert isinstance(job.exception(), BrokenProcessPool)
    check(tmp_path)


def test_workers_that_are_replaced(context, tmp_path):
    """maxtasksperchild: a new process every few tasks."""
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        with context.Pool(4, maxtasksperchild=2) as pool:
            done = pool.starmap(fault_jobs.log, [(str(tmp_path), 50)] * 24, chunksize=1)
            pool.close()
            pool.join()
    assert sum(done) == check(tmp_path).records() == 24 * 50
    assert session.stats().workers >= 12
