"""Pools of other packages than `multiprocessing`, and its own where others use them."""

from __future__ import annotations

import re
import signal
import sys

import pytest
from processes import sweep

from integrations.recipes import (
    kill_who_logged,
    laid_out,
    logged,
    numbers,
    ran,
    started,
    stopped,
)

POOLS = [
    ("asyncio", "asyncio_executor.py", ""),
    ("joblib", "joblib_parallel.py", ""),
    ("tqdm", "tqdm_process_map.py", ""),
    ("multiprocess", "multiprocess_pool.py", "fork"),
    ("multiprocess", "multiprocess_pool.py", "spawn"),
    ("pathos", "pathos_pool.py", ""),
    ("billiard", "billiard_pool.py", "fork"),
    ("billiard", "billiard_pool.py", "spawn"),
    ("mpire", "mpire_pool.py", "fork"),
    ("mpire", "mpire_pool.py", "spawn"),
]
IDS = ["-".join(word for word in (package, method) if word) for package, _, method in POOLS]


@pytest.mark.parametrize(("package", "recipe", "method"), POOLS, ids=IDS)
def test_every_line_is_there(tmp_path, package, recipe, method):
    """Once, those of workers and those of the program itself."""
    pytest.importorskip(package)
    ran(recipe, tmp_path, "1000", *method.split())
    text = logged(tmp_path)
    assert numbers(text, r" root: number (\d+)$") == list(range(1000))
    assert sum(numbers(text, r"MainProcess\S+ root: sum (\d+)$")) == sum(range(1000))
    assert len(text.splitlines()) == 1000 + text.count(" root: sum ")


@pytest.mark.parametrize(("package", "recipe", "method"), POOLS, ids=IDS)
def test_a_killed_worker(tmp_path, package, recipe, method):
    """Its lines are there, whole and once, as are those of the others.

    What then becomes of the pool is the package's: many wait for ever.
    """
    pytest.importorskip(package)
    name = laid_out(recipe, tmp_path).name
    with started([sys.executable, name, "20000", *method.split()], tmp_path) as program:
        kill_who_logged(tmp_path, r"number \d+$", 200)
        assert stopped(program, tmp_path, signal.SIGTERM) not in (0, -signal.SIGKILL)
    sweep(tmp_path / "logs")  # its workers were killed when it had ended
    text = logged(tmp_path)
    found = numbers(text, r" root: number (\d+)$")
    assert 200 <= len(found) == len(set(found)) == len(re.findall(" number ", text))
