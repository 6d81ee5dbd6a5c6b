"""Which runs answer which question, and what is read from them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from typing import Any, Callable

from . import rivals  # noqa: F401 - registers its peers
from .launch import Outcome, launch
from .peers import PEERS, YARDSTICK, installed
from .results import Key, Results
from .runner import IMPORT, ONE_BY_ONE, UNRELATED, Spec
from .workload import quantile


@dataclass(frozen=True)
class Measure:
    name: str
    unit: str
    of: Callable[[dict[str, Any]], float]
    more: bool = False
    """Whether more is better."""
    relative: bool = True
    """Whether a ratio to the yardstick means something."""


def total(result: dict[str, Any]) -> int:
    return int(result["workers_number"] * result["records"])


def of_worker(key: str, scale: float = 1.0) -> Callable[[dict[str, Any]], float]:
    """The worst of the workers."""
    return lambda result: max(each[key] for each in result["workers"]) * scale


RATE = Measure("throughput", "records/s", lambda r: total(r) / r["seconds"], more=True)
CPU = Measure(
    "cpu", "µs a record", lambda r: (r["parent_cpu"] + r["children_cpu"]) / total(r) * 1e6
)
PARENT_CPU = Measure(
    "parent cpu", "µs a record", lambda r: r["parent_cpu"] / total(r) * 1e6, relative=False
)
LOOP = Measure(
    "time in a worker", "µs a record", lambda r: of_worker("loop")(r) / r["records"] * 1e6
)
CALL = tuple(
    Measure(f"call {name}", "µs", of_worker(name)) for name in ("mean", "p50", "p99", "p99.9")
)
MEMORY = (
    Measure("parent peak", "MiB", lambda r: r["parent_peak"], relative=False),
    Measure("worker peak", "MiB", of_worker("peak"), relative=False),
    Measure("worker growth", "MiB", of_worker("growth"), relative=False),
)


def of_all(key: str, share: float) -> Callable[[dict[str, Any]], float]:
    """A quantile over the calls of all workers."""

    def value(result: dict[str, Any]) -> float:
        return quantile(sorted(x for each in result["workers"] for x in each[key]), share)

    return value


SHARES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999))
RESPONSE = tuple(
    Measure(f"{what} {name}", "µs", of_all(key, share), relative=False)
    for what, key in (("response", "responses"), ("its call", "calls"))
    for name, share in SHARES
)
BURST = Measure(
    "rate of the calls", "records/s", lambda r: total(r) / of_worker("loop")(r), more=True
)
LATENCY = tuple(
    Measure(f"latency {name}", "ms", of_worker(name), relative=False) for name in ("p50", "p99")
)
ATTACH = Measure("start to exit", "ms", lambda r: r["attach"] * 1e3)
IMPORT_TIME = Measure("import", "ms", lambda r: r["import"], relative=False)


@dataclass(frozen=True)
class Case:
    """One column: how the workers are started, and what they do."""

    label: str
    start: str
    workers: int
    measures: tuple[Measure, ...]
    loop: str = "plain"
    records: int | None = None
    """By each worker; without it as many as fit into the time for a run."""
    quick: bool = True
    timeout: float = 60
    peers: tuple[str, ...] | None = None
    """Fewer than the question's."""
    lengths: float = 1.0
    """How many times as long as other runs it lasts."""
    cores: int | None = None
    """Those that it may run on; without it all."""


@dataclass(frozen=True)
class Question:
    name: str
    cases: tuple[Case, ...]
    peers: tuple[str, ...]
    yardstick: str = YARDSTICK
    most_rounds: int = 1000


FLOORS = tuple(name for name in PEERS if name.startswith("floor"))
ALONE = (
    "mplogging.DatedFileHandler",
    "mplogging.DatedFileHandler(lock=False)",
    "mplogging.DatedFileHandler(maxBytes=1 MiB), 3,000 parts",
    "ConcurrentTimedRotatingFileHandler",
)
CONSOLE = "mplogging + console"
GENERAL = tuple(name for name in PEERS if name not in (*ALONE, CONSOLE))
NO_FLOORS = tuple(name for name in GENERAL if name not in FLOORS)
# Elsewhere, what starts the workers changes nothing once they have started.
STARTED = (YARDSTICK, "QueueHandler + mp.Queue", "loguru", "logging-mp", "mplogging")
SPEED = (RATE, CPU, PARENT_CPU)
FEW = (YARDSTICK, "QueueHandler + mp.Queue", "concurrent-log-handler", "loguru", "mplogging",
       'mplogging, recordFields="needed"')


def cores() -> tuple[int, ...]:
    """1, 2, 4, … of those that we may run on, and all; none where that can't be chosen."""
    if not hasattr(os, "sched_setaffinity"):
        return ()
    most = len(os.sched_getaffinity(0))
    return tuple(sorted({*(2**n for n in range(most.bit_length())), most}))



QUESTIONS = (
    Question(
        "throughput",
        (
            Case("1 fork", "fork", 1, SPEED, quick=False),
            Case("2 fork", "fork", 2, SPEED, quick=False),
            Case("4 fork", "fork", 4, SPEED),
            Case("8 fork", "fork", 8, SPEED, quick=False),
            Case("4 spawn", "spawn", 4, (RATE,), peers=STARTED),
            Case("4 forkserver", "forkserver", 4, (RATE,), peers=STARTED),
        ),
        GENERAL,
    ),
    # A burst goes into queues and pipes, and what it takes to write it comes afterwards.
    Question(
        "burst",
        (Case("4 fork, 500 each", "fork", 4, (BURST,), records=500),),
        NO_FLOORS,
        most_rounds=3,
    ),
    Question(
        "sustained",
        (Case("4 fork", "fork", 4, (RATE,), quick=False, lengths=5),),
        NO_FLOORS,
        most_rounds=2,
    ),
    Question(
        "response",
        (Case("2 × 2,500 a second", "fork", 2, RESPONSE, "due", 5_000),),
        (*NO_FLOORS, "floor: NullHandler"),
        most_rounds=3,
    ),
    Question(
        "cores",
        tuple(
            Case(f"4 fork on {count}", "fork", 4, (RATE,), quick=False, cores=count)
            for count in cores()
        ),
        FEW,
        most_rounds=3,
    ),
    Question("call", (Case("1 fork", "fork", 1, CALL, "timed"),), GENERAL),
    Question(
        "memory",
        (Case("200,000 records", "fork", 1, MEMORY, "growing", 200_000, timeout=180),),
        NO_FLOORS,
        most_rounds=1,
    ),
    Question("latency", (Case("40 a second", "fork", 1, LATENCY, "paced", 30),), NO_FLOORS),
    Question(
        "attach",
        (
            Case("fork", "fork", 6, (ATTACH,), ONE_BY_ONE, 1),
            Case("spawn", "spawn", 3, (ATTACH,), ONE_BY_ONE, 1, quick=False),
        ),
        (*NO_FLOORS, "floor: NullHandler"),
        most_rounds=5,
    ),
    Question(
        "import",
        (Case("fresh interpreter", "fork", 0, (IMPORT_TIME,), IMPORT, 0),),
        NO_FLOORS[1:],
        most_rounds=5,
    ),
    Question(
        "handler",
        (
            Case("1 process", UNRELATED, 1, (LOOP, RATE)),
            Case("4 processes", UNRELATED, 4, (RATE,)),
        ),
        (YARDSTICK, "TimedRotatingFileHandler", *ALONE),
    ),
    Question(
        "console",
        (Case("4 fork", "fork", 4, (RATE, PARENT_CPU)),),
        (YARDSTICK, "mplogging", CONSOLE),
        yardstick="mplogging",
    ),
)


# ---------------------------------------------------------------------- the plan


@dataclass(frozen=True)
class Job:
    question: Question
    case: Case
    peer: str


def plan(only: Sequence[str], quick: bool = False) -> list[Job]:
    """The jobs that `only` asks for; a question's yardstick is always among them."""
    jobs = []
    for question in QUESTIONS:
        names = [p for p in question.peers if installed(PEERS[p])]
        wanted = [p for p in names if not only or any(asked(o, question.name, p) for o in only)]
        if wanted and question.yardstick in names and question.yardstick not in wanted:
            wanted.append(question.yardstick)
        for case in question.cases:
            for peer in wanted:
                fits = case.start in (*PEERS[peer].methods, UNRELATED)
                if fits and (case.peers is None or peer in case.peers):
                    jobs.append(Job(question, case, peer))
    return [job for job in jobs if job.case.quick] if quick else jobs


def asked(only: str, question: str, peer: str) -> bool:
    """Whether `question/peer`, either of them a pattern or left out, means this."""
    which, _, who = only.partition("/")
    return fnmatch(question, which or "*") and fnmatch(peer, who or "*")


def missing() -> list[str]:
    return [name for name, peer in PEERS.items() if not installed(peer)]


# -------------------------------------------------------------------- the rounds


class Pace:
    """How many records each worker logs: what fits into `seconds`, half for slow peers."""

    SAMPLE = 2000

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.rates: dict[str, float] = {}

    def calibrate(self, peer: str) -> Outcome:
        outcome = launch(Spec(peer, PEERS[peer].methods[0], 4, self.SAMPLE, "plain"), 30)
        seconds = outcome.result.get("seconds", 1.0)
        self.rates[peer] = 4 * self.SAMPLE / seconds
        return outcome

    def records(self, job: Job) -> int:
        if job.case.records is not None:
            return job.case.records
        rate = self.rates[job.peer]
        slow = rate < self.rates.get(YARDSTICK, rate) / 2
        seconds = self.seconds * job.case.lengths / (2 if slow else 1)
        return max(500, int(rate * seconds / job.case.workers))


def perform(job: Job, records: int) -> Outcome:
    case = job.case
    spec = Spec(job.peer, case.start, case.workers, records, case.loop, case.cores)
    outcome = launch(spec, case.timeout)
    outcome.result["workers_number"] = case.workers
    return outcome


def shuffled(jobs: Sequence[Job]) -> Iterator[Job]:
    """Cases in random order, and in each the peers: what is compared runs side by side."""
    cases = list(dict.fromkeys(job.case for job in jobs))
    random.shuffle(cases)
    for case in cases:
        together = [job for job in jobs if job.case == case]
        random.shuffle(together)
        yield from together


def record(results: Results, job: Job, number: int, outcome: Outcome) -> None:
    for trouble in [outcome.status] if not outcome.ok else outcome.result["faults"]:
        results.trouble(job.question.name, job.case.label, job.peer, trouble)
    if outcome.ok:
        for measure in job.case.measures:
            key = Key(job.question.name, measure.name, job.case.label, job.peer)
            results.add(key, number, measure.of(outcome.result))


def measure_all(
    jobs: Sequence[Job], rounds: int, seconds: float, say: Callable[[str], None]
) -> Results:
    results = Results()
    pace = Pace(seconds)
    for peer in dict.fromkeys(job.peer for job in jobs):
        outcome = pace.calibrate(peer)
        say(f"calibrating: {peer}, {pace.rates[peer]:,.0f} records/s ({outcome.status})")
    for question in dict.fromkeys(job.question for job in jobs):
        mine = [job for job in jobs if job.question == question]
        given_up = set()
        for number in range(min(rounds, question.most_rounds)):
            say(f"{question.name}: round {number + 1}, {len(mine)} runs")
            for job in shuffled(mine):
                if job in given_up:
                    continue
                outcome = perform(job, pace.records(job))
                record(results, job, number, outcome)
                if not outcome.ok:
                    given_up.add(job)  # it would cost its time limit again
                    say(f"{question.name}, {job.case.label}, {job.peer}: {outcome.status}")
    return results


def smoke(jobs: Sequence[Job]) -> Results:
    """Everything once with few records, several at a time: do the counts agree?"""
    results = Results()

    def small(job: Job) -> Outcome:
        case = replace(job.case, workers=min(job.case.workers, 2), timeout=20)
        few = 5 if case.loop == "paced" else 200
        records = few if case.records is None else min(few, case.records)
        return perform(replace(job, case=case), records)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for job, outcome in zip(jobs, pool.map(small, jobs)):
            record(results, job, 0, outcome)
    return results
