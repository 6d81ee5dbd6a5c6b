"""The command line; see the package's docstring."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from . import pages, plots, questions, report
from .launch import ROOT
from .peers import PEERS
from .results import Results

RESULTS = ROOT / "benchmarks" / "results.json"


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    # Ended from outside, it is still to end its runs and clear up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if options.list:
        print("\n".join(listing()))
        return 0
    started = time.monotonic()
    for name in questions.missing():
        say(f"skipped: {name} ({PEERS[name].module} is not installed)")
    if options.load:
        results = Results.load(options.load.read_text(encoding="utf-8"))
    else:
        jobs = questions.plan(options.only, options.quick)
        if not jobs:
            say(f"nothing to do for --only {options.only}: see --list")
            return 2
        if options.quick:
            results = questions.smoke(jobs)
            say(f"{len(jobs)} runs in {time.monotonic() - started:.1f} s")
            return verdict(results)
        results = questions.measure_all(jobs, options.rounds, options.seconds, say)
        results.environment = environment(options.rounds)
        say(f"took {time.monotonic() - started:.0f} s")
    print(report.text(results))
    if options.refresh and not options.load:
        options.json = RESULTS
    if options.json:
        results.save(options.json)
    if options.table:
        print("\n" + report.rst(results))
    written = pages.refresh(results) if options.refresh else []
    if options.plot or options.refresh:
        written += plots.plot(results)
    for path in written:
        say(f"wrote {path}")
    return 0


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="smoke test: small runs, exact counts, no times")
    add("--rounds", type=int, default=5, metavar="N", help="default: 5")
    add("--seconds", type=float, default=0.4, help="how long a run logs; slow peers half of it")
    add("--only", action="append", default=[], metavar="Q/PEER", help="patterns; repeatable")
    add("--json", type=Path, metavar="FILE", help="put the results there, beside other questions")
    add("--load", type=Path, metavar="FILE", help="take results from there, measure nothing")
    add("--table", action="store_true", help="print the rst table of all peers")
    add("--plot", action="store_true", help="write benchmarks/*.svg (needs matplotlib)")
    add("--refresh", action="store_true",
        help=f"write the results to {RESULTS.relative_to(ROOT)}, and from them the tables of the"
        " README and the documentation, and the plots")  # fmt: skip
    add("--list", action="store_true", help="list the questions and their peers")
    return parser


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def listing() -> list[str]:
    absent = questions.missing()
    lines = []
    for question in questions.QUESTIONS:
        lines.append(question.name)
        lines += [f"  {peer}{' (missing)' * (peer in absent)}" for peer in question.peers]
    return lines


def verdict(results: Results) -> int:
    """Exit status of the smoke test: 1 when what is ours is absent, or fails a check.

    Others' faults are told, and are no reason to fail.
    """
    print("\n".join(report.troubles(results)) or "every count is exact")
    ours = [name for name, peer in PEERS.items() if peer.module == "mplogging"]
    absent = set(ours) & set(questions.missing())
    failed = set(ours) & set(results.peers_in_trouble())
    return 1 if absent or failed else 0


def environment(rounds: int) -> dict[str, str]:
    found = {
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": platform.platform(),
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "files on": filesystem(tempfile.gettempdir()),
        "rounds": str(rounds),
        "commit": commit(),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }
    for distribution in ("mplogging", *(p.distribution for p in PEERS.values())):
        if distribution and distribution not in found:
            try:
                found[distribution] = metadata.version(distribution)
            except metadata.PackageNotFoundError:
                pass
    return found


def commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def filesystem(directory: str) -> str:
    """The type of the file system that the logs were written to, where it can be told."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown"
    real = Path(directory).resolve()
    above = [m for m in mounts if real == Path(m[1]) or Path(m[1]) in real.parents]
    return max(above, key=lambda mount: len(mount[1]))[2] if above else "unknown"


if __name__ == "__main__":
    sys.exit(main())
