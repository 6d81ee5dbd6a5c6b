"""Where others may have a hand in: the directory, the rights, the signals of a program."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import fault_jobs
import pytest
from ledgers import FORMAT, LOGS, accepted, check, find, prepare
from processes import sweep

import mplogging
from mplogging import LogSession
from mplogging._wire.segments import Segments

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
NOBODY = 65534
ROOT = str(Path(mplogging.__file__).parent.parent)


def run(code: str, *arguments: object, options: tuple[str, ...] = ()):
    """A program of its own, that knows the tests' modules."""
    paths = os.pathsep.join([ROOT, str(Path(fault_jobs.__file__).parent)])
    return subprocess.run(
        [sys.executable, *options, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip


def test_a_link_in_place_of_the_directory(tmp_path):
    """What it leads to is not touched as the session ends."""
    victim = tmp_path / "victim"
    victim.mkdir()
    for name in ("note", "config", "precious"):
        (victim / name).write_text("precious")
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        logging.getLogger("jobs").info("hello")
        address = session.address
        shutil.rmtree(address)
        os.symlink(victim, address)
        end_of_child = os.waitpid(fault_jobs.in_child(fault_jobs.log_once, str(tmp_path)), 0)[1]
    assert end_of_child == 0
    assert sorted(os.listdir(victim)) == ["config", "note", "precious"]
    assert {path.read_text() for path in victim.iterdir()} == {"precious"}
    os.unlink(address)


@needs_root
def test_another_users_directory_in_its_place(tmp_path):
    """Nothing in it is unpickled, or written to."""
    with LogSession(prepare(tmp_path), format="%(message)s") as session:
        address = Path(session.address)
        code = "import sys, mplogging\nmplogging.attach(sys.argv[1])"
        good = address / "config"
        config = good.read_bytes()
        shutil.rmtree(address)
        address.mkdir(0o700)
        good.write_bytes(b"cos\nsystem\n(S'touch %s'\ntR." % bytes(tmp_path / "proof"))
        os.chown(address, NOBODY, NOBODY)
        done = run(code, address)
        good.write_bytes(config)
        child = multiprocessing.get_context("spawn").Process(
            target=fault_jobs.log_once, args=(str(tmp_path),)
        )
        child.start()
        child.join()
        logging.info("the parent")
    assert "UnsafeSessionError" in done.stderr and f"user {NOBODY}" in done.stderr
    assert not (tmp_path / "proof").exists()
    assert os.listdir(address) == ["config"]
    shutil.rmtree(address)
    (log,) = (tmp_path / LOGS).glob("app.log.*")
    assert sorted(log.read_text().splitlines()) == ["one record", "the parent"]


@needs_root
def test_a_worker_that_drops_its_privileges():
    """What it has open serves on; what it can't write to the log is recovered."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own can't be entered by others
        directory = Path(name)
        directory.chmod(0o755)
        path = prepare(directory)
        child = os.fork()
        if child == 0:
            session = LogSession(path, format=FORMAT).start()
            (directory / "started").touch()
            worker = fault_jobs.in_child(fault_jobs.log_as_another, name, NOBODY, 2000)
            os.waitpid(worker, os.WUNTRACED)
            assert session.flush(10)
            os.kill(worker, signal.SIGCONT)
            os.waitpid(worker, os.WUNTRACED)  # half of it is written, and half not
            os.kill(os.getpid(), signal.SIGSTOP)
        os.waitpid(child, os.WUNTRACED)
        (ledger,) = (directory / "ledgers").iterdir()
        worker = int(ledger.name.split("-")[0])
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.kill(worker, signal.SIGCONT)
        fault_jobs.wait_for_end(worker)
        sweep(directory / LOGS)
        assert check(directory).records() == 6000


@pytest.mark.parametrize("options", [(), ("-W", "error")])
def test_a_directory_that_is_gone_and_an_initializer(tmp_path, options):
    """A pool of spawned workers is no endless row of them, even where warnings are errors."""
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, shutil, sys, fault_jobs, mplogging\n"
        "if __name__ == '__main__':\n"
        "    with mplogging.LogSession(sys.argv[1], autoAttach=False) as session:\n"
        "        initializer = session.initializer\n"
        "        shutil.rmtree(session.address)\n"
        "        with multiprocessing.get_context('spawn').Pool(1, initializer) as pool:\n"
        "            assert pool.map_async(abs, [-1]).get(30) == [1]\n"
    )
    paths = os.pathsep.join([ROOT, str(Path(fault_jobs.__file__).parent)])
    done = subprocess.run(
        [sys.executable, *options, str(program), str(prepare(tmp_path))],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_no_room_for_the_directory(tmp_path):
    """The error says so, and nothing is left but an empty log."""
    prepare(tmp_path)
    settings = [sys.executable, fault_jobs.__file__, "no_room", str(tmp_path)]
    done = subprocess.run(
        settings, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ROOT}
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"error": "SessionError", "handlers": 0}
    (log,) = (tmp_path / LOGS).iterdir()
    assert log.stat().st_size == 0


def test_no_memory_for_a_record(context, tmp_path, monkeypatch):
    """Its reader does without that one, and says so; its neighbours are not harmed."""
    read = Segments.read

    def refuse(self, number, offset, size):
        if size > 4 << 20:
            raise MemoryError
        return read(self, number, offset, size)

    monkeypatch.setattr(Segments, "read", refuse)
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        processes = [
            context.Process(target=fault_jobs.log, args=(str(tmp_path), 200, "return", (9, 40))),
            context.Process(target=fault_jobs.log_large, args=(str(tmp_path), 8 << 20)),
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            process.close()
    found = check(tmp_path)
    assert found.records() == 200 + 2 * 100
    assert session.stats().failed == 1
    assert any("no memory for a record of 83" in line for line in found.warnings)


def test_large_records_whose_calls_are_interrupted(tmp_path):
    """A call that a signal handler's exception ends has logged its record whole, or not at all."""
    context = multiprocessing.get_context("spawn")
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        child = context.Process(target=fault_jobs.log_while_interrupted, args=(str(tmp_path),))
        child.start()
        child.join()
        assert child.exitcode == 0
        child.close()
        assert session.flush(20)
    found = check(tmp_path, others="interrupted")
    assert found.records() == 40
    assert session.stats().corrupt == 0


@pytest.mark.parametrize("is_alone", [False, True])
def test_a_fork_in_a_signal_handler(tmp_path, is_alone):
    """Whose child returns into the log call that was interrupted: nothing hangs or is lost.

    Both may then log that record: they both came to it.
    """
    prepare(tmp_path)
    command = [sys.executable, fault_jobs.__file__, "fork_in_handler", str(tmp_path)]
    done = subprocess.run(
        [*command, json.dumps({"is_alone": is_alone})],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": ROOT, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    children = json.loads(done.stdout)
    assert set(children) == {0}
    found = find(tmp_path)
    assert not found.others
    ((name, count),) = accepted(tmp_path).items()
    numbers = [entry.number for entry in found.entries[name]]
    assert set(numbers) - {count} == set(range(count))
    assert len(numbers) - len(set(numbers)) <= len(children)
