"""Whoever of a session ends by a signal, or with a status, is told of: once, and in order."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import death_jobs
import pytest
from conftest import eventually, needs_proc, texts
from processes import sweep

import mplogging
from mplogging import ConfigError, LogSession
from mplogging._watch import deaths
from mplogging._watch.oom import oom_kills

DEATHS = int(os.environ.get("MPLOGGING_DEATHS", "1000"))  # of the long run
DEATH = re.compile(
    r"(?P<level>\w+) \S+\[\d+\] mplogging\.deaths: (?P<who>.+) \(pid (?P<pid>\d+)\)"
    r" ended (?P<how>by \w+|with exit status \d+|without leaving)"
    r"(, in (?P<doing>[\w.]+))?(; its last record is of (?P<last>[-\d:. ]{23}))?(; (?P<more>.+))?"
)


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "logs"


def session_in(logs: Path, **settings) -> LogSession:
    return LogSession(logs / "app.log", format=death_jobs.FORMAT, **settings)


def told(logs: Path) -> list[re.Match[str]]:
    """What the log says of deaths."""
    lines = "".join(texts(logs).values()).splitlines()
    found = [line for line in lines if " mplogging.deaths: " in line]
    matches = [match for match in map(DEATH.fullmatch, found) if match]
    assert len(matches) == len(found), found
    return matches


def hows(logs: Path) -> list[tuple[str, str, str]]:
    return sorted((match["who"], match["level"], match["how"]) for match in told(logs))


def wait_for(directory: Path, pid: int) -> None:
    eventually((directory / str(pid)).exists, 30)


def test_each_way_to_end(context, logs, tmp_path):
    """A signal is an error, a status a warning; what the program does on purpose is neither."""
    with session_in(logs):
        processes = {
            way: context.Process(target=death_jobs.end_by, args=(way,), name=way)
            for way in (
                "kill", "segfault", "_exit(3)", "_exit(0)", "exit(4)", "raise", "return",
                "exec", "exec(5)",
            )  # fmt: skip
        }
        from_outside = ("terminated", "killed", "signalled", "from elsewhere")
        for name in from_outside:
            processes[name] = context.Process(
                target=death_jobs.end_by, args=("stay", str(tmp_path)), name=name
            )
        for process in processes.values():
            process.start()
        for name in from_outside:
            wait_for(tmp_path, processes[name].pid)
        processes["terminated"].terminate()
        processes["killed"].kill()
        os.kill(processes["signalled"].pid, signal.SIGTERM)
        kill = f"import os; os.kill({processes['from elsewhere'].pid}, {int(signal.SIGTERM)})"
        subprocess.run([sys.executable, "-c", kill], check=True)
        for process in processes.values():
            process.join()
    assert hows(logs) == [
        ("_exit(3)", "WARNING", "with exit status 3"),
        ("exec(5)", "WARNING", "with exit status 5"),
        ("exit(4)", "WARNING", "with exit status 4"),
        ("from elsewhere", "ERROR", "by SIGTERM"),
        ("kill", "ERROR", "by SIGKILL"),
        ("raise", "WARNING", "with exit status 1"),
        ("segfault", "ERROR", "by SIGSEGV"),
    ]
    (text,) = texts(logs).values()
    for match in told(logs):
        assert int(match["pid"]) == processes[match["who"]].pid
        record = f"INFO {match['who']}[{match['pid']}] jobs: about to "
        assert text.index(record) < text.index(match[0])
        assert match["last"]
        if match["how"] in ("by SIGKILL", "by SIGSEGV", "by SIGTERM"):
            assert match["doing"].endswith("death_jobs.end_by")


def test_what_is_replaced_can_be_pickled(context, logs):
    """So it can be what a pool's worker is to call."""
    with session_in(logs):
        assert pickle.loads(pickle.dumps(os.kill)) is os.kill
        with ProcessPoolExecutor(1, mp_context=context) as executor:
            with pytest.raises(BrokenProcessPool):
                executor.submit(os._exit, 3).result(60)
    assert [how for *_, how in hows(logs)] == ["with exit status 3"]


def test_a_death_is_told_while_the_session_runs(context, logs):
    """It need not end for that; the time of the last record is that of the record."""
    with LogSession(logs / "app.log", format=f"%(asctime)s {death_jobs.FORMAT}"):
        process = context.Process(target=death_jobs.end_by, args=("kill",))
        process.start()
        process.join()
        eventually(lambda: "mplogging.deaths" in "".join(texts(logs).values()), 30)
    (text,) = texts(logs).values()
    made = re.search(r"^(.{23}) INFO .* about to kill$", text, re.MULTILINE)[1]
    assert f"its last record is of {made.replace(',', '.')}\n" in text


def test_executors_tell_of_the_one_that_died(context, logs):
    """Not of those that they end for that, nor of those that they shut down."""
    with session_in(logs):
        with ProcessPoolExecutor(3, mp_context=context) as executor:
            list(executor.map(death_jobs.end_by, ["return"] * 9))
        executor = ProcessPoolExecutor(3, mp_context=context)
        list(executor.map(death_jobs.end_by, ["return"] * 9))
        with pytest.raises(BrokenProcessPool):
            executor.submit(death_jobs.end_by, "kill").result()
        executor.shutdown()
    assert [match["how"] for match in told(logs)] == ["by SIGKILL"]


def test_pools_tell_of_the_one_that_died(context, logs):
    """Not of those that are terminated, nor of those that have had their number of tasks."""
    with session_in(logs):
        with context.Pool(2, maxtasksperchild=1) as pool:
            pool.map(death_jobs.end_by, ["return"] * 6, chunksize=1)
        pool = context.Pool(2)
        pool.apply_async(death_jobs.end_by, ("kill",))
        eventually(lambda: "about to kill" in "".join(texts(logs).values()), 30)
        eventually(lambda: told(logs), 30)
        assert len(set(pool.map(death_jobs.end_by, ["return"] * 4, chunksize=1))) <= 2
        pool.terminate()
        pool.join()
    assert [match["how"] for match in told(logs)] == ["by SIGKILL"]


def test_forks_without_multiprocessing(logs):
    """`os._exit` and another program in its place are orderly ends of theirs."""
    with session_in(logs):
        killed = death_jobs.in_fork("kill")
        for way in ("_exit(0)", "exec", "return"):
            death_jobs.in_fork(way)
        with_status = death_jobs.in_fork("_exit(3)")
    found = {int(match["pid"]): match["how"] for match in told(logs)}
    # Who waits for it may be faster than we are: then nobody else can know the signal.
    assert found.pop(killed) in ("by SIGKILL", "without leaving")
    assert found == {with_status: "with exit status 3"}


def test_processes_of_processes(logs, tmp_path):
    """What a worker does to its own on purpose is told as little as what the session's does."""
    context = multiprocessing.get_context("fork")
    with session_in(logs):
        for way in ("terminate", "return", "kill"):
            process = context.Process(target=death_jobs.end_own_child, args=(way, str(tmp_path)))
            process.start()
            process.join()
    killed = re.findall(r"jobs: child (\d+)", "".join(texts(logs).values()))[-1]
    assert [(match["pid"], match["how"]) for match in told(logs)] == [(killed, "without leaving")]


def test_programs_that_came_by_themselves(logs, tmp_path):
    """Whether they have left is known, not always how they have ended."""
    with session_in(logs) as session:
        programs = {
            way: start("attached", session.address, way, tmp_path)
            for way in ("kill", "return", "exit(4)", "stay")
        }
        wait_for(tmp_path, programs["stay"].pid)
        programs["stay"].kill()
        statuses = {way: program.wait() for way, program in programs.items()}
    assert statuses == {"kill": -9, "return": 0, "exit(4)": 4, "stay": -9}
    found = {int(match["pid"]): match["how"] for match in told(logs)}
    assert found.keys() == {programs["kill"].pid, programs["stay"].pid}
    assert set(found.values()) <= {"by SIGKILL", "without leaving"}


@needs_proc
def test_who_has_lost_its_lock_lives(context, logs, tmp_path):
    """To copy the directory takes the locks: that is no death. A death later is one."""
    with session_in(logs):
        process = context.Process(target=death_jobs.end_by, args=("copy and stay", str(tmp_path)))
        process.start()
        wait_for(tmp_path, process.pid)
        other = context.Process(target=death_jobs.end_by, args=("kill",), name="other")
        other.start()
        other.join()
        eventually(lambda: told(logs), 30)
        assert [match["who"] for match in told(logs)] == ["other"]
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert [match["how"] for match in told(logs)] == ["by SIGKILL"] * 2


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_the_session_itself_is_killed(logs, tmp_path, method):
    """Who takes over tells of it, and of those that died with it; nobody does so again."""
    logs.mkdir()
    program = start("killed", logs, method)
    assert program.wait(60) == -signal.SIGKILL
    (logs / "go").touch()
    eventually(lambda: not list(logs.glob(".mplogging-*")), 30)  # the last one removes it
    (match,) = told(logs)
    assert match["who"] == "the session's own process MainProcess"
    assert (int(match["pid"]), match["how"]) == (program.pid, "without leaving")
    text = (next(logs.glob("app.log.*"))).read_text()
    assert text.index("jobs: here") < text.index("mplogging.deaths")


def test_all_are_killed(logs, tmp_path):
    """The recovery tells of each, once."""
    logs.mkdir()
    program = start("all_killed", logs)
    assert program.wait(60) == -signal.SIGKILL
    eventually(lambda: sweep(logs) or told(logs), 30)
    assert sorted(match["who"] for match in told(logs)) == [
        "one", "the session's own process MainProcess", "two",
    ]  # fmt: skip
    assert {match["how"] for match in told(logs)} == {"without leaving"}
    assert not list(logs.glob(".mplogging-*"))


def start(name: str, *args: object) -> subprocess.Popen[bytes]:
    root = str(Path(mplogging.__file__).parent.parent)
    return subprocess.Popen(
        [sys.executable, death_jobs.__file__, name, *map(str, args)],
        env={**os.environ, "PYTHONPATH": root},
        start_new_session=True,
    )


def test_not_wanted(context, logs):
    """With False nothing is told, and over a queue nothing can be."""
    queue = context.Queue()
    # (One that is killed may take the lock of its queue along, for good.)
    for way, settings in (("kill", {"reportDeaths": False}), ("exit(4)", {"queue": queue})):
        with session_in(logs, **settings) as session:
            process = context.Process(target=death_jobs.end_by, args=(way,))
            process.start()
            process.join()
            if "queue" not in settings:
                names = os.listdir(session.address)
                assert not [name for name in names if name.startswith("process-")]
        assert told(logs) == []
    queue.close()
    queue.join_thread()
    with pytest.raises(ConfigError, match="reportDeaths must be True or False, got 1"):
        session_in(logs, reportDeaths=1)


def test_a_level_of_its_own(context, logs):
    """Who wants signals only sets the level of the logger; its records have the name."""
    taken = []
    handler = logging.Handler()
    handler.emit = taken.append
    logger = logging.getLogger("mplogging.deaths")
    logger.setLevel(logging.ERROR)
    try:
        with session_in(logs, handlers=[handler]):
            for way in ("exit(4)", "kill"):
                process = context.Process(target=death_jobs.end_by, args=(way,), name=way)
                process.start()
                process.join()
    finally:
        logger.setLevel(logging.NOTSET)
    assert [match["who"] for match in told(logs)] == ["kill"]
    assert [one.levelname for one in taken if one.name == "mplogging.deaths"] == ["ERROR"]


def test_the_kernel_has_killed(logs, monkeypatch):
    """That its count of the cgroup has risen stands in the record."""
    counts = iter([3, 5])
    monkeypatch.setattr(deaths, "oom_kills", lambda: next(counts))
    with session_in(logs):
        death_jobs.in_fork("kill")
    (match,) = told(logs)
    assert match["more"] == "out of memory: in this cgroup the kernel has killed 2 meanwhile"


def test_the_count_of_a_cgroup(tmp_path):
    """Where each version of cgroups has it; 0 where there is none."""
    (tmp_path / "two").mkdir()
    (tmp_path / "two/memory.events").write_text("low 0\noom 4\noom_kill 3\n")
    (tmp_path / "memory/one").mkdir(parents=True)
    (tmp_path / "memory/one/memory.oom_control").write_text("under_oom 0\noom_kill 2\n")
    own = tmp_path / "own"
    for lines, count in [("0::/two\n", 3), ("5:cpu:/\n4:memory:/one\n0::/none\n", 2), ("", 0)]:
        own.write_text(lines)
        assert oom_kills(str(tmp_path), str(own)) == count
    assert oom_kills(str(tmp_path), str(tmp_path / "none")) == 0


def test_few_descriptors(logs):
    """Where none is left a process goes without, and its records come all the same."""
    logs.mkdir()
    program = start("few_descriptors", logs)
    assert program.wait(60) == 0
    (text,) = texts(logs).values()
    assert text.count("jobs: about to return") == 20


def test_many(logs):
    """None is missed, none told twice, and none made up."""
    many(logs, deaths=25, clean=60, terminated=3)


def test_the_program_of_the_documentation(tmp_path):
    """It leaves what the documentation says."""
    text = (Path(mplogging.__file__).parent / "docs/blackbox.rst").read_text("utf-8")
    blocks = re.findall(r"code-block:: python\n\n((?:    .*\n|\n)+)", text)
    (block,) = (one for one in blocks if "def resize" in one)
    (tmp_path / "example.py").write_text(textwrap.dedent(block))
    root = str(Path(mplogging.__file__).parent.parent)
    subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, check=True, timeout=60,
        env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    *records, death = next(tmp_path.glob("app.log.*")).read_text().splitlines()
    assert records == ["INFO root: photo 16", "INFO root: photo 17"]
    assert re.fullmatch(
        r"ERROR mplogging\.deaths: \w*Process-2 \(pid \d+\) ended by SIGKILL, in __\w+__\.resize;"
        r" its last record is of .{23}",
        death,
    )


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_very_many(logs):
    """MPLOGGING_DEATHS of them, ten times as many clean ends, and as many `Pool.terminate`."""
    many(logs, DEATHS, 10 * DEATHS, DEATHS)


def many(logs: Path, deaths: int, clean: int, terminated: int) -> None:
    ways = {
        "kill": "by SIGKILL", "segfault": "by SIGSEGV", "_exit(3)": "with exit status 3",
        "exit(4)": "with exit status 4",
    }  # fmt: skip
    context = multiprocessing.get_context("fork")
    expected = {}
    with session_in(logs) as session:
        for number in range(max(deaths, clean, terminated)):
            processes = []
            if number < deaths:
                way = list(ways)[number % len(ways)]
                process = context.Process(target=death_jobs.end_by, args=(way,))
                process.start()
                expected[process.name] = ways[way]
                processes.append(process)
            if number < clean:
                processes.append(context.Process(target=death_jobs.end_by, args=("return",)))
                processes[-1].start()
            if number < terminated:
                # Which is what leaving it does. (A worker that is about to give its result back
                # may take the lock for that along, and the pool would wait for it for good.)
                with context.Pool(2) as pool:
                    pool.apply_async(time.sleep, (60,))
            for process in processes:
                process.join()
        names = os.listdir(session.address)
        assert len(names) < 2000  # they go as the session runs
    found = told(logs)
    assert len(found) == deaths
    assert {match["who"]: match["how"] for match in found} == expected
    assert not list(logs.glob(".mplogging-*"))
