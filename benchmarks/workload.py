"""The records, what a worker does with them, and the check of what it wrote."""

from __future__ import annotations

import os
import re
import resource
import sys
import time
from array import array
from collections.abc import Iterable
from pathlib import Path
from re import Pattern
from typing import Any, Callable

FORMAT = "%(asctime)s %(levelname)s %(processName)s %(name)s %(message)s"
MESSAGE = "worker %d record %d %s"
TEXT = "x" * 100
TAIL = rb"worker (\d+) record (\d+) x{100}"
LINE = rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO \S+ \S+ " + TAIL

LATENCY_PAUSE = 0.025
# Seconds between two calls of a worker that are due.
DUE_EVERY = 0.0004
WARM_UP = 1000

Log = Callable[..., Any]
Figures = dict[str, Any]


# ------------------------------------------------------------------ the loops
# A loop takes: the call to measure, its message template, the worker's number,
# how many records, and a function that tells the size of what is in the file.


def plain(log: Log, template: str, number: int, records: int, size: Callable[[], int]) -> Figures:
    """Log as fast as possible."""
    started = time.perf_counter()
    for index in range(records):
        log(template, number, index, TEXT)
    return {"loop": time.perf_counter() - started}


def timed(log: Log, template: str, number: int, records: int, size: Callable[[], int]) -> Figures:
    """Log as fast as possible, with a clock around each call."""
    clock = time.perf_counter_ns
    costs = array("q", bytes(8 * records))
    for index in range(records):
        before = clock()
        log(template, number, index, TEXT)
        costs[index] = clock() - before
    ordered = sorted(costs)
    return {
        "mean": sum(ordered) / records / 1e3,
        "p50": quantile(ordered, 0.50) / 1e3,
        "p99": quantile(ordered, 0.99) / 1e3,
        "p99.9": quantile(ordered, 0.999) / 1e3,
    }


def growing(
    log: Log, template: str, number: int, records: int, size: Callable[[], int]
) -> Figures:
    """Log as fast as possible, and tell how far memory grew at its highest."""
    warm_up = min(WARM_UP, records // 2)
    for index in range(warm_up):
        log(template, number, index, TEXT)
    before = memory("VmRSS")
    for index in range(warm_up, records):
        log(template, number, index, TEXT)
    return {"growth": max(0.0, memory("VmHWM") - before)}


def paced(log: Log, template: str, number: int, records: int, size: Callable[[], int]) -> Figures:
    """Log at a low rate, and wait each time until the line is in the file."""
    clock = time.perf_counter
    delays: list[float] = []
    for index in range(records):
        known = size()
        before = clock()
        log(template, number, index, TEXT)
        while size() == known:
            if clock() - before > 5:
                raise TimeoutError(f"record {index} was not in the file after 5 s")
            time.sleep(50e-6)
        delays.append((clock() - before) * 1e3)
        time.sleep(LATENCY_PAUSE)
    # The first record opens the file, and wakes threads that are started late.
    ordered = sorted(delays[1:] or delays)
    return {"p50": quantile(ordered, 0.5), "p99": quantile(ordered, 0.99)}


def due(log: Log, template: str, number: int, records: int, size: Callable[[], int]) -> Figures:
    """Log at a given rate: from when a call is due until it has returned, and from its begin.

    A call that is held up makes those after it late, and they count as late: whoever
    measures from a call's own begin only leaves out the waiting (coordinated omission).
    """
    clock, sleep = time.perf_counter, time.sleep
    responses, calls = array("d"), array("d")
    # Not all workers at the same moments.
    first = clock() + 0.01 + number * DUE_EVERY / 2
    for index in range(records):
        moment = first + index * DUE_EVERY
        while (ahead := moment - clock()) > 0:
            sleep(ahead)
        begun = clock()
        log(template, number, index, TEXT)
        ended = clock()
        responses.append((ended - moment) * 1e6)
        calls.append((ended - begun) * 1e6)
    return {"responses": list(responses), "calls": list(calls)}


LOOPS: dict[str, Callable[[Log, str, int, int, Callable[[], int]], Figures]] = {
    "plain": plain,
    "timed": timed,
    "growing": growing,
    "paced": paced,
    "due": due,
}


def quantile(ordered: list[int] | list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


# ------------------------------------------------------- what a process has used


def memory(field: str) -> float:
    """MiB that this process has (`VmRSS`), or had at its highest (`VmHWM`).

    Not `ru_maxrss` where it can be avoided: that survives an `exec`, and so
    tells of the parent's memory too.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split(field + ":")[1].split()[0]) / 1024
    except OSError:
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def cpu(who: int = resource.RUSAGE_SELF) -> float:
    """Seconds of CPU time, user and system."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def cpu_of(pid: int) -> float:
    """Seconds of CPU time of another process; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --------------------------------------------------------------------- the check


class LineCount:
    """Counts lines while they are written, each once, without holding a file in memory."""

    CHUNK = 2**18

    def __init__(self) -> None:
        self.lines = 0
        self.offsets: dict[Path, int] = {}

    def update(self, paths: Iterable[Path]) -> int:
        for path in paths:
            with open(path, "rb") as file:
                file.seek(self.offsets.get(path, 0))
                while chunk := file.read(self.CHUNK):
                    self.lines += chunk.count(b"\n")
                self.offsets[path] = file.tell()
        return self.lines


def check(paths: Iterable[Path], line: Pattern[bytes], workers: int, records: int) -> list[str]:
    """What is wrong with a log that should hold `records` lines of each worker."""
    seen = [bytearray(records) for _ in range(workers)]
    last = [-1] * workers
    torn = doubled = disordered = foreign = 0
    for path in sorted(paths, key=lambda path: (len(path.name), path.name)):  # ".9", ".10"
        *lines, rest = path.read_bytes().split(b"\n")
        torn += bool(rest)
        for text in lines:
            match = line.fullmatch(text)
            if match is None:
                torn += 1
                continue
            worker, index = int(match[1]), int(match[2])
            if worker >= workers or index >= records:
                foreign += 1
                continue
            doubled += seen[worker][index]
            disordered += index < last[worker]
            seen[worker][index] = 1
            last[worker] = index
    lost = workers * records - sum(map(sum, seen))
    found = {
        "lost": lost,
        "doubled": doubled,
        "torn": torn,
        "out of order": disordered,
        "foreign": foreign,
    }
    return [f"{number} {what}" for what, number in found.items() if number]


def compiled(line: bytes) -> Pattern[bytes]:
    return re.compile(line)
