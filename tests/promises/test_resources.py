"""Where the system refuses: a full disk, a full journal, no descriptors, a clock that steps."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import fault_jobs
from conftest import texts
from ledgers import FORMAT, LOGS, check, find, prepare
from processes import end, start, sweep

import mplogging
from mplogging import LogSession


def run(directory: Path, name: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """A program of `fault_jobs`, to its end."""
    prepare(directory)
    root = str(Path(mplogging.__file__).parent.parent)
    return subprocess.run(
        [sys.executable, fault_jobs.__file__, name, str(directory), json.dumps(settings)],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip


def test_a_full_disk_and_room_again(tmp_path):
    """Whole lines only, and nothing is lost: up to `bufferBytes`, they wait in the journal."""
    done = run(tmp_path, "full_disk", records=2000, buffer_bytes=64 << 20)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("--- Logging error ---") == 1  # one word an incident
    assert "lines wait in the journal" in done.stderr
    assert check(tmp_path).records() == json.loads(done.stdout)["records"] == 8000
    assert json.loads(done.stdout)["lost"] == 0


def test_a_full_disk_beyond_the_limit(tmp_path):
    """What was lost is counted, and the log says so when there is room."""
    # (Enough for each worker to look at the journal again and again, 20 times a second.)
    done = run(tmp_path, "full_disk", records=10_000, buffer_bytes=50_000)
    assert done.returncode == 0, done.stderr
    lost = json.loads(done.stdout)["lost"]
    found = find(tmp_path)
    assert not found.others
    assert lost and found.records() + lost == 40_000
    told = re.findall(
        r"process \d+ \(.*?\) dropped (\d+) records .*: the log could not be written",
        "\n".join(found.warnings),
    )
    assert sum(map(int, told)) == lost


def test_a_disk_that_stays_full(tmp_path):
    """The end comes by its deadline, and says what is left; the next start has it."""
    done = run(tmp_path, "full_disk", records=500, buffer_bytes=64 << 20, free=False)
    assert done.returncode == 0, done.stderr
    (left,) = json.loads(done.stdout)["unfinished"].values()
    found = find(tmp_path)
    assert not found.others and found.records() + left == 2000
    assert f"still had {left}" in done.stderr
    assert left and sweep(tmp_path / LOGS) == left
    assert check(tmp_path).records() == 2000


def test_no_descriptor_for_a_new_file(tmp_path):
    """The lines wait until there is one."""
    done = run(tmp_path, "late_opening")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / LOGS).iterdir())) >= 2
    check(tmp_path)


def test_no_descriptor_in_a_child(context, tmp_path):
    """A worker that can't open anything more logs on, and so does its forked child."""
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        end(start(context, fault_jobs.attach_without_descriptors, tmp_path), tmp_path)
    others = find(tmp_path).others
    assert [line.split(": ")[1] for line in others] == ["from the child", "from the worker"]
    assert session.stats().workers == 2


def test_no_descriptor_to_attach_with(tmp_path):
    """A warning says so, and the program goes on."""
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        code = (
            "import fault_jobs, mplogging\n"
            "with fault_jobs.no_descriptors():\n"
            "    try: mplogging.attach()\n"
            "    except mplogging.MPLoggingError as error: print(repr(error))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([
                    str(Path(mplogging.__file__).parent.parent),
                    str(Path(fault_jobs.__file__).parent),
                ]),
            },
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Too many open files" in done.stdout
    assert "Unsafe" not in done.stdout
    assert session.stats().workers == 0


def test_a_journal_that_is_full(context, tmp_path):
    """Straight to the file; and if that is full too, in memory until there is room."""
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        end(start(context, fault_jobs.log_on_a_full_disk, tmp_path, 300, count=2), tmp_path)
    assert check(tmp_path).records() == 2 * 3 * 300
    assert session.stats().lost == 0


def test_workers_that_start_when_the_directory_is_gone(context, tmp_path):
    """By a cleaner of old files: they find a new one, and log as the others do."""
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        for _ in range(2):
            shutil.rmtree(session.address, ignore_errors=True)  # of forks, it stays so
            end(start(context, fault_jobs.log, tmp_path, 100, count=2), tmp_path)
            logging.getLogger("jobs").info("the parent goes on")
    found = find(tmp_path)
    assert found.records() == 400
    assert [line.split(": ")[1] for line in found.others] == 2 * ["the parent goes on"]


def test_a_clock_that_steps_back_and_forth(context, tmp_path):
    """Each record is in the file of its own time, in order within that."""
    now = int(time.time())
    times = [now + step for step in (0, 5, 2, -3600, 0, 86400, 1, -1, 5)]
    path = prepare(tmp_path)
    with LogSession(path, format="%(message)s", when="S", utc=True) as session:
        end(start(context, fault_jobs.log_at, tmp_path, times, count=4), tmp_path)
    files = texts(tmp_path / LOGS)
    expected = {
        time.strftime("app.log.%Y-%m-%d_%H-%M-%S", time.gmtime(moment)): 4
        * times.count(moment)
        * f"at {moment}\n"
        for moment in times
    }
    assert {name: text for name, text in files.items() if text} == expected
    assert session.stats().records == 4 * len(times)
    assert session.stats().late > 0
