"""The parent is dead, and so may be who reads in its place: another does, nothing is lost."""

from __future__ import annotations

import os
import random
import signal

import pytest
from conftest import eventually
from ledgers import accepted, check
from processes import Program

KILLS = int(os.environ.get("MPLOGGING_KILLS", "50"))  # of the long run


def orphans(directory, jobs, **settings) -> Program:
    """A program whose workers have a backlog in the journal when it is killed."""
    return Program(directory, way="pause", workers=len(jobs), job=jobs, **settings)


def kill_the_parent(program: Program, *ready: str) -> None:
    """Stop it, let the workers fill the journal, and kill it."""
    directory = program.directory
    eventually(lambda: (directory / "started").exists(), 30)
    program.stop()
    (directory / "stopped").touch()
    for name in ready:
        eventually(lambda name=name: (directory / f"ready-{name}").exists(), 30)
    program.process.kill()
    program.process.wait()
    (directory / "dead").touch()


def wait(program: Program, name: str) -> None:
    eventually((program.directory / name).exists, 30)


@pytest.mark.parametrize("is_killed", [True, False])
def test_one_that_is_stopped(tmp_path, is_killed):
    """Others wait for it but a moment; what it had begun is neither lost nor doubled."""
    names = ["drains", "gone"]
    jobs = [["be_stopped", 1000], ["log_beside", 1002, *names]]
    with orphans(tmp_path, jobs) as program:
        kill_the_parent(program, "stopped", "beside")
        wait(program, "after-drains")
        (pid,) = (int(path.name.split("-")[1]) for path in tmp_path.glob("stopped-*"))
        os.kill(pid, signal.SIGKILL if is_killed else signal.SIGCONT)
        (tmp_path / "gone").touch()
        wait(program, "after-gone")
    check(tmp_path)
    assert not program.recovered


def test_one_without_a_descriptor(tmp_path):
    """It reads the journal when there is one again."""
    with orphans(tmp_path, [["have_no_descriptor", 1000]]) as program:
        kill_the_parent(program, "poor")
    assert check(tmp_path).records() == 1 + 1000 + 203
    assert not program.recovered


def test_one_forked_without_a_descriptor(tmp_path):
    """As the last one of the session."""
    with orphans(tmp_path, [["fork_without_descriptors", 100]]) as program:
        kill_the_parent(program, "child")
        wait(program, "done")
    assert check(tmp_path).records() == 102


@pytest.mark.parametrize("seconds", [0.0003, 0.001, 0.0035])
def test_one_that_is_interrupted(tmp_path, seconds):
    """By a signal handler that raises: the next record tries again."""
    with orphans(tmp_path, [["be_interrupted", 8000, seconds]]) as program:
        kill_the_parent(program, "interrupted")
    found = check(tmp_path, others="a call that a timeout may end")
    assert found.records() == 1 + 8000 + 500
    assert not program.recovered


def killed_at_random(directory, kill: float) -> None:
    """Two begin to read at once; one is killed a moment later."""
    with orphans(directory, 3 * [["log_on_later", 3000]]) as program:
        kill_the_parent(program)
        eventually(lambda: len(list(directory.glob("ready-*"))) == 3, 30)
        pid = int(min(accepted(directory)).split("-")[0])
        if not (directory / "dead").exists():
            (directory / "dead").touch()
        eventually(lambda: max(accepted(directory).values()) > 3001, 30)
        signal.sigtimedwait([], kill)
        os.kill(pid, signal.SIGKILL)
        program.go_on_but(pid)
    check(directory)


@pytest.mark.parametrize("kill", [0.0, 0.003, 0.01])
def test_one_that_is_killed(tmp_path, kill):
    """Right after it has begun to read, wherever that is."""
    killed_at_random(tmp_path, kill)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_many_that_are_killed(tmp_path):
    """MPLOGGING_KILLS of them."""
    chance = random.Random(KILLS)
    for kill in range(KILLS):
        directory = tmp_path / str(kill)
        directory.mkdir()
        killed_at_random(directory, chance.uniform(0, 0.015))


@pytest.mark.parametrize("size", [70_000, 8 << 20])
def test_large_records(tmp_path, size):
    """What was accepted is there, however large it is."""
    settings = {"job": "log_in_steps", "args": [3, "return", [size, 10]], "workers": 2}
    with Program(tmp_path, way="pause", **settings) as program:
        program.all_have(3, 2)
        program.stop()
        (tmp_path / "step-1").touch()
        program.all_have(6, 2)
        program.process.kill()
        program.process.wait()
        (tmp_path / "step-2").touch()
        program.all_have(9, 2)
    assert check(tmp_path).records() == 18


def test_a_parent_that_dies_while_the_disk_is_full(tmp_path):
    """What it could not write is in the log once a survivor can."""
    settings = {"job": "log_in_steps", "args": [4000], "workers": 2}
    with Program(tmp_path, way="full", **settings) as program:
        program.all_have(4000, 2)
        program.process.kill()
        program.process.wait()
        (tmp_path / "step-1").touch()
        program.all_have(8000, 2)
    assert check(tmp_path).records() == 16_000
    assert not program.recovered


def test_a_child_that_a_library_forked(tmp_path):
    """Without a word to Python: it holds up nobody, though it has all that its parent had."""
    with Program(tmp_path, way="c_fork", workers=2) as program:
        wait(program, "forked")
        program.process.kill()
        program.process.wait()
        program.go_on()
    check(tmp_path)
