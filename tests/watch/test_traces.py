"""What a crash leaves: the stacks of the threads stand in the record of the death."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
from pathlib import Path

import death_jobs
import pytest
from conftest import eventually, texts
from processes import sweep

import mplogging

# pytest has `faulthandler` for itself: so these are programs of their own.
FATAL = {
    "SIGSEGV": "Segmentation fault",
    "SIGFPE": "Floating.point exception",
    "SIGABRT": "Aborted",
    "SIGBUS": "Bus error",
    "stack overflow": "Segmentation fault",
}


def run(name: str, *args: object) -> subprocess.CompletedProcess[str]:
    root = str(Path(mplogging.__file__).parent.parent)
    return subprocess.run(
        [sys.executable, death_jobs.__file__, name, *map(str, args)],
        env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def entries(directory: Path) -> dict[str, str]:
    """The whole text that is told of each process that died, by its name."""
    (text,) = texts(directory).values()
    found = re.split(r"^(?=(?:INFO|WARNING|ERROR) )", text, flags=re.MULTILINE)
    deaths = [entry for entry in found if " mplogging.deaths: " in entry]
    named = {re.search(r"deaths: (.+?) \(pid", entry)[1]: entry for entry in deaths}
    assert len(named) == len(deaths)
    return named


def check(way: str, entry: str, how: str | None = None) -> None:
    signal = "SIGSEGV" if way == "stack overflow" else way
    head, fatal, *stack = entry.splitlines()
    assert f" ended {how or f'by {signal}'}" in head
    assert re.fullmatch(f"Fatal Python error: {FATAL[way]}", fatal)
    assert re.match(r"(Current t|T)hread 0x", stack[0])
    assert any(re.match(r'  File ".*death_jobs.py", line \d+ in ', line) for line in stack), entry


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_workers_that_crash(tmp_path, method):
    """Each way to crash leaves its trace, and the program's own state is put back."""
    done = run("crashing_workers", tmp_path, method)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
    found = entries(tmp_path)
    assert found.keys() == FATAL.keys()
    for way, entry in found.items():
        check(way, entry)
    assert "Fatal Python error: Segm" not in done.stderr  # it goes to one place


@pytest.mark.parametrize("way", death_jobs.crashes)
def test_the_session_itself_crashes(tmp_path, way):
    """The recovery finds it."""
    done = run("crash", tmp_path, way)
    assert done.returncode < 0
    eventually(lambda: sweep(tmp_path) or not list(tmp_path.glob(".mplogging-*")), 30)
    ((who, entry),) = entries(tmp_path).items()
    assert who == "the session's own process MainProcess"
    check(way, entry)
    (text,) = texts(tmp_path).values()
    assert text.index("jobs: here") < text.index("mplogging.deaths")


def test_it_is_one_entry_of_the_log(tmp_path):
    """As a record with a traceback is one."""
    run("crash", tmp_path, "SIGABRT")
    eventually(lambda: sweep(tmp_path) or not list(tmp_path.glob(".mplogging-*")), 30)
    with mplogging.LogReader(tmp_path / "app.log", format=death_jobs.FORMAT) as reader:
        *_, death = reader
    assert death.levelname == "ERROR"
    assert death.message.startswith("the session's own process MainProcess")
    assert "\nFatal Python error: Aborted\n" in death.message


def test_a_faulthandler_of_the_programs_own(tmp_path):
    """It stays as the program has it; then the log says how the process ended, and no more."""
    done = run("own_faulthandler", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Segmentation fault" in (tmp_path / "own").read_text()
    (tmp_path / "own").unlink()
    assert re.fullmatch(
        r"ERROR .* mplogging\.deaths: worker \(pid \d+\) ended by SIGSEGV\n",
        entries(tmp_path)["worker"],
    )
