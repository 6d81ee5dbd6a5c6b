"""One run of a scenario in processes of its own, with a fault; and what came of it."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import logging
import os
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple

import mplogging
from mplogging._wire.place import ENVIRONMENT

from .account import Found, made_up, prepare, sweep_temporaries
from .calls import SHORT, Fault, calls, faults_of, patch, raw_open

# A run takes a fraction of a second; this is a hang, on a machine however busy.
HANG_SECONDS = 40
RUNNERS = int(os.environ.get("MPLOGGING_RUNNERS", "4"))
_QUICK_TRIALS = 20  # at least so many of a scenario, if it has as many calls
_RUNTIME, _ERRORS, _TRACE, _REFUSED = "run", "errors", "trace", "refused"


class Trial:
    """What a scenario's processes know of their trial.

    Args:
        directory: Its own, empty.
        at: The number of the call at which the fault is; -1 for none.
    """

    def __init__(self, directory: Path, at: int = -1, fault: Fault = SHORT) -> None:
        self.directory = str(directory)
        self.at, self.fault = at, fault
        self._trace = raw_open(
            directory / _TRACE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        )

    def arm(self, is_child: bool = False) -> None:
        """This process, or one that it forks, is under test from here on."""
        calls.arm(self.at, self.fault, self._trace, is_child)

    def close(self) -> None:
        """Close what the trial itself has open."""
        os.close(self._trace)

    @contextlib.contextmanager
    def may_be_refused(self) -> Iterator[None]:
        """A session that can't begin says so, and leaves nothing."""
        try:
            yield
        except mplogging.MPLoggingError:
            Path(self.directory, _REFUSED).touch()


class Outcome(NamedTuple):
    """What came of a trial."""

    problems: list[str]
    trace: list[str]  # the calls that were counted
    found: Found


Scenario = Callable[[Trial], None]
Afterwards = Callable[[str], None]


def run(
    scenario: Scenario,
    afterwards: Afterwards,
    directory: Path,
    at: int = -1,
    fault: Fault = SHORT,
    order: bool = True,
) -> Outcome:
    """Run it, then what comes next in life, and make up the account.

    Args:
        afterwards: In a fresh process: brings in what was left.
    """
    prepare(directory)
    (directory / _RUNTIME).mkdir()
    trial = Trial(directory, at, fault)
    problems = in_processes(directory, lambda: scenario(trial), expects=fault.kind)
    trial.close()
    problems += in_processes(directory, lambda: afterwards(str(directory)))
    sweep_temporaries(directory)
    found = made_up(directory, order)
    problems += found.problems
    problems += [f"left over: {path}" for path in leftovers(directory)]
    trace = (directory / _TRACE).read_text().splitlines()
    return Outcome(problems, trace, found)


def leftovers(directory: Path) -> list[Path]:
    """What sessions have left."""
    return [*directory.rglob(".mplogging-*"), *(directory / _RUNTIME).iterdir()]


def in_processes(
    directory: Path,
    function: Callable[[], None],
    expects: str = "",
    meanwhile: Callable[[int], None] = lambda pid: None,
) -> list[str]:
    """Call it in a forked process, and wait for that and for all that it forks.

    Args:
        expects: A fault's kind; of a kill it does not have to return.
        meanwhile: Is called with the process's number.
    """
    reading, alive = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_child(directory, function)
    os.close(alive)
    try:
        meanwhile(child)
        _, status = os.waitpid(child, 0)
        problems = []
        if not select.select([reading], [], [], HANG_SECONDS)[0]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            problems.append("hang: a process is left")
        code = os.waitstatus_to_exitcode(status)
        if code and not (code == -signal.SIGKILL and expects.startswith("kill")):
            problems.append(f"ended with {code}: {(directory / _ERRORS).read_text()[-20_000:]}")
        return problems
    finally:
        os.close(reading)


def _be_child(directory: Path, function: Callable[[], None]) -> None:
    code = 1
    try:
        os.setsid()
        errors = raw_open(directory / _ERRORS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(errors, number)
        os.close(errors)
        sys.stdout = sys.stderr = open(2, "w", closefd=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        watch()
        warnings.simplefilter("ignore")
        logging.getLogger().handlers[:] = []
        logging.getLogger().setLevel(logging.INFO)
        os.environ.pop(ENVIRONMENT, None)
        os.environ["XDG_RUNTIME_DIR"] = tempfile.tempdir = str(directory / _RUNTIME)
        patch()
        before = _open_things()
        function()
        deadline = time.monotonic() + 5  # a thread may take a moment to end
        while (left := _open_things() - before) and time.monotonic() < deadline:
            time.sleep(0.02)
            gc.collect()
        assert not left, f"left behind: {left}"
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def watch() -> None:
    """A hang of this process shows where it stands, and ends it."""
    # (`dump_traceback_later` would wait for ever in a child of one that has called it.)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    faulthandler.register(signal.SIGALRM, file=2, chain=True)
    signal.alarm(HANG_SECONDS)


def _open_things() -> set[str]:
    """Threads and descriptors of this process."""
    found = {thread.name for thread in threading.enumerate()}
    for number in range(1100):
        with contextlib.suppress(OSError):
            status = os.fstat(number)
            name = f"descriptor {number} {status.st_dev}:{status.st_ino}"
            with contextlib.suppress(OSError):
                name = f"descriptor {number} {os.readlink(f'/proc/self/fd/{number}')}"
            found.add(name)
    return found


class Survey(NamedTuple):
    """What an enumeration has done."""

    calls: int
    trials: int
    failures: list[str]


def enumerate_faults(
    scenario: Scenario,
    directory: Path,
    afterwards: Afterwards,
    is_long: bool = False,
    order: bool = True,
    tolerates: Callable[[str, Fault, str], bool] = lambda call, fault, problem: False,
) -> Survey:
    """Run the scenario with a fault at each of its calls.

    Args:
        is_long: Each call has all its faults; else one of them, in turn, and of many
            calls some.
        tolerates: Is asked of each problem, with the call and the fault.
    """
    first = run(scenario, afterwards, directory / "count", order=order)
    assert not first.problems, first.problems
    step = 1 if is_long else max(1, len(first.trace) // _QUICK_TRIALS)
    trials = []
    for number in range(0, len(first.trace), step):
        possible = faults_of(first.trace[number].split()[0])
        chosen = possible if is_long else [possible[len(trials) % len(possible)]]
        trials += [(number, fault) for fault in chosen]

    def run_one(at: int, fault: Fault) -> str:
        where = directory / f"{at} {fault}"
        outcome = run(scenario, afterwards, where, at, fault, order)
        hit = outcome.trace[at] if at < len(outcome.trace) else "never reached"
        problems = [text for text in outcome.problems if not tolerates(hit, fault, text)]
        if not problems:
            shutil.rmtree(where)
            return ""
        return f"call {at}, {hit}: {fault}: {problems} in {where}"

    return Survey(len(first.trace), len(trials), in_runners(run_one, trials, directory))


def in_runners(
    run_one: Callable[..., str], trials: Sequence[tuple[Any, ...]], directory: Path
) -> list[str]:
    """Run the trials in several processes at once, since they mostly wait; returns failures."""
    runners = []
    for number in range(RUNNERS):
        runner = os.fork()
        if runner == 0:
            code = 1
            try:
                failures = [text for trial in trials[number::RUNNERS] if (text := run_one(*trial))]
                (directory / f"failures-{number}").write_text(json.dumps(failures))
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        runners.append(runner)
    assert [os.waitpid(runner, 0)[1] for runner in runners] == [0] * RUNNERS
    return [
        text
        for number in range(RUNNERS)
        for text in json.loads((directory / f"failures-{number}").read_text())
    ]
