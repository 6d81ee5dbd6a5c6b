"""Dask distributed and Ray, whose workers may be on other machines than the program."""

from __future__ import annotations

import re
import sys

import pytest

from integrations.recipes import (
    PATIENCE_SECONDS,
    kill_who_logged,
    laid_out,
    logged,
    numbers,
    output,
    ran,
    started,
)

CLUSTERS = [("distributed", "dask_cluster.py"), ("ray", "ray_tasks.py")]
# A worker is killed, and the nanny has started another, which gets work as the others do.
RESTART = """
import os
from dask_cluster import *

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1) as cluster, Client(cluster) as client:
        client.register_plugin(DatedLog())
        pids = client.run(os.getpid)
        address = min(pids)
        client.gather(client.map(work, range(100), workers=[address], allow_other_workers=False))
        os.kill(pids[address], 9)
        while len(now := client.run(os.getpid, on_error="ignore")) < 2 or (
            pids[address] in now.values()
        ):
            pass
        new = next(one for one in now if now[one] not in pids.values())
        client.gather(client.map(work, range(100, 200), workers=[new], allow_other_workers=False))
        print(now[new])
"""


@pytest.fixture(autouse=True)
def no_home(tmp_path, monkeypatch):
    """Ray keeps a token there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")


@pytest.mark.parametrize(("package", "recipe"), CLUSTERS, ids=["dask", "ray"])
def test_every_line_is_there(tmp_path, package, recipe):
    """Once, of several processes."""
    pytest.importorskip(package)
    assert ran(recipe, tmp_path, "1000").splitlines()[-1] == str(sum(range(1000)))
    text = logged(tmp_path)
    assert numbers(text, r"shop: number (\d+)$") == list(range(1000))
    assert len(set(re.findall(r"\[(\d+)\] shop:", text))) > 1


@pytest.mark.parametrize(("package", "recipe"), CLUSTERS, ids=["dask", "ray"])
def test_a_killed_worker(tmp_path, package, recipe):
    """Its lines are there; what it was at is done again by another, whose lines are too."""
    pytest.importorskip(package)
    name = laid_out(recipe, tmp_path).name
    with started([sys.executable, name, "2000"], tmp_path) as program:
        kill_who_logged(tmp_path, r"number \d+$", 200)
        assert program.wait(PATIENCE_SECONDS) == 0, output(tmp_path)
    text = logged(tmp_path)
    lines = re.findall(r"(\[\d+\]) shop: number (\d+)$", text, re.MULTILINE)
    assert {int(number) for _, number in lines} == set(range(2000))
    assert len(lines) == len(set(lines)) == text.count("number")  # no process has one twice


def test_a_nannys_new_worker(tmp_path):
    """It gets the plugin as the one before it had, and logs to the same file."""
    pytest.importorskip("distributed")
    laid_out("dask_cluster.py", tmp_path)
    (tmp_path / "restart.py").write_text(RESTART)
    with started([sys.executable, "restart.py"], tmp_path) as program:
        assert program.wait(PATIENCE_SECONDS) == 0, output(tmp_path)
    text = logged(tmp_path)
    assert numbers(text, r"shop: number (\d+)$") == list(range(200))
    pid = output(tmp_path).split()[-1]
    assert numbers(text, rf"\[{pid}\] shop: number (\d+)$") == list(range(100, 200))
