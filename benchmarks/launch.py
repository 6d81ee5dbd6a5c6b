"""Starts a runner, and ends it if it hangs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .runner import Spec

ROOT = Path(__file__).resolve().parent.parent

# Where all runs keep compiled modules. Else, where PYTHONDONTWRITEBYTECODE is
# set, those of the working tree would be compiled in every process, and imports
# and attaching would seem slow. (Made here, since runs may start in threads.)
BYTECODE = tempfile.TemporaryDirectory(prefix="mplogging-bench-pyc-")


@dataclass
class Outcome:
    """What became of a run."""

    status: str
    """ok, hung, or how it failed."""
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.status == "ok"


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": BYTECODE.name}


def launch(spec: Spec, timeout: float) -> Outcome:
    directory = Path(tempfile.mkdtemp(prefix="mplogging-bench-"))
    try:
        (directory / "logs").mkdir()
        (directory / "spec.json").write_text(json.dumps(asdict(spec)))
        with open(directory / "stderr", "w+") as stderr:
            # A session of its own, so that its workers and helpers end with it.
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.runner", str(directory)],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                said = last_line(directory / "stderr")
                return Outcome(f"hung (killed after {timeout:.0f} s) {said}".rstrip())
            finally:
                end(process)
            if code != 0:
                return Outcome(f"failed: {last_line(directory / 'stderr') or code}")
        return Outcome("ok", json.loads((directory / "result.json").read_text()))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a runner and whatever it started, all of which is in its own group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
