"""The session's process may end in any way, and all at once: nothing that was accepted is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal

import pytest
from conftest import eventually
from ledgers import LOGS, accepted, check, until_nothing_moves
from processes import METHODS, Program

KILLS = int(os.environ.get("MPLOGGING_KILLS", "50"))  # of the long run
SIZES = (1, 30, 4020, 4060, 9000)
SMALL = 1 << 20  # bytes that may wait in the journal, where it is to be full soon


@pytest.mark.parametrize("way", ["kill", "terminate", "_exit"])
@pytest.mark.parametrize("method", METHODS)
def test_an_abrupt_end_under_load(tmp_path, method, way):
    """The workers go on into the same file."""
    settings = {"way": way, "handleSignals": False}
    with Program(tmp_path, method=method, args=[SIZES], **settings) as program:
        program.process.wait(30)
        program.all_have(1)
        program.go_on()
    check(tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_all_are_killed_at_once(tmp_path, method):
    """What nobody has written by then is recovered."""
    with Program(tmp_path, method=method, args=[SIZES], way="log") as program:
        program.all_have(500, 5)
        program.kill_all()
    check(tmp_path)


def test_all_are_killed_while_the_journal_is_full(tmp_path):
    """Its reader was stopped: the backlog is recovered, with a word about it."""
    with Program(tmp_path, args=[SIZES], way="pause", bufferBytes=SMALL) as program:
        program.all_have(10)
        program.stop()
        until_nothing_moves(tmp_path, 4)
        program.kill_all()
    found = check(tmp_path)
    assert program.recovered > 200
    assert f"{program.recovered} records were recovered" in found.warnings[-1]


@pytest.mark.parametrize("method", METHODS)
def test_an_exception_out_of_main(tmp_path, method):
    """It ends the session in order; workers that are left go on into the file."""
    options = {"daemon": False, "captureExceptions": False}
    with Program(tmp_path, method=method, args=[SIZES], way="raise", **options) as program:
        program.all_have(1)
        program.go_on()
    assert program.process.returncode == 1
    check(tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_sigterm(tmp_path, method):
    """All is written, and the program ends by the signal all the same."""
    with Program(tmp_path, method=method, args=[SIZES], way="log") as program:
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
        return sum(path.read_bytes().count(b"\n") for path in logs.iterdir() if path.is_file())

    eventually(lambda: lines() == records, 30)
    program.stop()


def kill_with_a_backlog(program: Program) -> None:
    """Kill the parent after each worker has put 100 records into the journal unread."""
    program.all_have(100)
    stopped_while_idle(program, 400)
    (program.directory / "step-1").touch()
    program.all_have(200)
    program.process.kill()
    program.process.wait()


@pytest.mark.parametrize("method", METHODS)
def test_what_stands_in_the_journal_is_read_by_one_that_logs(tmp_path, method):
    """The parent had read nothing of it: not a record is lost."""
    with Program(tmp_path, method=method, way="pause", job="log_in_steps", args=[100]) as program:
        kill_with_a_backlog(program)
        (tmp_path / "step-2").touch()
        program.all_have(300)
    assert check(tmp_path).records() == 4 * 300
    assert not program.recovered


@pytest.mark.parametrize("method", METHODS)
def test_what_stands_in_the_journal_is_read_at_the_exit(tmp_path, method):
    """Of workers that log no more after the parent's death."""
    with Program(tmp_path, method=method, way="pause", job="log_in_steps", args=[100]) as program:
        kill_with_a_backlog(program)
    assert check(tmp_path).records() == 4 * 200
    assert not program.recovered


@pytest.mark.parametrize("method", METHODS)
def test_one_survivor_that_is_idle_is_enough(tmp_path, method):
    """All other workers are killed with records in the journal; it reads them as it ends."""
    with Program(tmp_path, method=method, way="pause", job="log_in_steps", args=[100]) as program:
        kill_with_a_backlog(program)
        for name in list(accepted(tmp_path))[:3]:
            os.kill(int(name.split("-")[0]), signal.SIGKILL)
    assert check(tmp_path).records() == 4 * 200
    assert not program.recovered


@pytest.mark.parametrize("method", METHODS)
def test_an_orphan_killed_right_after_its_last_record(tmp_path, method):
    """It wrote into the file itself: what was accepted is there."""
    with Program(tmp_path, method=method, args=[SIZES, "kill"], way="kill") as program:
        program.process.wait(30)
        program.all_have(1)
        program.go_on()
    check(tmp_path)


def test_threads_of_an_orphan_read_the_journal_together(tmp_path):
    """Not against each other: eight of them find the parent dead at the same time."""
    job, args = "log_in_threads_in_steps", [8, 200, SIZES]
    with Program(
        tmp_path, job=job, args=args, way="pause", workers=2, bufferBytes=SMALL
    ) as program:
        program.all_have(200, 16)
        stopped_while_idle(program, 16 * 200)
        (tmp_path / "step-1").touch()
        until_nothing_moves(tmp_path, 16)  # all has been logged, or the journal is full
        program.process.kill()
        program.process.wait()
        (tmp_path / "step-2").touch()
        program.all_have(600, 16)
    assert check(tmp_path).records() == 16 * 600


def test_half_a_line_of_the_killed_parent_is_cut_off(tmp_path):
    """It is of a record that the parent had read and not written: the next line begins anew."""
    with Program(tmp_path, way="pause", job="log_in_steps", args=[100]) as program:
        program.all_have(100)
        stopped_while_idle(program, 400)
        (log,) = (tmp_path / LOGS).glob("app.log.*")
        with log.open("a") as file:
            file.write("INFO Process-1: half a li")
        program.process.kill()
        program.process.wait()
        (tmp_path / "step-1").touch()
        program.all_have(200)
    assert check(tmp_path).records() == 4 * 200


def test_a_writer_that_waits_for_room_notices_the_end(tmp_path):
    """The journal is full, for the parent is stopped: its death lets the workers go on."""
    with Program(tmp_path, way="pause", workers=2, bufferBytes=SMALL) as program:
        program.all_have(100, 2)
        program.stop()
        until_nothing_moves(tmp_path, 2)
        program.process.kill()
        program.go_on()
    check(tmp_path)


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


@pytest.mark.parametrize("is_stopped", [True, False])
def test_the_directory_is_deleted_underneath(tmp_path, runtime_directory, is_stopped):
    """By a cleaner of old files: running workers lose nothing, even when the parent dies then."""
    with Program(tmp_path, args=[SIZES], way="pause", bufferBytes=SMALL) as program:
        program.all_have(100)
        for session in (tmp_path / LOGS).glob(".mplogging-*"):
            while session.exists():  # a segment may just be made in it
                shutil.rmtree(session, ignore_errors=True)
        program.go_on()
        if is_stopped:
            program.stop()
            until_nothing_moves(tmp_path, 2)
        program.process.kill()
        program.go_on()
        for bell in runtime_directory.iterdir():
            bell.unlink()  # nobody knows any more whose it was
    check(tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("whom", ["parent", "all"])
@pytest.mark.parametrize("method", METHODS)
def test_many_kills(tmp_path, method, whom):
    """MPLOGGING_KILLS kills at full speed, of the parent, and of all processes together."""
    chance = random.Random(KILLS)
    recovered = records = 0
    for kill in range(KILLS):
        directory = tmp_path / str(kill)
        directory.mkdir()
        with Program(directory, method=method, args=[SIZES], way="log") as program:
            program.all_have(chance.randrange(3000), 5)
            if whom == "all":
                program.kill_all()
            else:
                program.process.kill()
                program.process.wait()
                program.go_on()
        records += check(directory).records()
        recovered += program.recovered
        shutil.rmtree(directory)
    print(f"\n{method}, {whom}: {KILLS} kills, {records} records, {recovered} of them recovered")
