"""The flight recorder: what was too low for the log is in it, when it matters and only then."""

from __future__ import annotations

import datetime
import json
import logging
import multiprocessing
import os
import re
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from conftest import START_METHODS, eventually, texts

import mplogging
from watch import flying

log = logging.getLogger("flying")
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
DIED = "its process died"


@pytest.fixture
def session(tmp_path):
    """Makes one that keeps 100 records."""

    def make(flightRecorder=100, **settings):
        settings = {"format": "%(processName)s %(levelname)s %(message)s", **settings}
        return mplogging.LogSession(
            tmp_path / "logs" / "app.log", flightRecorder=flightRecorder, **settings
        )

    return make


@pytest.fixture
def lines(tmp_path):
    return lambda: "".join(texts(tmp_path / "logs").values()).splitlines()


def dumps(found: list[str]) -> list[tuple[str, str, list[str]]]:
    """Of each ring that came into the log: whose it was, why, and its messages."""
    told = []
    for number, line in enumerate(found):
        match = re.search(r"flight recorder of process \d+ \((.*)\), (\d+) records?: (.*)", line)
        if match and "end of the" not in line:
            inner = found[number + 1 : number + 1 + int(match[2])]
            assert all(" DEBUG [recorded] " in one or "DEBUG" not in one for one in inner)
            assert "end of the flight recorder of process" in found[number + 1 + int(match[2])]
            told.append((match[1], match[3], [one.partition("[recorded] ")[2] for one in inner]))
    assert sum("[recorded]" in line for line in found) == sum(len(ring[2]) for ring in told)
    return told


def low(name: str, count: int = 3) -> list[str]:
    return [f"{name} low {number}" for number in range(count)]


# -- deaths ------------------------------------------------------------------------------


def test_a_process_dies(session, lines, context):
    """In whatever way: its ring comes into the log, once, after what it logged."""
    with session():
        for way in flying.WAYS:
            process = context.Process(target=flying.fly_and_die, args=(way, way), name=way)
            process.start()
            process.join()
            assert process.exitcode != 0
    found = dumps(lines())
    assert sorted(found) == sorted((way, DIED, low(way)) for way in flying.WAYS)
    for way in flying.WAYS:
        logged = next(i for i, line in enumerate(lines()) if f"{way} high" in line)
        assert all(logged < i for i, line in enumerate(lines()) if f"({way})" in line)


def test_while_the_session_goes_on(session, lines):
    """It is there soon, without anybody's asking."""
    with session() as running:
        process = multiprocessing.Process(target=flying.fly_and_die, args=("w", "SIGKILL"))
        process.start()
        process.join()
        eventually(lambda: len(dumps(lines())) == 1, 30)
        # Its file goes with it.
        eventually(lambda: sum("ring-" in name for name in os.listdir(running.address)) == 1)
    assert len(dumps(lines())) == 1


def test_workers_of_pools_die(session, lines, context):
    """Only the one that did, not those that the pool then terminates."""
    with session():
        with context.Pool(2) as pool:
            pool.map(flying.fly, ["a", "b"] * 4, chunksize=1)
            pool.apply_async(flying.fly_and_die, ("pooled", "SIGKILL"))
            eventually(lambda: any("pooled low 2" in line for line in lines()), 60)
        with ProcessPoolExecutor(2, mp_context=context) as executor:
            with pytest.raises(BrokenProcessPool):
                executor.submit(flying.fly_and_die, "executed", "_exit").result(timeout=60)
    found = dumps(lines())
    assert [why for _, why, _ in found] == [DIED, DIED]
    assert [messages[-1] for _, _, messages in found] == ["pooled low 2", "executed low 2"]


def test_an_attached_program_dies(session, lines):
    """One that `subprocess` has started, and that attached itself."""
    with session() as running:
        done = subprocess.run(
            [sys.executable, flying.__file__, "attached",
             json.dumps([running.address, "sub", "SIGSEGV"])],
            env=ENVIRONMENT, timeout=60,
        )  # fmt: skip
        assert done.returncode == -signal.SIGSEGV
    assert dumps(lines()) == [("MainProcess", DIED, low("sub"))]


def test_who_ends_well(session, lines, context, tmp_path):
    """A process, a pool in either way, an executor, a session: nobody's ring is in the log.

    Nor is that of one that the program kills.
    """
    with session():
        log.debug("the parent's")
        process = context.Process(target=flying.fly, args=("process",))
        process.start()
        process.join()
        with context.Pool(2) as pool:  # which terminates them
            pool.map(flying.fly, "ab")
        pool = context.Pool(1)
        pool.map(flying.fly, "c")
        pool.close()
        pool.join()
        with ProcessPoolExecutor(1, mp_context=context) as executor:
            assert list(executor.map(flying.fly, "d")) == [None]
        process = context.Process(target=flying.fly_until, args=("e", tmp_path / "flag"))
        process.start()
        eventually((tmp_path / "flag.e").exists, 60)
        process.kill()
        process.join()
    assert sorted(line.rpartition(" INFO ")[2] for line in lines()) == [
        "a high", "b high", "c high", "d high", "e high", "process high",
    ]  # fmt: skip


def test_ends_without_an_exit_handler(session, lines):
    """`os._exit(0)`, and another program in its place, are orderly ends; a vain try is no end."""
    program = [sys.executable, "-c", ""]
    ends = {
        "exits": lambda: os._exit(0),
        "becomes another": lambda: os.execv(program[0], program),
        "fails to": lambda: os.execv("/dev/null", ["null"]),
    }
    with session():
        for name, end in ends.items():
            child = os.fork()
            if child == 0:
                flying.fly(name)
                try:
                    end()
                finally:
                    flying.WAYS["SIGKILL"]()
            os.waitpid(child, 0)
    assert [(why, messages) for _, why, messages in dumps(lines())] == [(DIED, low("fails to"))]


def test_a_forked_child_has_one_of_its_own(session, lines):
    """And its parent goes on with its own."""
    with session() as running:
        log.debug("before the fork")
        child = os.fork()
        if child == 0:
            flying.fly_and_die("child", "SIGKILL")
        os.waitpid(child, 0)
        log.debug("after it")
        eventually(lambda: len(dumps(lines())) == 1, 30)
        assert running.dump() == 2
    assert [messages for _, _, messages in dumps(lines())] == [
        low("child"), ["before the fork", "after it"],
    ]  # fmt: skip


# -- the session's own process dies -------------------------------------------------------


def run_program(tmp_path, method, job):
    """Until its own process is killed; returns the pid of its worker."""
    arguments = [str(tmp_path / "logs" / "app.log"), method, job, str(tmp_path / "flag")]
    program = subprocess.Popen(
        [sys.executable, flying.__file__, "die_with_a_worker", json.dumps(arguments)],
        stdout=subprocess.PIPE, env=ENVIRONMENT, text=True,
    )  # fmt: skip
    with program:
        pid = int(program.stdout.readline())
        assert program.wait(60) == -signal.SIGKILL
    return pid


@pytest.mark.parametrize("method", START_METHODS)
def test_a_survivor_brings_the_parents(tmp_path, lines, method):
    """As soon as it logs; and its own is nobody's business, as it ends well."""
    run_program(tmp_path, method, "outlive")
    (tmp_path / "flag").touch()
    eventually(lambda: len(dumps(lines())) == 1, 60)
    (tmp_path / "flag.end").touch()
    eventually(lambda: not list((tmp_path / "logs").glob(".mplogging-*")), 60)
    assert dumps(lines()) == [("MainProcess", DIED, ["parent low"])]
    assert {line for line in lines() if "high" in line} == {
        "an orphan, high", "parent high", "w high",
    }  # fmt: skip


@pytest.mark.parametrize("by", ["command", "session"])
def test_all_are_dead(tmp_path, lines, session, by):
    """Then it is the recovery that brings all of them."""
    pid = run_program(tmp_path, "fork", "fly_until")
    os.kill(pid, signal.SIGKILL)

    def recovered() -> bool:
        if by == "command":
            subprocess.run(
                [sys.executable, "-m", "mplogging", "recover", str(tmp_path / "logs")],
                env=ENVIRONMENT, timeout=60, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        else:
            with session(flightRecorder=0):
                pass
        return not list((tmp_path / "logs").glob(".mplogging-*"))

    eventually(recovered, 60)
    found = sorted((why, messages) for _, why, messages in dumps(lines()))
    assert found == [(DIED, ["parent low"]), (DIED, low("w"))]


# -- while it lives ------------------------------------------------------------------------


def test_it_logs_an_error(session, lines, context):
    """The ring comes before it, and is empty then."""
    with session():
        process = context.Process(target=flying.fly_and_fail, args=("w",), name="w")
        process.start()
        process.join()
    assert dumps(lines()) == [("w", "it logged at ERROR", low("w"))]
    assert [line.rpartition(" ")[2] for line in lines()[-2:]] == ["failed", "again"]


def test_flight_recorder_level(session, lines):
    """From which level on that is so; a record that a filter holds back is none."""
    with session(flightRecorderLevel="warning"):
        log.debug("one")
        log.info("no reason")
        limit = mplogging.RateLimit(1, 60, per="all")
        log.addFilter(limit)
        try:
            log.warning("a reason")
            log.debug("two")
            log.warning("held back")
        finally:
            log.removeFilter(limit)
    assert [messages for _, _, messages in dumps(lines())] == [["one"]]
    assert any(line.endswith("WARNING a reason") for line in lines())


def test_dump(session, lines, tmp_path, context):
    """Of all processes, which live on; what has been dumped does not come again."""
    flag = tmp_path / "flag"
    with session() as running:
        log.debug("the parent's")
        processes = [
            context.Process(target=flying.fly_until, args=(name, flag), name=name)
            for name in "ab"
        ]
        for process in processes:
            process.start()
        eventually(lambda: all((tmp_path / f"flag.{name}").exists() for name in "ab"), 60)
        assert running.dump() == 7
        assert running.flush(60)
        found = dumps(lines())
        assert sorted(found) == [
            ("MainProcess", "session.dump()", ["the parent's"]),
            *((name, "session.dump()", low(name)) for name in "ab"),
        ]
        assert running.dump() == 0
        log.debug("the parent's second")
        assert running.dump() == 1
        flag.touch()
        for process in processes:
            process.join()
    assert len(dumps(lines())) == 4


@pytest.fixture
def command(tmp_path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "mplogging", "dump", *map(str, arguments)],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, env=ENVIRONMENT,
        )  # fmt: skip

    return run


def test_the_command(session, lines, command, tmp_path):
    """It says what it has done; the log says who wanted it."""
    with session() as running:
        log.debug("asked for")
        done = command(tmp_path / "logs" / "app.log")
        assert (done.returncode, done.stdout, done.stderr) == (
            0, "1 records came into the log\n", "",
        )  # fmt: skip
        assert command(running.address).stdout.startswith("0 records")
    ((_, why, messages),) = dumps(lines())
    assert re.fullmatch(r"process \d+ asked for it, with `mplogging dump`", why)
    assert messages == ["asked for"]
    assert "example: mplogging dump " in command("--help").stdout


def test_without_a_recorder(session, command):
    """Both say so."""
    with session(flightRecorder=0) as running:
        with pytest.raises(mplogging.ConfigError, match=r"dump\(\) needs .*flightRecorder=200"):
            running.dump()
        done = command(running.address)
        assert done.returncode == 2 and "flightRecorder=200" in done.stderr
    with pytest.raises(mplogging.SessionClosedError):
        running.dump()


# -- what is kept --------------------------------------------------------------------------


class Collecting(logging.Handler):
    def __init__(self, level=logging.NOTSET):
        super().__init__(level)
        self.got, self.records = [], []

    def emit(self, record):
        self.records.append(record)
        self.got.append(record.getMessage())


@pytest.fixture
def tree():
    """Some loggers, put back after the test."""
    names = ("t", "t.open", "t.open.below", "t.quiet", "t.apart", "t.twin")
    loggers = {name.rpartition(".")[2]: logging.getLogger(name) for name in names}
    yield loggers
    for logger in loggers.values():
        logger.setLevel(logging.NOTSET)
        logger.propagate, logger.disabled = True, False
        logger.handlers, logger.filters = [], []
    logging.disable(logging.NOTSET)


def test_the_program_sees_no_difference(session, lines, tree):
    """No level, answer or handler of its own is another, and all is put back."""
    names = ("isEnabledFor", "handle", "callHandlers")
    methods = [getattr(logging.Logger, name) for name in names]
    beside, named, added = Collecting(), Collecting(), Collecting()
    tree["open"].addHandler(named)
    with session(handlers=[beside]):
        logging.getLogger().addHandler(added)
        for logger in (*tree.values(), logging.getLogger()):
            assert not logger.isEnabledFor(logging.DEBUG) and logger.isEnabledFor(logging.INFO)
            assert logger.getEffectiveLevel() == logging.INFO
        adapter = logging.LoggerAdapter(tree["open"], {})
        assert not adapter.isEnabledFor(logging.DEBUG)
        assert not logging.LoggerAdapter(adapter, {}).isEnabledFor(logging.DEBUG)
        tree["below"].debug("plain")
        logging.LoggerAdapter(adapter, {}).debug("adapted")
        logging.debug("of the root logger")
        tree["below"].log(5, "lower still")
        # Records that are handed to a logger have passed already, as ever.
        tree["below"].handle(logging.makeLogRecord({"levelno": 10, "msg": "handed"}))
        tree["below"].error("failed")
        logging.getLogger().removeHandler(added)
    assert beside.got == named.got == added.got == ["handed", "failed"]
    kept = ["plain", "adapted", "of the root logger", "lower still"]
    assert [messages for _, _, messages in dumps(lines())] == [kept]
    assert methods == [getattr(logging.Logger, name) for name in names]


def test_which_loggers(session, lines, tree):
    """All that lead to the log, but those that are less talkative than the root logger."""
    tree["open"].setLevel(logging.INFO)
    tree["quiet"].setLevel(logging.ERROR)
    tree["apart"].propagate = False
    with session(level="WARNING") as running:
        for name, logger in tree.items():
            logger.debug(name)
        tree["twin"].disabled = True
        tree["twin"].debug("disabled")
        logging.disable(logging.DEBUG)
        tree["open"].debug("disabled")
        logging.disable(logging.NOTSET)
        assert running.dump() == 4
        # One that the session is told passes: it is in the log, and not in the ring.
        running.setLevel("DEBUG", "t.open")
        tree["open"].debug("passes")
        assert running.dump() == 0
    assert dumps(lines())[0][2] == ["t", "open", "below", "twin"]
    assert any(line.endswith("DEBUG passes") for line in lines())


def test_too_low_for_the_file(tmp_path, lines, tree):
    """Though the logger lets it pass, and a handler has it."""
    file = mplogging.DatedFileHandler(tmp_path / "logs" / "app.log")
    file.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    file.setLevel(logging.WARNING)
    beside, named = Collecting(), Collecting()
    tree["open"].addHandler(named)
    settings = {"level": "DEBUG", "handlers": [beside], "flightRecorder": 10}
    with mplogging.LogSession(file, **settings) as running:
        tree["open"].info("too low")
        tree["open"].warning("high")
        assert running.dump() == 1
    file.close()
    assert beside.got == ["too low", "high"]
    assert [record.getMessage() for record in named.records] == beside.got
    assert [line.rpartition(" ")[2] for line in lines() if "flight" not in line] == ["high", "low"]
    assert any(line == "INFO [recorded] too low" for line in lines())


class Redacting(logging.Filter):
    def filter(self, record):
        record.msg = record.msg.replace("secret", "***")
        return "forbidden" not in record.msg


def test_filters(session, lines, tree):
    """What they hide is hidden; what is kept does not count for a limit."""
    limit = mplogging.RateLimit(1, 60, per="all")
    tree["open"].addFilter(Redacting())
    tree["open"].addFilter(limit)
    with session() as running:
        for text in ("a secret", "forbidden", "another secret"):
            tree["open"].debug(text)
        tree["open"].info("passes")
        assert running.dump() == 2
    assert dumps(lines())[0][2] == ["a ***", "another ***"]
    assert any(line.endswith("INFO passes") for line in lines())


class JsonFormatter(logging.Formatter):
    def format(self, record):
        fields = {"text": record.getMessage(), "trace": record.exc_text, "msg": record.msg}
        return json.dumps({**fields, "level": record.levelname})


def test_a_long_line_is_cut(tmp_path, session, lines):
    """In its message, so that a JSON line stays one; of a traceback, the end stays."""
    file = mplogging.DatedFileHandler(tmp_path / "logs" / "app.log")
    file.setFormatter(JsonFormatter())
    with mplogging.LogSession(file, flightRecorder=10) as running:
        log.debug("x" * 5000)
        log.debug("ü" * 5000)
        log.debug({"a": "dict"})
        assert running.dump() == 3
    file.close()
    _, first, second, third, _ = map(json.loads, lines())
    assert re.fullmatch(r"\[recorded\] x{700,} \[cut\]", first["text"])
    assert second["text"].startswith("[recorded] ") and second["text"].endswith(" [cut]")
    assert third["msg"] == {"recorded": True, "a": "dict"}
    for path in (tmp_path / "logs").iterdir():
        path.unlink()
    with session() as running:
        try:
            raise ValueError("y" * 1000 + "the end of it")
        except ValueError:
            log.debug("z" * 1500, exc_info=True)
        assert running.dump() == 1
    assert "ValueError" not in lines()[1] and "the end of it" in "".join(lines())


def test_its_own_days_file(tmp_path, session):
    """A ring that spans midnight: each part stands in its day's file, between two lines."""
    days = [datetime.datetime(2026, 11, day, 12).timestamp() for day in (23, 24)]

    class Earlier(logging.Filter):
        def filter(self, record):
            record.created = days[int(record.getMessage()[0])]
            return True

    log.addFilter(Earlier())
    try:
        with session() as running:
            log.debug("0 first")
            log.debug("1 second")
            assert running.dump() == 2
    finally:
        log.filters.clear()
    for day, text in ((23, "0 first"), (24, "1 second")):
        ((_, why, messages),) = dumps(texts(tmp_path)[f"logs/app.log.2026-11-{day}"].splitlines())
        assert (why, messages) == ("session.dump()", [text])


def test_a_bad_debug_call(session, lines):
    """Nobody had noticed it before, and nobody does now."""
    with session() as running:
        log.debug("%d %d", 1)
        assert running.dump() == 1
    assert "%d %d (its arguments do not fit: " in dumps(lines())[0][2][0]


# -- threads, signals, and what may be missing -----------------------------------------------


def test_threads_and_signal_handlers(session, lines):
    """None takes another's place."""
    with session(flightRecorder=5000) as running:
        before = signal.signal(signal.SIGALRM, lambda *_: log.debug("from a handler"))
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        try:
            threads = [
                threading.Thread(target=flying.fly, args=(name, 500)) for name in "abcd"
            ]
            for thread in threads:
                thread.start()
            flying.fly("main", 500)
            for thread in threads:
                thread.join()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        count = running.dump()
    ((_, _, messages),) = dumps(lines())
    assert len(messages) == count
    for name in ("a", "b", "c", "d", "main"):
        assert [one for one in messages if one.startswith(f"{name} ")] == low(name, 500)
    assert set(messages) - {"from a handler"} == {
        text for name in ("a", "b", "c", "d", "main") for text in low(name, 500)
    }


def test_no_room_is_left(session, lines):
    """Then it goes without, says so once, and logs as ever."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            running = session().start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    try:
        log.debug("not kept")
        log.error("logged")
        with pytest.raises(mplogging.ConfigError):
            running.dump()
        assert not [name for name in os.listdir(running.address) if name.startswith("ring")]
    finally:
        running.stop()
    assert not dumps(lines())
    assert [line for line in lines() if "logged" in line]
    assert sum("goes without FlightRecorder: " in line for line in lines()) == 1


def use_up_descriptors():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limit[1]))
    taken = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    child = os.fork()
    if child == 0:  # it gets no ring
        log.debug("not kept")
        log.info("logged")
        log.error("failed")
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    for descriptor in taken:
        os.close(descriptor)


def replace_all(path):
    """As a daemon that closes all, and then opens files of its own."""
    log.debug("kept until then")
    own = os.open(path, os.O_WRONLY | os.O_CREAT)
    for number in range(3, 1100):
        os.dup2(own, number)
    time.sleep(0.06)
    log.debug("not kept")
    log.info("logged")
    os._exit(b"recorded" in Path(path).read_bytes())


@pytest.mark.parametrize(
    ("job", "arguments"), [(use_up_descriptors, []), (replace_all, ["file"])]
)
def test_a_process_without_descriptors(session, lines, tmp_path, job, arguments):
    """Nothing is written where it does not belong, and it logs as ever."""
    arguments = [str(tmp_path / name) for name in arguments]
    with session():
        process = multiprocessing.get_context("fork").Process(target=job, args=arguments)
        process.start()
        process.join()
        assert process.exitcode == 0
    assert any("logged" in line for line in lines())
    assert not any("not kept" in line for line in lines())


def test_a_ring_that_is_just_being_made(session):
    """It is not taken for one of a dead process."""
    with session() as running:
        path = os.path.join(running.address, "ring-4711-00")
        for content in (b"", bytes(600)):
            with open(path, "wb") as file:
                file.write(content)
            running.dump()
            assert os.path.exists(path)


def test_the_documentation(tmp_path):
    """Its example has the lines that it shows."""
    text = (Path(mplogging.__file__).parent / "docs" / "blackbox.rst").read_text("utf-8")
    section = text.partition("Flight recorder\n")[2]
    example, shown = re.findall(r"::(?: python)?\n\n((?:    .*\n|\n)+)", section)[:2]
    (tmp_path / "example.py").write_text(textwrap.dedent(example))
    subprocess.run([sys.executable, "example.py"], cwd=tmp_path, check=True, env=ENVIRONMENT)
    (log_text,) = texts(tmp_path / "logs").values()
    shown_lines = textwrap.dedent(shown).strip().splitlines()
    assert len(shown_lines) == len(log_text.splitlines())
    for shown_line, line in zip(shown_lines, log_text.splitlines()):
        pattern = re.escape(shown_line).replace("…", ".*").replace("4711", r"\d+")
        assert re.fullmatch(pattern, line), line


# -- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("number", [-1, 1.5, "200", 10_001, None])
def test_what_is_no_number_of_records(session, number):
    with pytest.raises(mplogging.ConfigError, match=f"flightRecorder must be .*{number!r}"):
        session(flightRecorder=number)


def test_what_else_is_refused(session, tmp_path):
    """A level that is none, a queue in the journal's place, a session without a log."""
    with pytest.raises(mplogging.ConfigError, match="flightRecorderLevel must be .*'LOUD'"):
        session(flightRecorderLevel="LOUD")
    with pytest.raises(mplogging.ConfigError, match="flightRecorder=100 needs the journal"):
        session(queue=multiprocessing.Queue())
    handler = logging.StreamHandler()
    logging.getLogger().addHandler(handler)
    try:
        with pytest.raises(mplogging.ConfigError, match="flightRecorder=5 needs a log"):
            mplogging.LogSession(flightRecorder=5).start()
    finally:
        logging.getLogger().removeHandler(handler)
