"""The figures that are aimed at, beside those reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .peers import YARDSTICK
from .results import Key, Results

OURS = "mplogging"
NEEDED = 'mplogging, recordFields="needed"'
DATED = "mplogging.DatedFileHandler"
RATE_4 = Key("throughput", "throughput", "4 fork", OURS)
ONE = Key("handler", "time in a worker", "1 process", DATED)
FOUR = Key("handler", "throughput", "4 processes", DATED)


@dataclass(frozen=True)
class Goal:
    what: str
    bound: float
    at_least: bool
    key: Key
    against: str | None = YARDSTICK
    """The peer to compare with; None for the value itself."""
    case_against: str | None = None
    """The case to compare with, of the same peer."""

    def reached(self, results: Results) -> float | None:
        if self.case_against is not None:
            mine = self.value(results, self.key)
            other = self.value(results, self.key._replace(case=self.case_against))
            return mine / other if mine and other else None
        return self.value(results, self.key)

    def value(self, results: Results, key: Key) -> float | None:
        if self.against is not None:
            return results.ratio(key, self.against)
        figure = results.figure(key)
        return figure.median if figure else None


def started(case: str) -> Goal:
    """The ratios to FileHandler are compared, since interpreters differ in how
    long they take to exit, whatever they logged."""
    what = f"throughput against FileHandler, {case} against 4 fork"
    return Goal(what, 0.95, True, RATE_4._replace(case=case), case_against="4 fork")


GOALS = (
    Goal("throughput, 4 workers, against FileHandler", 1.40, True, RATE_4),
    Goal("… with the needed fields only", 1.80, True, RATE_4._replace(peer=NEEDED)),
    Goal("… against QueueHandler + mp.Queue", 6, True, RATE_4, "QueueHandler + mp.Queue"),
    Goal("… against loguru", 9, True, RATE_4, "loguru"),
    Goal("… against concurrent-log-handler", 9, True, RATE_4, "concurrent-log-handler"),
    Goal("mean call against FileHandler", 0.72, False, Key("call", "call mean", "1 fork", OURS)),
    Goal("… with the needed fields only", 0.45, False, Key("call", "call mean", "1 fork", NEEDED)),
    Goal("CPU a record against FileHandler", 0.72, False, RATE_4._replace(measure="cpu")),
    Goal("parent's CPU a record, µs", 0.6, False, RATE_4._replace(measure="parent cpu"), None),
    Goal("worker growth over 200,000 records, MiB", 1, False,
         Key("memory", "worker growth", "200,000 records", OURS), None),
    Goal("throughput, 8 workers against 2", 1, True, RATE_4._replace(case="8 fork"), None,
         "2 fork"),
    started("4 spawn"),
    started("4 forkserver"),
    Goal("console handler beside the file against the file alone", 0.9, True,
         Key("console", "throughput", "4 fork", "mplogging + console"), OURS),
    Goal("import, ms", 10, False, Key("import", "import", "fresh interpreter", OURS), None),
    Goal("latency p99, ms", 20, False, Key("latency", "latency p99", "40 a second", OURS), None),
    Goal("DatedFileHandler, 1 process: time against FileHandler", 0.90, False, ONE),
    Goal("DatedFileHandler, 4 processes: throughput against FileHandler", 0.9, True, FOUR),
    Goal("… of parts of 1 MiB, 3,000 of them there already", 0.9, True,
         FOUR._replace(peer=f"{DATED}(maxBytes=1 MiB), 3,000 parts")),
    Goal("… against ConcurrentTimedRotatingFileHandler", 6, True, FOUR,
         "ConcurrentTimedRotatingFileHandler"),
)  # fmt: skip


def lines(results: Results) -> Iterator[str]:
    for goal in GOALS:
        value = goal.reached(results)
        if value is None:
            continue
        met = value >= goal.bound if goal.at_least else value <= goal.bound
        sign = ">=" if goal.at_least else "<="
        yield f"  {'yes' if met else 'NO ':3} {value:8.2f} {sign} {goal.bound:<5g} {goal.what}"
