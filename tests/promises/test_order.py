"""What was logged before something that caused another record stands before it."""

from __future__ import annotations

import logging
import os

import fault_jobs
import pytest
from conftest import texts

from mplogging import LogSession

ROUNDS = int(os.environ.get("MPLOGGING_ROUNDS", "100000"))  # of the long run
SEGMENT_BYTES = 4096


@pytest.fixture(autouse=True)
def small_segments(monkeypatch):
    """So that the journal goes on to another segment all the time, here as in the workers."""
    monkeypatch.setattr("mplogging._wire.turnover.SEGMENT_BYTES", SEGMENT_BYTES)
    monkeypatch.setattr("mplogging._wire.turnover._MOST_SIZES", 1)
    monkeypatch.setattr("mplogging._wire.turnover._GRACE_SECONDS", 0.05)


@pytest.mark.parametrize("workers", [1, 3])
def test_across_processes(context, tmp_path, workers):
    """A process logs, tells the next, which logs, and so round to the parent."""
    across_processes(context, tmp_path, workers, 5000)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("workers", [1, 3])
def test_across_processes_for_long(context, tmp_path, workers):
    """MPLOGGING_ROUNDS times."""
    across_processes(context, tmp_path, workers, ROUNDS)


def across_processes(context, directory, workers: int, rounds: int) -> None:
    with LogSession(directory / "app.log", format="%(message)s") as session:
        log = logging.getLogger("jobs")
        pipes = [context.Pipe(duplex=False) for _ in range(workers + 1)]
        processes = [
            context.Process(
                target=fault_jobs.log_and_answer,
                args=(str(directory), SEGMENT_BYTES, pipes[number][0], pipes[number + 1][1]),
            )
            for number in range(workers)
        ]
        for process in processes:
            process.start()
        number = 0
        for _ in range(rounds // (workers + 1)):
            log.info("%d", number)
            pipes[0][1].send(number + 1)
            number = pipes[-1][0].recv()
        pipes[0][1].send(None)
        for process in processes:
            process.join()
            process.close()
        for end in (end for pipe in pipes for end in pipe):
            end.close()
        assert session.flush()
        segments = session.stats().records
    (text,) = texts(directory).values()
    assert list(map(int, text.split())) == list(range(number))
    assert segments == number
