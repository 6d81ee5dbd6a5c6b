"""One run for `growth`, in a process of its own: `python -m benchmarks.growth_run DIRECTORY`.

Makes ready what the log grows beside, starts its workers, and says "ready"; at a line on
stdin they log, and it prints what that took. Several may be told to go at once: sessions
that know nothing of each other.
"""

from __future__ import annotations

import datetime
import itertools
import json
import logging
import multiprocessing
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import workload
from .peers import PEERS, Peer
from .runner import Gate, Worker


@dataclass(frozen=True)
class Spec:
    """One run; the defaults are the point that all axes have in common."""

    peer: str = "mplogging"
    workers: int = 4
    records: int = 40_000
    """By all workers together, of all sessions."""
    size: int = 100
    """Bytes of a message."""
    loggers: int = 1
    parts: int = 0
    """Parts of today's log that are there already; new ones get 1 MiB."""
    old_files: int = 0
    """Days of the log that are there already, and are kept."""
    sessions: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    """Of the session."""

    @property
    def by_each(self) -> int:
        return self.records // self.workers // self.sessions


def main(arguments: list[str]) -> None:
    directory = Path(arguments[0])
    spec = Spec(**json.loads((directory / "spec.json").read_text()))
    prepare(directory / "logs", spec)
    print(json.dumps(run(directory, spec)), flush=True)


def prepare(logs: Path, spec: Spec) -> None:
    today = datetime.date.today()
    for number in range(spec.parts):
        (logs / f"app.log.{today}{f'.{number}' if number else ''}").touch()
    for days in range(1, spec.old_files + 1):
        (logs / f"app.log.{today - datetime.timedelta(days)}").touch()


def run(directory: Path, spec: Spec) -> dict[str, Any]:
    peer = opened_peer(directory, spec)
    gate = Gate(directory)
    gate.shut()
    token = peer.open()
    target = peer.target(work)
    workers: list[Worker] = [
        multiprocessing.Process(target=target, args=(directory, spec, number, token))
        for number in range(spec.workers)
    ]
    for worker in workers:
        worker.start()
    gate.await_ready(workers)
    print("ready", flush=True)
    sys.stdin.readline()
    cpu, started = workload.cpu(), time.perf_counter()
    gate.lift()
    for worker in workers:
        worker.join()
    peer.close()
    seconds = time.perf_counter() - started
    cpu = workload.cpu() - cpu
    cpu += sum(float(path.read_text()) for path in directory.glob("cpu-*"))
    return {"seconds": seconds, "cpu": cpu, "lines": workload.LineCount().update(peer.files())}


def opened_peer(directory: Path, spec: Spec) -> Peer:
    peer = PEERS[spec.peer](directory / "logs")
    peer.options = spec.options  # type: ignore[attr-defined]
    return peer


def work(directory: Path, spec: Spec, number: int, token: Any) -> None:
    opened_peer(directory, spec).attach(token)
    calls = [logging.getLogger(f"bench.{n % 100}.{n}").info for n in range(spec.loggers)]
    text = "x" * max(0, spec.size - 2)
    Gate(directory).pass_through(number)
    before = workload.cpu()
    for call in itertools.islice(itertools.cycle(calls), spec.by_each):
        call("%d %s", number, text)
    (directory / f"cpu-{number}").write_text(str(workload.cpu() - before))


def described(spec: Spec) -> str:
    return json.dumps(asdict(spec))


if __name__ == "__main__":
    # Workers are to find `work` in this module by its name, not in `__main__`.
    from benchmarks.growth_run import main as importable_main

    importable_main(sys.argv[1:])
