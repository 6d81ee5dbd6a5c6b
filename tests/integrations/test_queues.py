"""Schedulers and task queues: APScheduler, rq and huey."""

from __future__ import annotations

import re
import signal
import sys

import pytest

from integrations.recipes import (
    laid_out,
    log_has,
    logged,
    numbers,
    output,
    ran,
    started,
    stopped,
)

TASKS = """
import os
from {module} import *

{decorator}
def die():
    logging.getLogger("shop").info("about to die")
    os.kill(os.getpid(), 9)
"""
# What is given to rq's and huey's workers: one task in the midst kills the process it is in.
SEND = {
    "rq": "from tasks import *\nfor number in range(100):\n    queue.enqueue(work, number)\n"
    "    if number == 50: queue.enqueue(die)\n",
    "huey": "from tasks import *\nfor number in range(100):\n    work(number)\n"
    "    if number == 50: die()\n",
}

OWN = {"rq": r"Successfully completed rq_worker\.work", "huey": r"huey_app\.work: \S+ executed in"}


def test_apscheduler(tmp_path):
    """Every line is there once: of jobs, and of APScheduler itself."""
    pytest.importorskip("apscheduler")
    ran("apscheduler_jobs.py", tmp_path)
    text = logged(tmp_path)
    assert numbers(text, r"Process-\d+\[\d+\] root: number (\d+)$") == list(range(100))
    for word in ("Added job", "Running job", "Removed job"):
        assert len(re.findall(rf"apscheduler\S+: {word}", text)) == 100


@pytest.mark.parametrize(
    ("package", "recipe", "decorator"),
    [("rq", "rq_worker.py", ""), ("huey", "huey_app.py", "@huey.task()")],
    ids=["rq", "huey"],
)
def test_a_task_queue(tmp_path, redis_url, package, recipe, decorator):
    """Every line is there once, of tasks and of the package; also with a killed process."""
    pytest.importorskip(package)
    path = laid_out(recipe, tmp_path)
    (tmp_path / "tasks.py").write_text(TASKS.format(module=path.stem, decorator=decorator))
    program = f"import runpy, tasks; runpy.run_path({path.name!r}, run_name='__main__')"
    more = {"REDIS_URL": redis_url}
    with started([sys.executable, "-c", program], tmp_path, **more) as workers:
        with started([sys.executable, "-c", SEND[package]], tmp_path, **more) as sender:
            assert sender.wait(60) == 0, output(tmp_path)
        log_has(tmp_path, "shop: number", 100)
        log_has(tmp_path, "about to die")
        stopped(workers, tmp_path, signal.SIGINT)
    text = logged(tmp_path)
    assert numbers(text, r"shop: number (\d+)$") == list(range(100))
    assert text.count("shop: about to die\n") == 1
    assert len(re.findall(OWN[package], text)) == 100
