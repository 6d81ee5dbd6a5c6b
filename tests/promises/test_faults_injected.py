"""The N-th system call of each thread fails, whoever makes it: also what C code calls, which
the enumeration in process does not see (a compressed file's writes, a directory's listing).
"""

from __future__ import annotations

import collections
import contextlib
import functools
import gzip  # noqa: F401 (imported before it is needed: what an import calls is not ours)
import os
import re
import shutil
import signal
import subprocess
import zlib  # noqa: F401
from pathlib import Path

import pytest

from .faults import scenarios
from .faults.account import made_up, prepare, sweep_temporaries
from .faults.trial import Trial, in_processes, in_runners, leftovers

_STRACE = shutil.which("strace")
# By call, what it may give. The account itself is kept by others.
_FAULTS = {
    "write": ("error=ENOSPC", "error=EIO", "signal=SIGKILL"),
    "read": ("error=EIO",),
    "pread64": ("error=EIO",),
    "getdents64": ("error=EIO",),
    "fchmod": ("error=EPERM",),
    "fchown": ("error=EPERM",),
    "unlinkat": ("signal=SIGKILL",),
    "renameat": ("signal=SIGKILL",),
}
_PARTS = {"maxBytes": 400, "compress": "gz", "compressAfter": 0.2, "symlink": True}


def _nothing(trial: Trial) -> None:
    pass


def _next_session(trial: Trial) -> None:
    with trial.may_be_refused():
        scenarios.next_session(trial.directory)


# What is there before, and what is under test.
SCENARIOS = {
    "a session's parent": (_nothing, scenarios.session_parent),
    "a handler alone": (_nothing, scenarios.lone_handler),
    "a recovery": (
        functools.partial(scenarios.recovery, how="half written", recovers=False, **_PARTS),
        _next_session,
    ),
}


class _Unarmed(Trial):
    """Its calls are counted by others."""

    def arm(self, is_child: bool = False) -> None:
        pass


def _works() -> bool:
    """False where a program may not be traced, as in many a container."""
    if _STRACE is None:
        return False
    tried = [_STRACE, "-qq", "-e", "trace=none", "-e", "inject=sync:error=EIO:when=1", "true"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _works(), reason="strace is not here, or may not trace")


@contextlib.contextmanager
def _traced(pid: int, directory: Path, *options: str):
    """From when the process has stopped itself: its calls, and those of what it forks."""
    os.waitpid(pid, os.WUNTRACED)
    assert _STRACE
    strace = subprocess.Popen(
        [_STRACE, "-f", "-o", str(directory / "calls"), *options, "-p", str(pid)],
        stderr=subprocess.PIPE, text=True,
    )
    assert strace.stderr and "attached" in strace.stderr.readline()
    os.kill(pid, signal.SIGCONT)
    yield
    strace.stderr.close()
    strace.wait(60)


def _run(name: str, directory: Path, *options: str, is_kill: bool = False) -> list[str]:
    """What is wrong after it."""
    prepare(directory)
    (directory / "run").mkdir()
    trial = _Unarmed(directory)
    before, scenario = SCENARIOS[name]

    def stopped() -> None:
        before(trial)
        os.kill(os.getpid(), signal.SIGSTOP)
        scenario(trial)

    with contextlib.ExitStack() as stack:
        problems = in_processes(
            directory, stopped, "kill" if is_kill else "",
            lambda pid: stack.enter_context(_traced(pid, directory, *options)),
        )
    trial.close()
    is_lone = scenario is scenarios.lone_handler
    following = scenarios.next_handler if is_lone else scenarios.next_session
    problems += in_processes(directory, lambda: following(str(directory)))
    sweep_temporaries(directory)
    problems += made_up(directory).problems
    return problems + [f"left over: {path}" for path in leftovers(directory)]


def _enumerated(name: str, directory: Path, step: int) -> tuple[int, list[str]]:
    """Each fault of each step-th call; returns how many trials there were, and failures."""
    first = directory / "count"
    problems = _run(name, first, "-e", "trace=" + ",".join(_FAULTS))
    assert not problems, problems
    called = re.findall(r"^(\d+) +(\w+)\(", (first / "calls").read_text(), re.M)
    counts = collections.Counter(called)
    trials = [
        (call, fault, number)
        for call, faults in _FAULTS.items()
        for fault in faults
        for number in range(
            1, 1 + max((n for (_, one), n in counts.items() if one == call), default=0), step
        )
    ]

    def run_one(call: str, fault: str, number: int) -> str:
        where = directory / f"{call} {fault} {number}"
        options = "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={number}"
        problems = _run(name, where, *options, is_kill="SIGKILL" in fault)
        if not problems:
            shutil.rmtree(where)
        return f"{call} {number}: {fault}: {problems} in {where}" if problems else ""

    return len(trials), in_runners(run_one, trials, directory)


@pytest.mark.parametrize("name", SCENARIOS)
def test_some_calls(tmp_path, name):
    trials, failures = _enumerated(name, tmp_path, step=31)
    assert not failures, "\n".join(failures)
    assert trials


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", SCENARIOS)
def test_each_call(tmp_path, name):
    """The long form."""
    trials, failures = _enumerated(name, tmp_path, step=1)
    print(f"\n{name}: {trials} trials, {len(failures)} failures")
    assert not failures, "\n".join(failures)
