"""`mplogging demo`: what it shows is what came into the log."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys

import pytest
from conftest import texts


@pytest.fixture
def run(tmp_path):
    """Runs `python -m mplogging` there."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "mplogging", *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=100,
        )  # fmt: skip

    return run


@pytest.fixture
def data(tmp_path):
    """A directory of forty Python files, with a name that ASCII has no letters for."""
    (tmp_path / "data").mkdir()
    for number in range(40):
        name = f"\u00e4-{number}-{'long' * 20}.py"
        (tmp_path / "data" / name).write_text("pass\n" * 1000 * number)


def demo_of(output: str, text: str) -> None:
    """What it tells of each worker is so, and every file has one line in the log."""
    told = re.findall(r"^(worker-\d) +(\d+) +(\d+)(?:   (killed.*))?$", output, re.MULTILINE)
    logged = re.findall(r"INFO (worker-\d)\[\d+\] demo: \S+?-(\d+)-", text)
    assert [(name, killed) for name, _, _, killed in told] == [
        ("worker-1", "killed with SIGKILL halfway"), ("worker-2", ""), ("worker-3", ""),
        ("worker-4", ""),
    ]  # fmt: skip
    for name, expected, found, _ in told:
        assert int(expected) == int(found) == sum(worker == name for worker, _ in logged)
    assert sorted(int(number) for _, number in logged) == list(range(40))
    shown = re.findall(r"^\d{4}-.* worker-1\[\d+\] demo: \S+?-(\d+)-", output, re.MULTILINE)
    assert shown == [number for worker, number in logged if worker == "worker-1"][-3:]


def test_demo_into_a_file(run, tmp_path, data):
    """No progress there: whole lines, and the next command, which works."""
    done = run("demo", "data", "--processes", "3")
    assert (done.returncode, done.stderr) == (0, "")
    ((name, text),) = texts(tmp_path / "logs").items()
    demo_of(done.stdout, text)
    assert "\r" not in done.stdout and f"All are in logs/{name}\n" in done.stdout
    tail, stats = re.findall(r"^  .* -m mplogging (.*)$", done.stdout, re.MULTILINE)
    assert run(*tail.split()).stdout.count(" worker-1[") == 7
    assert run(*stats.split()).returncode == 0
    # What an earlier one has logged is not counted.
    assert run("demo", "data", "--processes", "3").returncode == 0


def test_demo_on_a_terminal(tmp_path, data):
    """Progress in place, up to the end, and no line that wraps."""
    pty = pytest.importorskip("pty")
    try:
        ours, theirs = pty.openpty()
    except OSError:
        pytest.skip("needs a terminal, which this system does not give")
    command = [sys.executable, "-m", "mplogging", "demo", "data", "--processes", "3"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        output = b""
        with contextlib.suppress(OSError):  # Linux's way to say that it is over
            while data := os.read(ours, 1 << 16):
                output += data
    os.close(ours)
    assert process.returncode == 0
    lines = re.split(r"[\r\n]+", output.decode())
    assert [line for line in lines if len(line) > 79 and " -m mplogging " not in line] == []
    assert f"[{'#' * 40}] 40 of 40" in lines
    demo_of("\n".join(lines), "".join(texts(tmp_path / "logs").values()))


def test_demo_of_pythons_own_library(run, tmp_path):
    """With no argument there is something to see."""
    done = run("demo", "--processes", "2")
    assert done.returncode == 0, done.stdout
    assert "demo: queue.py: " in "".join(texts(tmp_path / "logs").values())


def test_demo_on_a_terminal_that_shows_less(tmp_path, data):
    """What it can't show is escaped."""
    done = subprocess.run(
        [sys.executable, "-m", "mplogging", "demo", "data", "--processes", "1"],
        cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xe4-" in done.stdout
