"""The session's process may end in any way: workers go on into the same file."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from conftest import eventually
from ledgers import (
    LOGS,
    Found,
    accepted,
    check,
    find,
    first_break,
    until_nothing_moves,
)
from processes import METHODS, Program

from mplogging._wire import pipe
from mplogging._wire.frames import HEADER_BYTES

KILLS = int(os.environ.get("MPLOGGING_KILLS", "50"))  # of the long run
READ_BYTES = int(os.environ.get("MPLOGGING_READ_BYTES", "0"))
SIZES = (1, 30, 4020, 4060, 9000)


def lost(directory: Path) -> tuple[Found, int]:
    """What is there, and how many records are not: one gap a process at most."""
    found = find(directory)
    assert not found.others, found.others[:3]
    records = 0
    for name, count in accepted(directory).items():
        numbers = [entry.number for entry in found.entries.get(name, [])]
        assert numbers == sorted(set(numbers)), first_break(numbers)
        missing = sorted(set(range(count)) - set(numbers))
        if missing:
            assert missing == list(range(missing[0], missing[-1] + 1)), (name, missing[:9])
        records += len(missing)
    return found, records


@pytest.mark.parametrize("way", ["kill", "terminate", "_exit"])
@pytest.mark.parametrize("method", METHODS)
def test_an_abrupt_end_under_load(tmp_path, method, way):
    """Nothing is lost but what the parent had read and not yet written; no line is torn."""
    with Program(tmp_path, method=method, args=[SIZES], way=way) as program:
        program.process.wait(30)
        program.all_have(1)
        program.go_on()
    assert lost(tmp_path)[1] * HEADER_BYTES < pipe._READ_BYTES


@pytest.mark.parametrize("method", METHODS)
def test_an_exception_out_of_main(tmp_path, method):
    """It ends the session in order; workers that are left go on into the file."""
    with Program(tmp_path, method=method, args=[SIZES], way="raise", daemon=False) as program:
        program.all_have(1)
        program.go_on()
    assert program.process.returncode == 1
    check(tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_sigterm_with_handle_signals(tmp_path, method):
    """All is written, and the program ends by the signal all the same."""
    with Program(tmp_path, method=method, args=[SIZES], way="log", handleSignals=True) as program:
        program.all_have(50, 5)
        program.process.terminate()
        program.process.wait(30)
        time_of_death = accepted(tmp_path)
        program.enough()
    assert program.process.returncode == -signal.SIGTERM
    assert "Traceback" not in program.errors
    check(tmp_path)
    assert time_of_death


@pytest.mark.parametrize("method", METHODS)
def test_control_c(tmp_path, method):
    """KeyboardInterrupt in every process of the group ends them all, and nothing is lost."""
    with Program(tmp_path, method=method, args=[SIZES], way="log") as program:
        program.all_have(50, 5)
        os.killpg(program.process.pid, signal.SIGINT)
        program.process.wait(30)
    assert program.process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in program.errors
    assert "mplogging-listener" not in program.errors
    check(tmp_path)


def stopped_while_idle(program: Program, records: int) -> None:
    """Stop the parent when it has written all that it has read."""
    logs = program.directory / LOGS

    def lines() -> int:  # a write in progress shows a reader half a line
        return sum(path.read_bytes().count(b"\n") for path in logs.iterdir())

    eventually(lambda: lines() == records, 30)
    program.process.send_signal(signal.SIGSTOP)
    os.waitpid(program.process.pid, os.WUNTRACED)  # its threads run until one has taken it


@pytest.mark.parametrize("method", METHODS)
def test_what_stands_in_the_pipe_is_drained_by_one_that_logs(tmp_path, method):
    """The parent had read nothing of it: not a record is lost."""
    with Program(tmp_path, method=method, way="pause", job="log_in_steps", args=[100]) as program:
        program.all_have(100)
        stopped_while_idle(program, 400)
        (tmp_path / "step-1").touch()
        program.all_have(200)
        program.process.kill()
        program.process.wait()
        (tmp_path / "step-2").touch()
        program.all_have(300)
    assert check(tmp_path).records() == 4 * 300


@pytest.mark.parametrize("method", METHODS)
def test_what_stands_in_the_pipe_is_drained_at_the_exit(tmp_path, method):
    """Of workers that log no more after the parent's death."""
    with Program(tmp_path, method=method, way="pause", job="log_in_steps", args=[100]) as program:
        program.all_have(100)
        stopped_while_idle(program, 400)
        (tmp_path / "step-1").touch()
        program.all_have(200)
        program.process.kill()
        program.process.wait()
    assert check(tmp_path).records() == 4 * 200


@pytest.mark.parametrize("method", METHODS)
def test_one_survivor_that_is_idle_is_enough(tmp_path, method):
    """All other workers are killed with records in the pipe; it drains them as it ends."""
    with Program(tmp_path, method=method, way="pause", job="log_in_steps", args=[100]) as program:
        program.all_have(100)
        stopped_while_idle(program, 400)
        (tmp_path / "step-1").touch()
        program.all_have(200)
        program.process.kill()
        program.process.wait()
        for name in list(accepted(tmp_path))[:3]:
            os.kill(int(name.split("-")[0]), signal.SIGKILL)
    assert check(tmp_path).records() == 4 * 200


@pytest.mark.parametrize("method", METHODS)
def test_an_orphan_killed_right_after_its_last_record(tmp_path, method):
    """It wrote into the file itself: what was accepted is there."""
    with Program(tmp_path, method=method, args=[SIZES, "kill"], way="kill") as program:
        program.process.wait(30)
        program.all_have(1)
        program.go_on()
    found, records = lost(tmp_path)
    assert records * HEADER_BYTES < pipe._READ_BYTES
    for name, count in accepted(tmp_path).items():
        assert found.entries[name][-1].number == count - 1


def test_threads_of_an_orphan_drain_the_pipe_together(tmp_path):
    """Not against each other: eight of them find the parent dead at the same time."""
    job, args = "log_in_threads_in_steps", [8, 200, SIZES]
    with Program(tmp_path, job=job, args=args, way="pause", workers=2) as program:
        program.all_have(200, 16)
        stopped_while_idle(program, 16 * 200)
        (tmp_path / "step-1").touch()
        until_nothing_moves(tmp_path, 16)  # the pipe is full
        program.process.kill()
        program.process.wait()
        program.all_have(400, 16)
    assert check(tmp_path).records() == 16 * 400


def test_half_a_line_of_the_killed_parent_is_cut_off(tmp_path):
    """It is of a record that the parent had read and not written: the next line begins anew."""
    with Program(tmp_path, way="pause", job="log_in_steps", args=[100]) as program:
        program.all_have(100)
        stopped_while_idle(program, 400)
        (log,) = (tmp_path / "logs").iterdir()
        with log.open("a") as file:
            file.write("INFO Process-1: half a li")
        program.process.kill()
        program.process.wait()
        (tmp_path / "step-1").touch()
        program.all_have(200)
    assert check(tmp_path).records() == 4 * 200


def test_a_writer_that_waits_for_room_notices_the_end(tmp_path):
    """The pipe is full, for the parent is stopped: its death lets the workers go on."""
    with Program(tmp_path, way="pause", workers=2) as program:
        program.all_have(100, 2)
        program.process.send_signal(signal.SIGSTOP)
        until_nothing_moves(tmp_path, 2)
        program.process.kill()
        program.go_on()
    assert lost(tmp_path)[1] * HEADER_BYTES < pipe._READ_BYTES


def test_a_process_group_is_suspended_and_resumed(tmp_path):
    """SIGSTOP to all of it, in the midst of everything, and SIGCONT: nothing is lost."""
    with Program(tmp_path, args=[SIZES], way="log") as program:
        for records in (20, 300, 700):
            program.all_have(records, 5)
            os.killpg(program.process.pid, signal.SIGSTOP)
            until_nothing_moves(tmp_path, 5)
            os.killpg(program.process.pid, signal.SIGCONT)
        program.go_on()
    assert program.process.returncode == 0, program.errors
    check(tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_workers_that_outlive_the_session(tmp_path, method):
    """The block is left while they log: they go on into the same file, in order."""
    with Program(tmp_path, method=method, args=[SIZES], way="leave") as program:
        eventually((tmp_path / "left").exists, 30)
        program.all_have(1)
        program.go_on()
    assert program.process.returncode == 0, program.errors
    assert not program.errors
    check(tmp_path)


def test_the_directory_is_deleted_underneath(tmp_path, runtime_directory):
    """By a cleaner of old files: running workers lose nothing, even when the parent dies then."""
    with Program(tmp_path, args=[SIZES], way="pause") as program:
        program.all_have(100)
        for session in runtime_directory.iterdir():
            shutil.rmtree(session)
        program.go_on()
        program.process.send_signal(signal.SIGSTOP)
        until_nothing_moves(tmp_path, 2)
        program.process.kill()
        program.go_on()
    assert lost(tmp_path)[1] * HEADER_BYTES < pipe._READ_BYTES


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("method", METHODS)
def test_what_a_killed_parent_takes_along(tmp_path, method):
    """MPLOGGING_KILLS kills at full speed: how much it had read and not written."""
    losses = []
    for kill in range(KILLS):
        directory = tmp_path / str(kill)
        directory.mkdir()
        with Program(directory, method=method, read_bytes=READ_BYTES, way="pause") as program:
            program.all_have(2000 + 37 * kill)
            program.process.kill()
            program.process.wait()
            program.go_on()
        losses.append(lost(directory)[1])
    losses.sort()
    print(
        f"\n{method}: {KILLS} kills of the parent, {losses.count(0)} without loss;"
        f" lost records: median {losses[KILLS // 2]}, most {losses[-1]}"
    )
