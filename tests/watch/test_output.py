"""What workers write to their descriptors is in the log, line by line."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SHORTLY, eventually, texts
from processes import sweep

import mplogging
from mplogging._wire.holes import punch
from watch import talking

TESTS = Path(__file__).parent.parent
OWN = "of the session's own process\n"
SPOKEN = [
    "INFO stderr its error", "INFO stderr told", "INFO stdout by number",
    "INFO stdout from a child", "INFO stdout from a shell", "INFO stdout half a line",
    "INFO stdout printed",
]  # fmt: skip


one_method = pytest.mark.parametrize("in_session", ["spawn"], indirect=True)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "logs"


@pytest.fixture
def new_session(directory):
    def make(**options):
        options = {"captureOutput": True, "format": talking.FORMAT, **options}
        return mplogging.LogSession(directory / "app.log", **options)

    return make


@pytest.fixture(params=SHORTLY)
def in_session(request, directory):
    """Runs a function in workers of a program with a session; what that prints at its end."""

    def run(function, way="in_process", **options):
        done = program(
            "session", directory, request.param, way, function.__name__, json.dumps(options)
        )
        assert done.stderr == ""
        assert done.stdout.startswith(OWN)
        return json.loads(done.stdout[len(OWN) :])

    return run


def program(name, *arguments, **options):
    """As a program of its own: what pytest makes of the descriptors of this one is no console."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    environment.pop("PYTHONUNBUFFERED", None)  # as most programs run
    return subprocess.run(
        [sys.executable, talking.__file__, name, *map(str, arguments)], capture_output=True,
        text=True, timeout=60, env=environment, **options,
    )  # fmt: skip


def lines(directory):
    """Each as (process name, pid, text with level and logger)."""
    found = []
    for line in "".join(texts(directory).values()).splitlines():
        level, process, name, rest = line.split(" ", 3)
        pid, _, text = rest.partition("|")
        found.append((process, int(pid), f"{level} {name} {text}"))
    return found


def told(directory):
    return [text for _, _, text in lines(directory)]


def test_of_processes(in_session, directory):
    """Python's, C's and other programs', as of the worker; the program's own is left alone."""
    (pid,) = in_session(talking.speak)["pids"]
    assert {line[:2] for line in lines(directory)} == {("W", pid)}
    assert sorted(told(directory)) == SPOKEN


def test_of_pools(in_session, directory):
    """Of each worker."""
    pids = in_session(talking.speak, "in_pools")["pids"]
    for pid in pids:
        assert sorted(text for _, one, text in lines(directory) if one == pid) == SPOKEN
    assert {pid for _, pid, _ in lines(directory)} == set(pids)
    assert "MainProcess" not in {name for name, _, _ in lines(directory)}


def test_of_a_program_that_attaches(new_session, directory):
    """From then on; what it had printed before is where it was to be."""
    with new_session(captureOutput="WARNING"):
        assert program("attached").stdout == "before it attaches\n"
    assert sorted(told(directory)) == [line.replace("INFO", "WARNING") for line in SPOKEN]


def test_what_was_written_before_a_death(in_session, directory):
    """To the last half of a line."""
    in_session(talking.speak_and_die)
    expected = [f"INFO stdout line {count}" for count in range(1000)]
    assert told(directory) == [*expected, "INFO stdout the last words"]


@one_method
def test_the_interpreters_last_words(in_session, directory):
    """faulthandler writes them to descriptor 2."""
    in_session(talking.crash)
    assert "INFO stderr Fatal Python error: Segmentation fault" in told(directory)


@one_method
def test_odd_lines(in_session, directory):
    """What is no text is escaped, and one that does not end comes in pieces."""
    in_session(talking.speak_oddly)
    out = [line for line in told(directory) if line.startswith("INFO stdout")]
    assert out == [r"INFO stdout \xff\xfe binary\x00\x80", "INFO stdout ", "INFO stdout käse"]
    *pieces, last = [line[12:] for line in told(directory) if line.startswith("INFO stderr")]
    assert last == "after"
    assert "".join(pieces) == "x" + "ä" * 1_000_000
    assert len(pieces) > 30


@one_method
def test_a_handler_that_writes_to_stderr(in_session, directory):
    """Its line comes once more, and no oftener."""
    in_session(talking.echo_a_record)
    assert sorted(told(directory)) == ["INFO stderr said twice", "WARNING echo said twice"]


def test_it_comes_while_the_worker_lives(new_session, directory):
    """And to the handlers, in the session's process."""
    context, got = multiprocessing.get_context("spawn"), []

    class Handler(logging.Handler):
        def emit(self, record):
            got.append((record.name, record.getMessage(), record.process))

    with new_session(handlers=[Handler()]):
        reading, writing = context.Pipe()
        process = context.Process(target=talking.speak_when_told, args=(reading,))
        process.start()
        for number in range(3):
            writing.send(f"word {number}")
            expected = ("stdout", f"word {number}", process.pid)
            eventually(lambda expected=expected: expected in got, 20)
        writing.send(None)
        process.join()
        process.close()
        reading.close()
        writing.close()
    assert len(got) == 3


@pytest.mark.parametrize("everybody", ["yes", "no"])
def test_the_sessions_process_is_killed(directory, everybody):
    """The last worker, or the recovery, brings what nobody has read."""
    directory.mkdir()
    done = program("killed", directory, everybody, start_new_session=True)
    assert done.returncode == -signal.SIGKILL
    eventually(lambda: sweep(directory) >= 0 and not list(directory.glob(".mplog*")), 30)
    expected = ["INFO stdout before"]
    if everybody == "no":
        expected += ["INFO stdout after", "INFO stdout at last"]
    assert [line for line in told(directory) if "recovered" not in line] == expected


@one_method
def test_a_flood(in_session, directory):
    """What comes faster than it can be read, and has no room, is dropped and counted."""
    dropped = in_session(talking.flood, arguments=[200_000], bufferBytes=1 << 20)["dropped"]
    written = [line for line in told(directory) if line.startswith("INFO stdout ")]
    assert 0 < dropped == 200_000 - len(written)
    assert any(f"dropped {dropped} records between" in line for line in told(directory))
    assert written[-1].split()[2] == "000009999"  # the last words are what matters


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_from_one_session_to_another(directory, method):
    """The descriptors lead to the one, are put back, and lead to the next."""
    done = program("successive", directory, method)
    assert done.stderr == ""
    assert "of second.log" in done.stdout.splitlines()
    said = {name[:5]: set(text.splitlines()) for name, text in texts(directory).items()}
    assert said["first"] >= {"root of first.log", "stdout of first.log"}
    assert not any(line.startswith("stdout") for line in said["secon"])
    assert said["third"] == {"root of third.log", "stdout of third.log"}


def test_the_directory_is_removed_underneath(new_session, directory):
    """Those that have it open write on, and the next to start have another: all is read."""
    context = multiprocessing.get_context("spawn")
    with new_session():
        reading, writing = context.Pipe()
        old = context.Process(target=talking.speak_when_told, args=(reading,), name="old")
        old.start()
        writing.send("before")
        eventually(lambda: "INFO stdout before" in told(directory), 20)
        for path in directory.glob(".mplogging-*"):
            shutil.rmtree(path)
        new = context.Process(target=talking.speak, name="new")
        new.start()
        new.join()
        writing.send(None)
        old.join()
        reading.close()
        writing.close()
    assert sorted(text for name, _, text in lines(directory) if name == "new") == SPOKEN


def test_what_is_read_takes_no_room(tmp_path):
    """The file is written to, and so can't be cut; its beginning becomes a hole."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * (4 << 20))
    with path.open("r+b") as file:
        if not punch(file.fileno(), 3 << 20):
            pytest.skip("no holes on this system")
        file.seek(3 << 20)
        assert file.read() == b"x" * (1 << 20)
        assert os.fstat(file.fileno()).st_blocks * 512 < 2 << 20


def test_arguments(new_session):
    """A level, by number or name."""
    for wrong in ("LOUD", 1.5, None):
        with pytest.raises(mplogging.ConfigError, match="captureOutput"):
            new_session(captureOutput=wrong)
    queue = multiprocessing.Queue()
    with pytest.raises(mplogging.ConfigError, match="captureOutput=True needs the journal"):
        new_session(queue=queue)
    queue.close()
