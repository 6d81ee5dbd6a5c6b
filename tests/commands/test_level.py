"""`mplogging level`: a level in all processes of a session that runs, from outside."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys

import pytest
from conftest import eventually, needs_proc, texts

import mplogging

DEBUG, INFO, ERROR = logging.DEBUG, logging.INFO, logging.ERROR
NAMES = ("steered", "steered.db")


@pytest.fixture(autouse=True)
def levels():
    """The loggers' levels are put back."""
    yield
    for name in NAMES:
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture
def level(tmp_path):
    """Runs the command, in a directory that has nothing to do with the log."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "mplogging", "level", *map(str, arguments)],
            cwd=elsewhere, capture_output=True, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip

    return run


@pytest.fixture
def new_session(tmp_path):
    def make(name="app.log"):
        return mplogging.LogSession(tmp_path / "logs" / name, format="%(name)s %(message)s")

    return make


def all_text(tmp_path):
    return "".join(texts(tmp_path / "logs").values())


@pytest.mark.parametrize("which", ["address", pytest.param("pid", marks=needs_proc), "file"])
def test_the_session_has_it(new_session, level, tmp_path, which):
    """By its address, its process or its log: it says what it has done, here and in the log."""
    with new_session() as session:
        targets = {
            "address": session.address, "pid": os.getpid(), "file": tmp_path / "logs/app.log",
        }  # fmt: skip
        done = level(targets[which], "steered.db=debug", "--for", "10m")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "logger 'steered.db' logs from DEBUG on for 600 s\n"
        assert logging.getLogger("steered.db").level == DEBUG
        assert level(targets[which], "40").stdout == "the root logger logs from ERROR on\n"
        assert logging.getLogger().level == ERROR
        left = [name.partition("-")[0] for name in os.listdir(session.address)]
        assert not {"request", "answer"} & set(left)
    said = r"mplogging .* on for 600 s: set by process \d+, with `mplogging level`\n"
    assert re.search(said, all_text(tmp_path))
    assert f"process {os.getpid()}," not in all_text(tmp_path)


def test_it_is_given_back(new_session, level):
    """After its time."""
    with new_session() as session:
        assert level(session.address, "steered=DEBUG", "--for", "0.05s").returncode == 0
        eventually(lambda: logging.getLogger("steered").level == logging.NOTSET, 60)


@needs_proc
def test_of_several_files(new_session, level, tmp_path):
    """The log of a named logger stands for its session too, and for the same one."""
    audit = mplogging.DatedFileHandler(tmp_path / "logs" / "audit.log")
    logging.getLogger("steered").addHandler(audit)
    try:
        with new_session():
            for target in (tmp_path / "logs" / "audit.log", os.getpid()):
                done = level(target, "steered=DEBUG")
                assert (done.returncode, done.stderr) == (0, "")
    finally:
        logging.getLogger("steered").removeHandler(audit)
        audit.close()


@needs_proc
def test_none_is_named(new_session, level):
    """Then it is the only one that runs; where there are others of this user, all are named."""
    with new_session() as session:
        done = level("steered=DEBUG")
        address = session.address
    if done.returncode:
        assert "several sessions run: give the address of one\n" in done.stderr
        assert f"  {address} (process {os.getpid()}, log " in done.stderr
        assert logging.getLogger("steered").level == logging.NOTSET
    else:
        assert done.stdout == "logger 'steered' logs from DEBUG on\n"


OTHER = """
import sys
import mplogging
with mplogging.LogSession(sys.argv[1]) as session:
    print(session.address, flush=True)
    sys.stdin.read()
"""


def test_a_log_of_two_sessions(new_session, level, tmp_path):
    """Both are named, and neither has it."""
    log = tmp_path / "logs" / "app.log"
    with new_session() as session, subprocess.Popen(
        [sys.executable, "-c", OTHER, str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as other:  # fmt: skip
        address = other.stdout.readline().strip()
        done = level(log, "steered=DEBUG")
        assert done.returncode == 2
        assert "means several sessions: give the address of one\n" in done.stderr
        assert address in done.stderr and session.address in done.stderr
        assert logging.getLogger("steered").level == logging.NOTSET
        assert level(address, "DEBUG").returncode == 0
        assert logging.getLogger().level == INFO
        other.communicate("", timeout=60)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["steered=LOUD"], "level must be .*'LOUD'"),
        (["steered="], "level must be .*''"),
        (["DEBUG", "--for", "soon"], "must be a time such as 60s, 5m or 1h, got 'soon'"),
        (["DEBUG", "--for", "0s"], "must be a time such as 60s, 5m or 1h, got '0s'"),
    ],
)
def test_a_wrong_call(new_session, level, arguments, said):
    """Status 2, and what would be right; nothing is changed."""
    with new_session() as session:
        done = level(session.address, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert re.search(said, done.stderr) and "Traceback" not in done.stderr
        assert logging.getLogger().level == INFO


def test_a_session_that_is_over(new_session, level):
    """There is none of that address."""
    with new_session() as session:
        address = session.address
    done = level(address, "DEBUG")
    assert done.returncode == 2
    assert "none of the sessions" in done.stderr or "no session of this user" in done.stderr


def test_what_is_no_request(new_session, tmp_path):
    """It is answered, removed, and changes nothing; the session goes on."""
    with new_session() as session:
        for pid, wanted in enumerate(
            ("no JSON", "[]", '{"level": 10}', '{"level": 10, "logger": 5, "seconds": null}'), 1
        ):
            path = os.path.join(session.address, f"request-{pid}")
            with open(path + ".new", "w") as file:
                file.write(wanted)
            os.rename(path + ".new", path)
        for number in range(1, pid + 1):
            path = os.path.join(session.address, f"request-{number}")
            answer = os.path.join(session.address, f"answer-{number}")
            eventually(lambda answer=answer: os.path.exists(answer), 60)
            with open(answer) as file:
                assert "error" in file.read()
            assert not os.path.exists(path)
        assert logging.getLogger().level == INFO
        logging.info("on it goes")
    assert "root on it goes\n" in all_text(tmp_path)


def test_help(level):
    """It has an example, and says what the exit statuses mean."""
    said = level("--help").stdout
    assert "example: mplogging level " in said and "exit status: 0 " in said


def test_a_level_that_is_left_out(level):
    """It says so, whatever sessions run."""
    done = level("logs/app.log")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'logs/app.log' is no level" in done.stderr
    assert "mplogging level logs/app.log DEBUG" in done.stderr


PAUSING = """
import sys
from mplogging.__main__ import main
from mplogging._commands import asking
from mplogging._wire.place import Place

def ask(place, *arguments):
    pause()
    return known(place, *arguments)

def replace(place, *arguments):
    known(place, *arguments)
    pause()

def pause():
    print("found", flush=True)
    sys.stdin.readline()

if sys.argv[2] == "found":
    known, asking.ask = asking.ask, ask
else:
    known, Place.replace = Place.replace, replace
sys.exit(main(["level", sys.argv[1], "DEBUG"]))
"""


@pytest.mark.parametrize("step", ["found", "asked"])
def test_a_session_that_ends_just_then(new_session, step):
    """It is gone before it is asked, or before its answer is looked for."""
    with new_session() as session:
        asking = subprocess.Popen(
            [sys.executable, "-c", PAUSING, session.address, step], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert asking.stdout.readline() == "found\n"
    told, said = asking.communicate("go on\n", timeout=60)
    assert (asking.returncode, told) == (2, "")
    assert "error: the session has just ended: " in said
