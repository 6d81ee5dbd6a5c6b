"""What grows, and what it costs: a record's cost from the least to the most of everything.

    python -m benchmarks.growth                       # about 9 minutes
    python -m benchmarks.growth --quick               # each axis' ends, small: counts only
    python -m benchmarks.growth --only sessions       # one axis
    python -m benchmarks.growth --json out.json --plot
    python -m benchmarks.growth --load out.json --plot

Each axis begins at its least point, and all else stays as `growth_run.Spec` has it. A
point's figures are the best of the rounds, since whatever else the machine does makes
them worse; beside them stand those of a `FileHandler` in each process, which tell what
the machine and `logging` themselves do at that point. Every run's lines are counted.

The figures go into the file of ``python -m benchmarks --json`` if they are told to,
beside what stands there. The plot is `growth_plot`'s.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from .__main__ import environment as machine
from .growth_run import Spec, described
from .launch import ROOT, end, environment
from .peers import YARDSTICK
from .results import Key, Results

OURS = "mplogging"
RATE, CPU = "throughput", "cpu"
PEERS = (OURS, YARDSTICK)
# From so many records on, a point is measured once, and only ours beyond the next.
_LONG, _LONGEST = 1_000_000, 10_000_000
_TIMEOUT = 900.0
_PART_BYTES = 1 << 20


@dataclass(frozen=True)
class Axis:
    """What grows: a field of `Spec`."""

    name: str
    field: str
    points: tuple[int, ...]
    others: dict[str, Any] = field(default_factory=dict)
    """What else is as it is for all of its points."""
    bytes_each: bool = False
    """A record gets larger: its cost has to grow with it."""
    ours_only: bool = False

    @property
    def question(self) -> str:
        return f"growth: {self.name}"

    def spec(self, point: int, peer: str) -> Spec:
        spec = replace(Spec(peer, **self.others), **{self.field: point})
        if self.bytes_each:  # 200 MB at most
            spec = replace(spec, records=max(200, min(spec.records, 200_000_000 // point)))
        return spec

    def key(self, measure: str, point: int, peer: str) -> Key:
        return Key(self.question, measure, f"{point:,}", peer)


_KEPT = {"maxBytes": _PART_BYTES, "backupCount": 100_000}
AXES = (
    Axis("workers", "workers", (1, 2, 4, 8, 16, 32, 64), {"records": 64_000}),
    Axis("records", "records", (10_000, 100_000, 1_000_000, 10_000_000)),
    Axis("message size, bytes", "size", (10, 100, 1 << 10, 10 << 10, 100 << 10, 1 << 20),
         bytes_each=True),
    Axis("loggers", "loggers", (1, 10, 100, 1_000, 10_000), {"records": 200_000}),
    Axis("parts of the day", "parts", (10, 100, 1_000, 10_000),
         {"options": {"maxBytes": _PART_BYTES}}, ours_only=True),
    Axis("old files, kept by backupCount", "old_files", (10, 100, 1_000, 10_000),
         {"options": _KEPT}, ours_only=True),
    Axis("sessions", "sessions", (1, 5, 10, 20, 50), {"workers": 1, "records": 200_000}),
)  # fmt: skip


# -------------------------------------------------------------------------- runs


class Lost(Exception):
    """A run that did not end, or whose lines are not all there."""


def measure(spec: Spec) -> dict[str, float]:
    """Records a second from the go to the last line, and µs of CPU a record.

    Raises:
        Lost: It failed.
    """
    directory = Path(tempfile.mkdtemp(prefix="mplogging-bench-"))
    programs: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(spec.sessions):
            programs.append(started(directory / str(number), spec))
        for program in programs:
            answer(program, b"ready")
        begun = time.perf_counter()
        for program in programs:
            assert program.stdin is not None
            program.stdin.write(b"go\n")
            program.stdin.flush()
        done = [json.loads(answer(program)) for program in programs]
        # Of one, its own clock, which stops before the lines are counted.
        seconds = done[0]["seconds"] if len(done) == 1 else time.perf_counter() - begun
    finally:
        for program in programs:
            end(program)
            for pipe in (program.stdin, program.stdout):
                assert pipe is not None
                pipe.close()
        shutil.rmtree(directory, ignore_errors=True)
    records = spec.by_each * spec.workers * spec.sessions
    lines = sum(each["lines"] for each in done)
    if lines != records:
        raise Lost(f"{lines} lines of {records} records")
    return {RATE: records / seconds, CPU: sum(each["cpu"] for each in done) / records * 1e6}


def started(directory: Path, spec: Spec) -> subprocess.Popen[bytes]:
    (directory / "logs").mkdir(parents=True)
    (directory / "spec.json").write_text(described(spec))
    command = [sys.executable, "-m", "benchmarks.growth_run", str(directory)]
    return subprocess.Popen(
        ["timeout", "-s", "KILL", str(_TIMEOUT), *command] if shutil.which("timeout") else command,
        cwd=ROOT, env=environment(), start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def answer(program: subprocess.Popen[bytes], expected: bytes | None = None) -> bytes:
    assert program.stdout is not None
    line = program.stdout.readline().strip()
    if not line or expected not in (None, line):
        raise Lost(f"a program said {line!r} and ended")
    return line


def plan(only: Sequence[str], rounds: int) -> Iterator[tuple[int, Axis, int, str]]:
    """Round, axis, point and peer of each run: an axis' points side by side, shuffled."""
    for axis in AXES:
        if only and not any(fnmatch(axis.name, f"{one}*") for one in only):
            continue
        for number in range(rounds):
            runs = [
                (number, axis, point, peer)
                for point in axis.points
                for peer in PEERS[: 1 if axis.ours_only else None]
                if axis.field != "records"
                or (point < _LONG or number == 0) and (point < _LONGEST or peer == OURS)
            ]
            random.shuffle(runs)
            yield from runs


def measure_all(only: Sequence[str], rounds: int) -> Results:
    results = Results()
    for number, axis, point, peer in plan(only, rounds):
        print(f"{axis.name}: {point:,}, {peer}, round {number + 1}", file=sys.stderr)
        try:
            figures = measure(axis.spec(point, peer))
        except Lost as lost:
            results.trouble(axis.question, f"{point:,}", peer, str(lost))
            continue
        for name, value in figures.items():
            results.add(axis.key(name, point, peer), number, value)
    return results


def smoke(only: Sequence[str]) -> list[str]:
    """Each axis at both ends, the far one not so far: what is lost."""
    troubles = []
    for axis in AXES:
        if only and not any(fnmatch(axis.name, f"{one}*") for one in only):
            continue
        for point in (axis.points[0], min(axis.points[-1], 20 * axis.points[0])):
            point = min(point, 4) if axis.field in ("workers", "sessions") else point
            spec = axis.spec(point, OURS)
            try:
                measure(replace(spec, records=400))
            except Lost as lost:
                troubles.append(f"{axis.name}, {point}: {lost}")
    return troubles


# ------------------------------------------------------------------------ figures


def best(results: Results, axis: Axis, name: str, point: int, peer: str) -> float | None:
    figure = results.figure(axis.key(name, point, peer))
    return None if figure is None else figure.most if name == RATE else figure.least


def relative(results: Results, axis: Axis, name: str, peer: str) -> dict[int, float]:
    """Each point's figure as a multiple of the first's."""
    first = best(results, axis, name, axis.points[0], peer)
    found = {point: best(results, axis, name, point, peer) for point in axis.points}
    return {point: value / first for point, value in found.items() if value and first}


def text(results: Results) -> str:
    lines = []
    for axis in AXES:
        rows = [row for peer in PEERS for row in rows_of(results, axis, peer)]
        if not rows:
            continue
        lines += ["", f"{axis.name}: {', '.join(f'{point:,}' for point in axis.points)}", *rows]
    for (question, case, peer), what in results.troubles.items():
        lines.append(f"! {question}, {case}, {peer}: {dict(what)}")
    return "\n".join(lines)


def rows_of(results: Results, axis: Axis, peer: str) -> Iterator[str]:
    for name, unit in ((RATE, "thousand records/s"), (CPU, "µs of CPU a record")):
        times = relative(results, axis, name, peer)
        if not times:
            continue
        cells = []
        for point, ratio in times.items():
            value = best(results, axis, name, point, peer) or 0.0
            cells.append(f"{value / (1000 if name == RATE else 1):.1f} × {ratio:.2f}")
        yield f"  {peer:12} {unit:19} {', '.join(cells)}"


def environment_of(rounds: int) -> dict[str, str]:
    """What differs from the main run's, into whose file this may go."""
    told = machine(rounds)
    return {f"growth, {name}": told[name] for name in ("commit", "load", "rounds")}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="both ends of each axis, small: counts only")
    add("--rounds", type=int, default=2, metavar="N", help="default: 2")
    add("--only", action="append", default=[], metavar="AXIS", help="how its name begins")
    add("--json", type=Path, metavar="FILE", help="add the results to what stands there")
    add("--load", type=Path, metavar="FILE", help="take results from there, measure nothing")
    add("--plot", action="store_true", help="write benchmarks/growth.svg (needs matplotlib)")
    options = parser.parse_args(arguments)
    if options.quick:
        troubles = smoke(options.only)
        print("\n".join(troubles) or "every count is exact")
        return 1 if troubles else 0
    # Ended from outside, it is still to end its runs and clear up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    begun = time.monotonic()
    if options.load:
        results = Results.load(options.load.read_text(encoding="utf-8"))
    else:
        results = measure_all(options.only, options.rounds)
        results.environment = environment_of(options.rounds)
        print(f"took {time.monotonic() - begun:.0f} s", file=sys.stderr)
    print(text(results))
    if options.json:
        results.save(options.json)
    if options.plot:
        from .growth_plot import plot  # noqa: PLC0415 - matplotlib may be missing

        print(f"wrote {plot(results)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
