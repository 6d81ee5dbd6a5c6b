"""Parent, worker, drainer or all of them are killed at random moments: nothing is lost,
doubled, torn, misfiled or out of order.
"""

from __future__ import annotations

import collections
import os
import random
import shutil
from pathlib import Path

import pytest

from .faults import programs, scenarios
from .faults.account import made_up, prepare
from .faults.trial import in_processes, in_runners, leftovers

KILLS = int(os.environ.get("MPLOGGING_KILLS", "2000"))  # of the long run
QUICK_KILLS = 12


def one_kill(directory: Path, number: int) -> str:
    """A session with three workers; returns what is wrong afterwards."""
    where = directory / str(number)
    chance = random.Random(number)
    how = programs.KILLS[number % len(programs.KILLS)]
    prepare(where)
    (where / "run").mkdir()
    problems = in_processes(
        where,
        lambda: programs.session(str(where)),
        "kill",
        lambda pid: programs.kill(how, str(where), pid, chance),
    )
    problems += in_processes(where, lambda: scenarios.next_session(str(where)))
    found = made_up(where)
    problems += found.problems
    problems += [f"left over: {path}" for path in leftovers(where)]
    (directory / f"count-{number}").write_text(f"{how} {sum(found.accepted.values())}")
    if problems:
        return f"kill {number} of {how}: {problems} in {where}"
    shutil.rmtree(where)
    return ""


def many_kills(directory: Path, count: int) -> str:
    failures = in_runners(
        lambda number: one_kill(directory, number), [(number,) for number in range(count)],
        directory,
    )  # fmt: skip
    assert not failures, "\n".join(failures)
    records: collections.Counter[str] = collections.Counter()
    for path in directory.glob("count-*"):
        how, accepted = path.read_text().split()
        records[how] += int(accepted)
    return f"{count} kills, {sum(records.values())} records accepted: {dict(records)}"


def test_kills(tmp_path):
    """Some, from 1 byte to 2 MB."""
    many_kills(tmp_path, QUICK_KILLS)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_kills(tmp_path):
    """MPLOGGING_KILLS of them."""
    print(f"\n{many_kills(tmp_path, KILLS)}; none lost, doubled, torn, misfiled, out of order")
