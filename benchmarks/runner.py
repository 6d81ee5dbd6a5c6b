"""One run of one peer, in a process of its own: `python -m benchmarks.runner DIRECTORY`.

The directory holds `spec.json` and receives `result.json`; the log goes into
its `logs/`. Workers say that they are ready with a file, and wait at the gate::

    runner                                  worker
    shut the gate (flock, exclusive)
    open the peer, start workers ─────────→ attach
    wait for all `ready-N`       ←───────── touch `ready-N`
    start the clock, open the gate ───────→ wait for the gate (flock, shared)
                                            log, write `figures-N.json`, exit
    join, close the peer, stop the clock
    check the file

A gate of files is the same for workers of any start method and for unrelated
processes, and it needs nothing from `multiprocessing`, which is being measured.
"""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from . import (
    rivals,  # noqa: F401 - registers its peers
    workload,
)
from .peers import PEERS, Peer

UNRELATED = "subprocess"
ONE_BY_ONE = "attach"
IMPORT = "import"
IMPORTS = 3


@dataclass(frozen=True)
class Spec:
    """One run."""

    peer: str
    start: str
    """A start method, or `UNRELATED`."""
    workers: int
    records: int
    """By each worker."""
    loop: str
    """One of `workload.LOOPS`, or `ONE_BY_ONE`, or `IMPORT`."""
    cores: int | None = None
    """How many it may run on, if not all."""


class Gate:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = open(directory / "gate", "a")

    def shut(self) -> None:
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def lift(self) -> None:
        fcntl.flock(self.file, fcntl.LOCK_UN)

    def pass_through(self, number: int) -> None:
        (self.directory / f"ready-{number}").touch()
        fcntl.flock(self.file, fcntl.LOCK_SH)
        self.file.close()

    def await_ready(self, workers: list[Worker]) -> None:
        while len(list(self.directory.glob("ready-*"))) < len(workers):
            for number, worker in enumerate(workers):
                if worker.exitcode is not None:
                    raise RuntimeError(f"worker {number} ended before the go: {worker.exitcode}")
            time.sleep(0.002)


# ------------------------------------------------------------------- the worker


def work(directory: Path, spec: Spec, number: int, token: Any) -> None:
    """Attach, wait for the go, log, and leave the figures in a file."""
    peer = PEERS[spec.peer](directory / "logs")
    log = peer.attach(token)
    loop = workload.LOOPS.get(spec.loop, workload.plain)
    if spec.loop != ONE_BY_ONE:
        Gate(directory).pass_through(number)
    before = workload.cpu()
    figures = loop(log, peer.template, number, spec.records, peer.size)
    figures["cpu_before"] = before
    figures["peak"] = workload.memory("VmHWM")
    (directory / f"figures-{number}.json").write_text(json.dumps(figures))


class Worker(Protocol):
    """A `Process`, or a `Popen` made to look like one."""

    def start(self) -> None: ...

    def join(self) -> None: ...

    @property
    def exitcode(self) -> Any: ...


class Unrelated:
    """A worker that is no child of `multiprocessing`."""

    def __init__(self, directory: Path, number: int) -> None:
        self.command = [sys.executable, "-m", "benchmarks.runner", str(directory), str(number)]

    def start(self) -> None:
        self.process = subprocess.Popen(self.command)

    def join(self) -> None:
        self.process.wait()

    @property
    def exitcode(self) -> int | None:
        return self.process.poll()


def make_workers(directory: Path, spec: Spec, peer: Peer, token: Any) -> list[Worker]:
    if spec.start == UNRELATED:
        return [Unrelated(directory, number) for number in range(spec.workers)]
    target = peer.target(work)
    return [
        multiprocessing.Process(target=target, args=(directory, spec, number, token))
        for number in range(spec.workers)
    ]


# ------------------------------------------------------------------- the parent


def run(directory: Path, spec: Spec) -> dict[str, Any]:
    if spec.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: spec.cores])
    peer = PEERS[spec.peer](directory / "logs")
    if spec.loop == IMPORT:
        return {"import": import_time(peer.module, peer.first_use), "faults": []}
    if spec.start != UNRELATED:
        multiprocessing.set_start_method(spec.start)
    children_before = workload.cpu(resource.RUSAGE_CHILDREN)
    token = peer.open()
    workers = make_workers(directory, spec, peer, token)
    measure = one_by_one if spec.loop == ONE_BY_ONE else together
    result = measure(directory, spec, peer, workers)
    result["parent_peak"] = workload.memory("VmHWM")

    figures = [json.loads(path.read_text()) for path in directory.glob("figures-*.json")]
    result["workers"] = figures
    children = workload.cpu(resource.RUSAGE_CHILDREN) - children_before
    before = sum(each["cpu_before"] for each in figures) + result.get("helpers_before", 0.0)
    result["children_cpu"] = children - before
    line = workload.compiled(peer.line)
    result["faults"] = [f"exit code {w.exitcode}" for w in workers if w.exitcode != 0]
    if peer.writes:
        result["faults"] += workload.check(peer.files(), line, spec.workers, spec.records)
    return result


def together(directory: Path, spec: Spec, peer: Peer, workers: list[Worker]) -> dict[str, Any]:
    """All workers at once, from the go until the last line is in the file."""
    gate = Gate(directory)
    gate.shut()
    for worker in workers:
        worker.start()
    gate.await_ready(workers)
    helpers_before = sum(map(workload.cpu_of, peer.helpers()))
    cpu_before = workload.cpu()
    started = time.perf_counter()
    gate.lift()
    for worker in workers:
        worker.join()
    seconds = finish(peer, spec, started)
    return {
        "seconds": seconds,
        "helpers_before": helpers_before,
        "parent_cpu": workload.cpu() - cpu_before,
    }


def one_by_one(directory: Path, spec: Spec, peer: Peer, workers: list[Worker]) -> dict[str, Any]:
    """Each worker from its start to its exit."""
    spans = []
    for worker in workers:
        started = time.perf_counter()
        worker.start()
        worker.join()
        spans.append(time.perf_counter() - started)
    finish(peer, spec, time.perf_counter())
    # The first one pays for what the others find done (the fork server itself).
    spans = sorted(spans[1:] or spans)
    return {"attach": workload.quantile(spans, 0.5)}


def finish(peer: Peer, spec: Spec, started: float) -> float:
    """Seconds from `started` until the parent knows that all lines are in the file."""
    if peer.confirms:
        peer.close()
        return time.perf_counter() - started
    deadline = time.monotonic() + 10
    count = workload.LineCount()
    while count.update(peer.files()) < spec.workers * spec.records:
        if time.monotonic() > deadline:
            break  # lost: the check is going to say how many
        time.sleep(0.005)
    seconds = time.perf_counter() - started
    peer.close()
    return seconds


def import_time(module: str, first_use: str) -> float:
    """Milliseconds that `module` adds, until it can be used; the best of a few interpreters."""
    code = (
        "import logging, multiprocessing, time; before = time.perf_counter(); "
        f"import {module}; {first_use or None}; print('took', time.perf_counter() - before)"
    )
    command = [sys.executable, "-c", code]
    # Compiled once, as for any program that is started a second time.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    outputs = [subprocess.check_output(command, text=True, env=env) for _ in range(IMPORTS)]
    return min(float(output.split()[-1]) for output in outputs) * 1e3


def main(arguments: list[str]) -> None:
    directory = Path(arguments[0])
    spec = Spec(**json.loads((directory / "spec.json").read_text()))
    if len(arguments) > 1:
        work(directory, spec, int(arguments[1]), None)
        return
    result = run(directory, spec)
    (directory / "result.json").write_text(json.dumps({**asdict(spec), **result}))


if __name__ == "__main__":
    # Workers are to find `work` in this module by its name, not in `__main__`.
    from benchmarks.runner import main as importable_main

    importable_main(sys.argv[1:])
