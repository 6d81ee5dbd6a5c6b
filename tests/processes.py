"""Processes that log: workers of a test's own session, and whole programs with theirs."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fault_jobs
from conftest import eventually
from ledgers import LOGS, accepted, all_have, prepare

import mplogging
from mplogging._delivery.recovery import recover
from mplogging._wire.where import leftovers

METHODS = multiprocessing.get_all_start_methods()
# All but what CPython 3.12 and later say of any fork in a process that has threads.
_WARNINGS = "default,ignore:This process:DeprecationWarning"


def start(context, target, directory: Path, *args, count: int = 1):
    """Start processes of one job; as daemons, lest they outlive a test that fails."""
    processes = [
        context.Process(target=target, args=(str(directory), *args), daemon=True)
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    return processes


def end(processes, directory: Path) -> None:
    """Let those that are left come to their end."""
    (directory / fault_jobs.ENOUGH).touch()
    for process in processes:
        process.join()
        process.close()


def sweep(directory: Path) -> int:
    """Recover what dead sessions have left beside their log; returns how many records.

    Who was killed together with the one that was waited for may take a moment to be gone.
    """
    records, deadline = 0, time.monotonic() + 10
    while True:
        found = [recover(path) for path in leftovers([str(directory)])]
        records += sum(done.records for done in found)
        if not any(done.problem or done.left for done in found):
            return records
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


class Program:
    """A program of `fault_jobs` in a process of its own."""

    def __init__(self, directory: Path, name: str = "program", **settings: object) -> None:
        self.directory = directory
        prepare(directory)
        os.mkfifo(directory / fault_jobs.ALIVE)
        self._alive = os.open(directory / fault_jobs.ALIVE, os.O_RDONLY | os.O_NONBLOCK)
        command = [sys.executable, fault_jobs.__file__, name, str(directory)]
        root = str(Path(mplogging.__file__).parent.parent)
        self._errors = tempfile.TemporaryFile()  # a pipe would be full at some time
        self.process = subprocess.Popen(
            [*command, json.dumps(settings)],
            stderr=self._errors,
            start_new_session=True,  # a process group of its own, to be interrupted or stopped
            env={**os.environ, "PYTHONPATH": root, "PYTHONWARNINGS": _WARNINGS},
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is not None:
            self.process.kill()
        self.enough()
        self._errors.seek(0)
        self.errors = self._errors.read().decode()
        self._errors.close()
        os.close(self._alive)
        # What a killed session has left is recovered, once the last process of it,
        # which has just closed `alive`, has closed the rest too.
        self.recovered = 0
        eventually(self._is_swept, 30)

    def _is_swept(self) -> bool:
        for path in leftovers([str(self.directory / LOGS)]):
            self.recovered += recover(path).records
        return not (
            list((self.directory / LOGS).glob(".mplogging-*"))
            or os.listdir(os.environ["XDG_RUNTIME_DIR"])
        )

    def stop(self) -> None:
        """Stop its main process, wherever that is."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)  # its threads run until one has taken it

    def kill_all(self) -> None:
        """Kill every process of it at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def all_have(self, records: int, workers: int = 4) -> None:
        """Wait until each worker has had so many records accepted."""
        eventually(lambda: all_have(self.directory, workers, records), 30)

    def go_on(self, records: int = 200) -> None:
        """Wait until each worker has had so many more accepted than now."""
        before = accepted(self.directory)
        eventually(
            lambda: all(
                count >= before[name] + records
                for name, count in accepted(self.directory).items()
                if name in before
            ),
            30,
        )

    def go_on_but(self, pid: int, records: int = 200) -> None:
        """As `go_on`, for all but one that is dead."""
        before = {
            name: count
            for name, count in accepted(self.directory).items()
            if not name.startswith(f"{pid}-")
        }
        eventually(
            lambda: all(
                accepted(self.directory)[name] >= count + records
                for name, count in before.items()
            ),
            30,
        )

    def enough(self) -> None:
        """Let the workers end, and wait for that."""
        (self.directory / fault_jobs.ENOUGH).touch()
        self.process.wait(30)
        os.set_blocking(self._alive, True)
        assert os.read(self._alive, 1) == b""  # the last writing end is closed
