"""`mplogging sessions` and `top`: which sessions there are, and how they do, seen from outside."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import multiprocessing
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from conftest import HAS_PROC, eventually, texts

import mplogging

HEADS = "PID STATE PROCESSES RECORDS RECORDS/S WAITING DROPPED LOG"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}


@pytest.fixture
def run(tmp_path):
    """Runs a command, in a directory that has nothing to do with the log."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "mplogging", *map(str, arguments)],
            cwd=elsewhere, env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    return run


@pytest.fixture
def look(run):
    """What is told of one session; None if it is not seen."""

    def look(target):
        done = run("sessions", "--json", target)
        assert done.stderr == ""
        told = json.loads(done.stdout)
        assert (done.returncode, len(told)) in ((0, 1), (1, 0))
        return told[0] if told else None

    return look


def told_at_rest(told):
    """How many records it has written, once no figure changes any more; else None."""
    return told["records"] if told["records_per_second"] == 0 else None


def state_of(directory):
    """What whoever changes something there can't help changing."""
    names = os.listdir(directory)
    return os.stat(directory).st_mtime_ns, {
        name: os.stat(os.path.join(directory, name)).st_mtime_ns for name in names
    }


def test_one_that_runs(run, look, tmp_path):
    """What it does is told, by its address, process or log, and nothing in it is changed."""
    log = tmp_path / "logs" / "app.log"
    audit = mplogging.DatedFileHandler(tmp_path / "logs" / "audit.log")
    logging.getLogger("audit").addHandler(audit)
    with mplogging.LogSession(log) as session, multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(logging.warning, ["%d"] * 10)
        logging.getLogger("audit").warning("in both")
        session.flush()
        eventually(lambda: told_at_rest(look(session.address)) == 12, 60)
        before = state_of(session.address)
        for target in (session.address, log, tmp_path / "logs" / "audit.log"):
            assert look(target) == {
                "address": session.address, "logs": [str(log), str(audit.baseFilename)],
                "pid": os.getpid(), "state": "runs", "processes": 3 if HAS_PROC else None,
                "records": 12, "records_per_second": 0.0, "waiting_bytes": 0, "dropped": 0,
            }  # fmt: skip
        assert not HAS_PROC or look(os.getpid())["address"] == session.address
        assert state_of(session.address) == before
        table = run("sessions", log).stdout
        told = run("top", "--count", "2", "--interval", "0.01", log)
        pool.close()
        pool.join()
    logging.getLogger("audit").removeHandler(audit)
    audit.close()
    row = [str(os.getpid()), "runs", "3" if HAS_PROC else "-", "12", "0", "0", "B", "0",
           f"{log},", str(audit.baseFilename)]  # fmt: skip
    assert [line.split() for line in table.splitlines()] == [HEADS.split(), row]
    assert (told.stdout, told.stderr, told.returncode) == (f"{table}\n{table}", "", 0)
    assert look(log) is None


SESSION = """
import logging, multiprocessing, sys
import mplogging

def child():
    sys.stdin = open(0, closefd=False)
    print(multiprocessing.current_process().pid, flush=True)
    for count in map(int, iter(sys.stdin.readline, "")):
        for number in range(count):
            logging.warning("number %d", number)
        print("done", flush=True)

if __name__ == "__main__":
    with mplogging.LogSession(sys.argv[1], overflow="drop", bufferBytes=65536) as session:
        print(session.address, flush=True)
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join()
"""


@pytest.fixture
def family(tmp_path):
    """A session in a process of its own, its address, and a child that logs when it is told."""
    log = tmp_path / "logs" / "app.log"
    (tmp_path / "program.py").write_text(SESSION)
    with subprocess.Popen(
        [sys.executable, "program.py", str(log)], cwd=tmp_path, env=ENVIRONMENT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    ) as parent:  # fmt: skip
        try:
            address = parent.stdout.readline().strip()
            yield parent, address, int(parent.stdout.readline())
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(parent.pid, signal.SIGKILL)


def make_log(parent, count):
    """Let the child log so many records."""
    parent.stdin.write(f"{count}\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "done\n"


def test_what_waits_and_what_is_dropped(run, look, family, tmp_path):
    """While the session's process is stopped; and of the dead, with a word on what to do."""
    parent, address, child = family
    make_log(parent, 5)
    eventually(lambda: look(address)["records"] == 5, 60)
    parent.send_signal(signal.SIGSTOP)
    make_log(parent, 3000)
    assert look(address)["waiting_bytes"] > 65_536
    make_log(parent, 3000)  # by now it has looked how full the journal is
    seen = look(address)
    assert (seen["state"], seen["records"]) == ("runs", 5)
    assert 0 < seen["dropped"] < 6000
    os.killpg(parent.pid, signal.SIGKILL)
    parent.wait()
    eventually(lambda: look(address)["state"] == "dead", 60)
    dead = look(address)
    assert dead["processes"] == 0
    assert dead["waiting_bytes"] == seen["waiting_bytes"]
    assert f"left: mplogging recover {address}\n" in run("sessions", address).stdout
    run("recover", address)
    assert look(address) is None
    written = "".join(texts(tmp_path / "logs").values()).count("number ")
    assert seen["dropped"] == 6005 - written


def test_one_whose_process_is_dead(look, family, tmp_path):
    """While another writes on."""
    parent, address, _ = family
    parent.kill()
    parent.wait()
    make_log(parent, 10)
    eventually(lambda: look(address)["state"] == "orphaned", 60)
    seen = look(address)
    assert seen["processes"] == (1 if HAS_PROC else None)
    assert (seen["pid"], seen["records_per_second"]) == (parent.pid, None)
    eventually(lambda: look(address)["waiting_bytes"] == 0, 60)
    parent.stdin.close()
    eventually(lambda: not os.path.exists(address), 60)
    assert "".join(texts(tmp_path / "logs").values()).count("number ") == 10


def test_figures_that_are_none(look, tmp_path):
    """They are not told; those that come next are."""
    with mplogging.LogSession(tmp_path / "app.log") as session:
        path = Path(session.address, "figures")
        eventually(lambda: told_at_rest(look(session.address)) == 0, 60)
        with path.open("r+b") as file:
            file.seek(16)
            file.write(b"\xff\xff")
        assert look(session.address)["records"] is None
        logging.warning("another")
        eventually(lambda: look(session.address)["records"] == 1, 60)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_figures_that_can_not_be_written(look, tmp_path):
    """That harms nothing, and nobody hears of it."""
    with mplogging.LogSession(tmp_path / "app.log", format="%(message)s") as session:
        path = os.path.join(session.address, "figures")
        os.mkfifo(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            tries = select.poll()
            tries.register(descriptor, 0)  # for hanging up, as who has opened it does
            assert tries.poll(60_000)
            assert os.read(descriptor, 100) == b""
        finally:
            os.close(descriptor)
        assert look(session.address)["records"] is None
        logging.warning("on it goes")
    assert list(texts(tmp_path).values()) == ["on it goes\n"]
    assert sum(session.stats()[4:9]) == 0


def test_over_a_queue(run, tmp_path):
    """There is nothing to be seen."""
    queue = multiprocessing.Queue()
    with mplogging.LogSession(tmp_path / "app.log", queue=queue):
        done = run("sessions", tmp_path / "app.log")
        again = run("top", "-n", "1", "--json", tmp_path / "app.log")
    queue.close()
    queue.join_thread()
    assert (done.stdout, done.returncode) == ("no session of this user is seen here\n", 1)
    assert (again.stdout, again.returncode) == ("[]\n", 1)


@pytest.fixture
def terminals():
    """There are some: a bare root directory has none."""
    try:
        for descriptor in pty.openpty():
            os.close(descriptor)
    except OSError as error:
        pytest.skip(f"no terminals here: {error}")


def test_top_on_a_terminal(terminals, family):
    """The lines are drawn over those before, as long as the terminal is wide; Ctrl-C ends it."""
    parent, address, _ = family
    pid, terminal = pty.fork()
    if not pid:
        os.execve(
            sys.executable,
            [sys.executable, "-m", "mplogging", "top", "--interval", "0.01", address],
            ENVIRONMENT,
        )
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        shown = ""
        while shown.count("\x1b[2A\r") < 3:
            assert select.select([terminal], [], [], 60)[0], shown
            shown += os.read(terminal, 1000).decode()
        os.write(terminal, b"\x03")
        with contextlib.suppress(OSError):  # its end
            while select.select([terminal], [], [], 60)[0] and os.read(terminal, 1000):
                pass
    finally:
        os.close(terminal)
        status = os.waitpid(pid, 0)[1]
    parent.stdin.close()
    assert parent.wait(60) == 0
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 130
    last = shown.split("\x1b[2A\r")[2]
    lines = last.partition("\x1b[J")[0].split("\x1b[K\r\n")
    assert lines[0].split()[:3] == HEADS.split()[:3] and "runs" in lines[1]
    assert len(lines[1]) == 59 and not lines[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["top", "--interval", "0"], "more than 0 and at most 86400, got '0'"),
        (["top", "--interval", "nan"], "got 'nan'"),
        (["top", "-n", "0"], "must be a number of 1 or more, got '0'"),
        (["sessions", "--jsn"], r"did you mean --json\?"),
    ],
)
def test_a_wrong_call(run, arguments, said):
    """Status 2, and what would be right."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(said, done.stderr) and "Traceback" not in done.stderr


def test_help_and_documentation(run):
    """Each has an example, and says what the exit statuses mean; the columns are these."""
    for command in ("sessions", "top"):
        said = run(command, "--help").stdout
        assert f"example: mplogging {command}" in said and "exit status: " in said
    page = Path(mplogging.__file__).with_name("docs").joinpath("sessions.rst").read_text("utf-8")
    assert HEADS in " ".join(page.split())
    assert re.findall(r"^``([A-Z/]+)`` ", page, re.MULTILINE) == HEADS.split()
