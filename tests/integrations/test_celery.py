"""Celery: main process and pool, forked and spawned, in one dated log."""

from __future__ import annotations

import re
import signal
import sys

import pytest

from integrations.recipes import laid_out, log_has, logged, numbers, output, started, stopped

pytest.importorskip("celery")
pytest.importorskip("redis")
# What a test wants of the recipe's tasks besides: to be killed, and to hang.
TASKS = """
from celery_app import *

@app.task
def die():
    logging.getLogger("shop").info("about to die")
    os.kill(os.getpid(), 9)

@app.task(time_limit=1)
def hang():
    import time
    logging.getLogger("shop").info("about to hang")
    time.sleep(60)
"""
SEND = """
import sys
from tasks import *
first = int(sys.argv[1])
for number in range(first, first + 100):
    work.delay(number)
    if number == first + 50:
        die.delay(), hang.delay()
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_celery(tmp_path, redis_url, method):
    """Every line of tasks and of Celery's own, pool processes killed, a task timed out."""
    laid_out("celery_app.py", tmp_path)
    (tmp_path / "tasks.py").write_text(
        TASKS + f"app.conf.worker_pool_start_method = {method!r}\n"
    )
    more = {"REDIS_URL": redis_url, "FORKED_BY_MULTIPROCESSING": "1" if method == "spawn" else ""}
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--loglevel", "INFO",
               "--concurrency", "2"]  # fmt: skip
    with started(command, tmp_path, **more) as worker:
        log_has(tmp_path, r"celery@\S+ ready")
        with started([sys.executable, "-c", SEND, "0"], tmp_path, **more) as sender:
            assert sender.wait(60) == 0, output(tmp_path)
        log_has(tmp_path, "succeeded in", 100)
        log_has(tmp_path, "Hard time limit")
        log_has(tmp_path, "WorkerLostError")
        assert stopped(worker, tmp_path, signal.SIGTERM) == 0
    text = logged(tmp_path)
    assert numbers(text, r"shop: number (\d+)$") == list(range(100))
    assert len(re.findall(r"Task celery_app\.work\[\S+\] received$", text, re.MULTILINE)) == 100
    assert len(re.findall(r"Task celery_app\.work\[\S+\] succeeded", text)) == 100
    assert text.count("shop: about to die\n") == text.count("shop: about to hang\n") == 1
    assert "set up anew" not in output(tmp_path)


MAIN = """
from tasks import *

if __name__ == "__main__":
    signals.setup_logging.disconnect(set_up)
    app.conf.worker_hijack_root_logger = HIJACK
    with mplogging.LogSession("logs/app.log"):
        app.worker_main(["worker", "--loglevel", "INFO", "--concurrency", "2"])
"""


@pytest.mark.parametrize("hijack", [True, False])
def test_a_session_around_celerys_main(tmp_path, redis_url, hijack):
    """The main process's lines are there too when Celery takes the root logger for itself."""
    laid_out("celery_app.py", tmp_path)
    (tmp_path / "tasks.py").write_text(TASKS)
    (tmp_path / "main.py").write_text(MAIN.replace("HIJACK", str(hijack)))
    more = {"REDIS_URL": redis_url}
    with started([sys.executable, "main.py"], tmp_path, **more) as worker:
        log_has(tmp_path, r"MainProcess\[\d+\] celery\S*: celery@\S+ ready")
        with started([sys.executable, "-c", SEND, "0"], tmp_path, **more) as sender:
            assert sender.wait(60) == 0, output(tmp_path)
        log_has(tmp_path, "succeeded in", 100)
        stopped(worker, tmp_path, signal.SIGTERM)
    text = logged(tmp_path)
    assert numbers(text, r"shop: number (\d+)$") == list(range(100))
    received = r"MainProcess\S+ celery\S+: Task celery_app\.work\[\S+\] received$"
    assert len(re.findall(received, text, re.MULTILINE)) == 100
