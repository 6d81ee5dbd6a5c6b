"""How fast a log is read back, beside the tools that are installed anyway.

    python -m benchmarks.reading [--bytes 1e9] [--rounds 5] [--directory DIR]

Each question is put to each peer in turn, so many rounds, on the same files; what they
print is compared before the times are believed. The files are in the page cache: it is
the programs that are measured, their start included. Of those that follow a log, it is how
long after its write they print a line.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

OURS = f"{sys.executable} -m mplogging"
DAY = 1_795_478_400  # 2026-11-24 00:00 UTC
ENVIRONMENT = {**os.environ, "TZ": "UTC", "NO_COLOR": "1"}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)  # installed programs have it written
LINE = (
    "%s,%03d INFO Worker-%d[%d] app.work: number %d took a while, which is said in a line of"
    " the usual length\n"
)
_LINE_BYTES = 125
_BATCH = 10_000
_FOLLOWED = 300  # lines, of a log that is followed
_PAUSE = 0.02  # seconds between them


@dataclass(frozen=True)
class Question:
    """What is asked for, and by which commands; of these the first is ours."""

    name: str
    commands: tuple[str, ...]
    lines: int


def make_logs(directory: Path, size: int) -> int:
    """A day's log of about this size, and the fifth of it compressed; returns its lines."""
    count = size // _LINE_BYTES
    with (directory / "app.log.2026-11-24").open("w") as file:
        for first in range(0, count, _BATCH):
            second = time.gmtime(DAY + first * 86_000 // max(1, count - _BATCH))
            text = time.strftime("%Y-%m-%d %H:%M:%S", second)
            file.writelines(
                LINE % (text, n * 1000 // _BATCH % 1000, n % 4, 4711 + n % 4, n)
                for n in range(first, first + _BATCH)
            )
    with (directory / "app.log.2026-11-24").open("rb") as plain:
        with gzip.open(directory / "old.log.2026-11-24.gz", "wb", compresslevel=6) as packed:
            for _ in range(size // 5 >> 20):
                packed.write(plain.read(1 << 20))
    return -(-count // _BATCH) * _BATCH


def questions(lines: int) -> list[Question]:
    """All of them."""
    plain, packed = "app.log.2026-11-24", "old.log.2026-11-24.gz"
    some, rare = f"number {lines // 6} ", f"Worker-[12].*number {lines // 60}[0-9] took"
    asked = [
        Question("last 20", (f"{OURS} tail -n 20 app.log", f"tail -n 20 {plain}"), 20),
        Question(
            "text in the compressed part",
            (f"{OURS} tail --all --grep '{some}' old.log", f"zcat {packed} | grep '{some}'"), 1,
        ),
        Question(
            "text in all",
            (f"{OURS} tail --all --grep '{some}' app.log", f"grep '{some}' {plain}"), 1,
        ),
        Question(
            "pattern in all",
            (f"{OURS} tail --all --grep '{rare}' app.log", f"grep '{rare}' {plain}"), 5,
        ),
        Question(
            "the last minutes, by time",
            (f"{OURS} tail --since '2026-11-24 23:50' app.log",
             f"awk '$0 >= \"2026-11-24 23:50\"' {plain}"), -1,
        ),
    ]  # fmt: skip
    if shutil.which("lnav"):
        first = asked[0]
        asked[0] = Question(first.name, (*first.commands, f"lnav -n {plain} | tail -n 20"), 20)
    return asked


def measure(question: Question, directory: Path, rounds: int) -> dict[str, float]:
    """The median of each command's times.

    Raises:
        AssertionError: Two of them print something else, or not so many lines.
    """
    times: dict[str, list[float]] = {command: [] for command in question.commands}
    for _ in range(rounds):
        outputs = []
        for command, taken in times.items():
            started = time.perf_counter()
            done = subprocess.run(
                command, shell=True, cwd=directory, check=True, stdout=subprocess.PIPE,
                env={**ENVIRONMENT, "PYTHONPYCACHEPREFIX": str(directory / "bytecode")},
            )  # fmt: skip
            taken.append(time.perf_counter() - started)
            outputs.append(done.stdout)
        assert len(set(outputs)) == 1, f"{question.name}: not all print the same"
        assert question.lines in (-1, outputs[0].count(b"\n")), f"{question.name}: {outputs[0]!r}"
    return {command: statistics.median(taken) for command, taken in times.items()}


def measure_following(directory: Path) -> dict[str, list[float]]:
    """By command, how late each line was, in seconds, in order of size."""
    path = directory / "live.log.2026-11-24"
    path.touch()
    commands = (f"{OURS} tail -n 0 -f live.log", f"tail -n 0 -F {path.name}")
    return {command: _lateness(command, path) for command in commands}


def _lateness(command: str, path: Path) -> list[float]:
    follower = subprocess.Popen(
        f"exec {command}", shell=True, cwd=path.parent, env=ENVIRONMENT, stdout=subprocess.PIPE
    )
    assert follower.stdout is not None
    try:
        late, text = [], time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(DAY))
        with path.open("ab", buffering=0) as log:
            ready = threading.Event()
            waking = threading.Thread(target=_write_until, args=(log, ready))
            waking.start()
            follower.stdout.readline()  # it follows by now
            ready.set()
            waking.join()
            for number in range(_FOLLOWED):
                log.write((LINE % (text, 0, 0, 4711, number)).encode())
                written = time.perf_counter()
                while b"number %d took" % number not in follower.stdout.readline():
                    pass
                late.append(time.perf_counter() - written)
                time.sleep(_PAUSE)
        return sorted(late)
    finally:
        follower.kill()
        follower.wait()
        follower.stdout.close()


def _write_until(log: BinaryIO, ready: threading.Event) -> None:
    while not ready.wait(0.1):
        log.write(b"not yet\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--bytes", type=float, default=1e9, help="of the log (default: 1e9)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", help="where to write it (default: for temporary files)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        lines = make_logs(Path(name), int(options.bytes))
        for question in questions(lines):
            times = measure(question, Path(name), options.rounds)
            print(f"\n{question.name}, {lines} lines")
            for command, taken in times.items():
                print(f"  {taken:7.3f} s  {command.replace(sys.executable, 'python')}")
        print("\neach line of a log that is followed, how late: median, worst")
        for command, late in measure_following(Path(name)).items():
            middle, worst = 1e3 * statistics.median(late), 1e3 * late[-1]
            told = command.replace(sys.executable, "python")
            print(f"  {middle:4.0f} ms {worst:5.0f} ms  {told}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
