"""What the parent has set up on its loggers holds in every worker, however it was started."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest
import tree_jobs
from conftest import texts

import mplogging

pytestmark = pytest.mark.usefixtures("tree")
DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def new_session(directory):
    """Makes sessions that log into `directory`."""

    def make(**options):
        return mplogging.LogSession(directory / "app.log", **{"format": "%(message)s", **options})

    return make


def lines_by_log(directory):
    """The lines of each log, by the name that its handler has."""
    return {
        name.partition(".log")[0]: text.splitlines() for name, text in texts(directory).items()
    }


# --- levels ----------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "within"])
def test_levels_of_ancestors(new_session, directory, in_worker, when):
    """A worker makes the loggers below them first, or only those."""

    def set_levels():
        logging.getLogger("tree").setLevel(DEBUG)
        logging.getLogger("tree.noisy").setLevel(ERROR)

    if when == "before":
        set_levels()
    with new_session():
        if when == "within":
            set_levels()
        in_worker(
            tree_jobs.say_at,
            ("tree.jobs", DEBUG, "debug of a child"), ("tree.noisy.lib", WARNING, "too noisy"),
            ("tree", DEBUG, "debug"), ("tree.noisy", WARNING, "too noisy"),
            ("elsewhere", DEBUG, "below the root's level"), ("tree.noisy.lib", ERROR, "error"),
        )  # fmt: skip
    assert lines_by_log(directory) == {"app": ["debug of a child", "debug", "error"]}


@pytest.mark.parametrize("when", ["before", "within"])
def test_what_is_disabled(new_session, directory, in_worker, when):
    """`logging.disable` holds there."""
    if when == "before":
        logging.disable(INFO)
    with new_session():
        logging.disable(INFO)
        in_worker(tree_jobs.say_at, ("tree", INFO, "disabled"), ("tree", WARNING, "enabled"))
        logging.disable(logging.NOTSET)
        in_worker(tree_jobs.say_at, ("tree", INFO, "enabled again"))
    assert lines_by_log(directory) == {"app": ["enabled", "enabled again"]}


def test_levels_under_run(directory, tmp_path):
    """A program that sets its levels while `run` has its session on."""
    script = tmp_path / "script.py"
    script.write_text(
        "import logging, multiprocessing\n"
        "def work(n):\n"
        "    logging.getLogger('tree.jobs').debug('debug %d', n)\n"
        "    logging.getLogger('tree.noisy.lib').warning('noisy %d', n)\n"
        "if __name__ == '__main__':\n"
        "    logging.getLogger('tree').setLevel('DEBUG')\n"
        "    logging.getLogger('tree.noisy').setLevel('ERROR')\n"
        "    for method in multiprocessing.get_all_start_methods():\n"
        "        process = multiprocessing.get_context(method).Process(target=work, args=(1,))\n"
        "        process.start()\n"
        "        process.join()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mplogging", "run", "--file", str(directory / "app.log"),
         str(script)],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.rpartition(": ")[2] for line in lines_by_log(directory)["app"]]
    assert lines == ["debug 1"] * 3


def test_levels_set_within_a_session_over_a_queue(new_session, directory):
    """They travel with the queue's address."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    with new_session(queue=queue):
        logging.getLogger("tree").setLevel(DEBUG)
        process = context.Process(target=tree_jobs.say_at, args=(("tree.jobs", DEBUG, "debug"),))
        process.start()
        process.join()
    queue.close()
    queue.join_thread()
    assert lines_by_log(directory) == {"app": ["debug"]}
