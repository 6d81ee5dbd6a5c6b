"""Each system call fails, in each way that it can, or the process dies just before or after
it: every accepted record is in its own day's file, whole, once, in order, and nothing is left.
"""

from __future__ import annotations

import functools

import pytest

from .faults import scenarios
from .faults.calls import Fault
from .faults.trial import enumerate_faults

# What the promise does not cover, by the call, the fault, and what comes of it.
_EXCEPTIONS = [
    # An empty FIFO in the runtime directory, which nothing tells of any more.
    ("unlink bell.remove_bell", "error", ".bell"),
]


def _tolerates(call: str, fault: Fault, problem: str) -> bool:
    return any(
        call.startswith(name) and fault.kind == kind and problem.startswith("left over")
        and problem.endswith(text)
        for name, kind, text in _EXCEPTIONS
    )  # fmt: skip


_PARTS = {"maxBytes": 400, "compress": "gz", "compressAfter": 0.2, "symlink": True}
SCENARIOS = {
    "a session's parent": (scenarios.session_parent, {}),
    "a session's worker": (scenarios.session_worker, {}),
    "a process that attaches": (scenarios.attached_worker, {}),
    "a session's end": (scenarios.stop, {}),
    "a parent with tiny segments": (scenarios.turnover_parent, {}),
    "a worker with tiny segments": (scenarios.turnover_worker, {}),
    "a handler alone, with parts, compression and link": (scenarios.lone_handler, {}),
    **{
        f"{name}, {how}{', in parts' if options else ''}": (scenario, {"how": how, **options})
        for name, scenario in {
            "a survivor": scenarios.take_over, "a recovery": scenarios.recovery
        }.items()
        for how in scenarios.DEATHS
        for options in ({}, _PARTS)
    },
}  # fmt: skip
# Two kills: of a recovery, and of the next one.
TWICE = {
    f"a recovery after one that was killed at call {number}": (
        scenarios.recovery, {"how": "half written", "killed_at": number, **_PARTS}
    )
    for number in range(5, 130, 18)
}  # fmt: skip
# Where the others differ in what they find only, not in what they call.
_QUICK = [
    name for name in SCENARIOS
    if "noted" not in name and not ("half" in name and "parts" not in name)
]  # fmt: skip


def survey(name, directory, is_long):
    scenario, options = {**SCENARIOS, **TWICE}[name]
    is_lone = scenario is scenarios.lone_handler
    return enumerate_faults(
        functools.partial(scenario, **options),
        directory,
        scenarios.next_handler if is_lone else scenarios.next_session,
        is_long,
        tolerates=_tolerates,
    )


@pytest.mark.parametrize("name", _QUICK)
def test_each_call_has_one_of_its_faults(tmp_path, name):
    """In turn; of scenarios with many calls, every second or tenth has."""
    calls, trials, failures = survey(name, tmp_path, is_long=False)
    assert not failures, "\n".join(failures)
    assert min(calls, 20) <= trials


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", [*SCENARIOS, *TWICE])
def test_each_call_has_each_of_its_faults(tmp_path, name):
    """The long form."""
    calls, trials, failures = survey(name, tmp_path, is_long=True)
    print(f"\n{name}: {calls} calls, {trials} trials, {len(failures)} failures")
    assert not failures, "\n".join(failures)
