"""`tail` and `stats`, as a user types them, on a pipe and on a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import pytest
from conftest import eventually
from past_logs import HOUR, START, handler, record, write
from processes import Program

from mplogging import DatedFileHandler
from mplogging.__main__ import main

COMMAND = [sys.executable, "-m", "mplogging"]
ZONE = {**os.environ, "TZ": "UTC"}


class Done(NamedTuple):
    """What a command said, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs the command line in the logs' directory, in this process: it is quick."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["mplogging", *arguments])
        try:
            status = main()
        except SystemExit as end:
            status = end.code
        return Done(status, *capsys.readouterr())

    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield run
    time.tzset()


@pytest.fixture
def log(tmp_path):
    """A log of two loggers and processes, an hour a file."""
    made = handler(
        tmp_path, "%(asctime)s %(levelname)s %(processName)s[%(process)d] %(name)s: %(message)s"
    )
    for number in range(30):
        level = (10, 20, 30, 40)[number % 4]
        who = {"name": f"app.{'ab'[number % 2]}", "process": 7 + number % 3}
        who["processName"] = f"Worker-{number % 3}"
        made.handle(record(START + number * HOUR, f"number {number}", level, **who))
    made.close()
    return made


def shown(done) -> list[int]:
    """The numbers of the entries that were shown."""
    assert done.stderr == ""
    return [int(found) for found in re.findall(r"number (\d+)", done.stdout)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], range(10, 30)),
        (["-n", "3"], range(27, 30)),
        (["--all"], range(30)),
        (["--since", "2026-11-25 13:00", "--until", "2026-11-25 15:30"], (27, 28, 29)),
        (["-n", "2", "--level", "ERROR"], (23, 27)),
        (["--level", "warning", "--logger", "app.a", "--all"], range(2, 30, 4)),
        (["--logger", "app", "-n", "1"], (29,)),
        (["--process", "Worker-1", "-n", "2"], (25, 28)),
        (["--process", "9", "-n", "2"], (26, 29)),
        (["--grep", "number 1[0-2]$"], (10, 11, 12)),
    ],
)
def test_tail_shows_what_is_asked_for(run, log, arguments, expected):
    """By number, time, level, process, logger and text, over the files of the log."""
    done = run("tail", *arguments, "app.log")
    assert (shown(done), done.returncode) == (list(expected), 0)


def test_tail_of_nothing(run, log):
    """Status 1 if there is nothing to show, 2 and what would be right if there is no log."""
    done = run("tail", "--grep", "nothing", "app.log")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    done = run("tail", "ap.log")
    assert done.returncode == 2 and "'ap.log': there are ./app.log" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tial"], "did you mean tail?"),
        (["tail", "--folow"], "did you mean --follow?"),
        (["tail", "-n", "-1", "app.log"], "-n must be 0 or more, got -1"),
        (["tail", "--level", "loud", "app.log"], "'loud'"),
        (["tail", "--since", "soon", "app.log"], "'soon'"),
        (["tail", "--grep", "(", "app.log"], "'('"),
        (["tail", "--format", "%(x", "app.log"], "'%(x'"),
        (["tail", "--cursor", "app.log.2026-11-24_10", "app.log"], "--cursor"),
        (["stats", "missing/app.log"], "no directory 'missing'"),
        (["stats", "."], "got the directory '.': there are ./app.log"),
    ],
)
def test_a_wrong_call_says_what_would_be_right(run, log, arguments, said):
    """With status 2 and no traceback."""
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr


def test_help_has_an_example_and_the_exit_status(run):
    """Of each command, and of all."""
    for command in ("run", "demo", "recover", "tail", "stats"):
        text = run(command, "--help").stdout
        assert f"\nexample: mplogging {command}" in text and "\nexit status: " in text
    assert "{" not in run("--help").stdout


def test_the_console_script_is_the_same_program(tmp_path):
    """As the entry point makes it: its own name in what it says, modules found from here."""
    script = tmp_path / "mplogging"
    script.write_text("import sys\nfrom mplogging.__main__ import main\nsys.exit(main())\n")
    (tmp_path / "here.py").write_text("import logging; logging.info('x'); raise KeyError('own')")

    def run(*arguments):
        return subprocess.run(
            [sys.executable, script, *arguments], cwd=tmp_path, capture_output=True, text=True
        )

    assert run("tail", "--help").stdout.startswith("usage: mplogging tail")
    done = run("run", "-m", "here")
    assert done.returncode == 1
    assert re.findall('File "(.*)"', done.stderr) == [str(tmp_path / "here.py")]
    shown = run("tail").stdout
    assert "root: x\n" in shown
    assert re.findall('File "(.*)"', shown) == [str(tmp_path / "here.py")]


def test_several_logs(run, log, tmp_path):
    """One after the other under their names, or merged by time."""
    other = DatedFileHandler(tmp_path / "b.log", when="H", utc=True, delay=True)
    other.setFormatter(log.formatter)
    attributes = {"process": 1, "processName": "p"}
    write(other, record(START + 28.5 * HOUR, "number 285\n more", **attributes))
    done = run("tail", "-n", "2", "app.log", "b.log")
    assert shown(done) == [28, 29, 285]
    assert done.stdout.startswith("==> app.log <==\n") and "\n\n==> b.log <==\n" in done.stdout
    assert shown(run("tail", "--merge", "-n", "3", "app.log", "b.log")) == [28, 285, 29]


def test_a_cursor_goes_on_where_it_ended(run, log):
    """Each entry is shown once, over any number of calls."""
    arguments = ("tail", "--all", "--cursor", "place", "app.log")
    assert shown(run(*arguments)) == list(range(30))
    who = {"process": 1, "processName": "p"}
    write(log, record(START + 40 * HOUR, "number 40", **who), record(START, "number 41", **who))
    assert shown(run(*arguments)) == [41, 40]
    assert run(*arguments).returncode == 1


def test_json_lines_and_other_formats(run, tmp_path):
    """JSON is understood, another format by `--format`; what is neither is shown, and said."""
    lines = [
        {"asctime": "2026-11-24 10:00:00,5", "levelname": "INFO", "message": "number 1"},
        {"timestamp": "2026-11-24T10:00:01Z", "level": "error", "event": "number 2"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + "number 3\n"
    (tmp_path / "app.log.2026-11-24").write_text(text)
    done = run("tail", "--level", "ERROR", "app.log")
    # What has no time goes with the entry before it, as a line of its message would.
    assert shown(done) == [2, 3]
    (tmp_path / "app.log.2026-11-24").write_text("20;number 1\n40;number 2\n")
    done = run("tail", "--level", "ERROR", "app.log")
    assert done.stdout.count("number") == 2
    assert "2 entries do not say their level, and were shown" in done.stderr
    done = run("tail", "--level", "ERROR", "--format", "{levelno};{message}", "--style", "{",
               "app.log")  # fmt: skip
    assert shown(done) == [2]


def test_following_until_it_is_interrupted(log, tmp_path):
    """A new line of a new file is shown; Ctrl-C ends it with no traceback."""
    with subprocess.Popen(
        [*COMMAND, "tail", "-f", "-n", "1", "app.log"],
        cwd=tmp_path, env=ZONE, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=_hear_interrupts,
    ) as process:  # fmt: skip
        assert "number 29" in process.stdout.readline()
        write(log, record(START + 99 * HOUR, "number 99", process=1, processName="p"))
        assert "number 99" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate() == ("", "")
    assert process.returncode == 128 + signal.SIGINT


def _hear_interrupts():
    # Of a shell's background jobs, which the tests may be one of, SIGINT is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_reader_that_goes_away(log, tmp_path):
    """As `head` does: no traceback."""
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m mplogging tail --all app.log | head -n 1"],
        cwd=tmp_path, env=ZONE, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == "" and done.stdout.count("number") == 1


@pytest.mark.parametrize("no_colour", ["", "1"])
def test_colours_are_for_a_terminal(log, tmp_path, no_colour):
    """Unless NO_COLOR is set; bars alike."""
    environment = {**ZONE, "NO_COLOR": no_colour, "TERM": "xterm"}
    text = _on_a_terminal(["tail", "-n", "2", "--level", "30", "app.log"], tmp_path, environment)
    assert ("\x1b[33m" in text) == (not no_colour)
    assert text.count("number") == 2
    if no_colour:
        assert re.search(r"times\r\n  2026-11-24 10:00:00 +1 #{40}\r\n",
                         _on_a_terminal(["stats", "app.log"], tmp_path, environment))  # fmt: skip


def _on_a_terminal(arguments, directory, environment) -> str:
    try:
        master, slave = pty.openpty()
    except OSError as error:
        pytest.skip(f"no terminals here: {error}")
    with open(master, "rb", buffering=0) as screen:
        with subprocess.Popen(
            [*COMMAND, *arguments], cwd=directory, env=environment, stdout=slave, stderr=slave
        ):
            os.close(slave)
            text = b""
            with contextlib.suppress(OSError):  # the end of a terminal
                while block := screen.read(4096):
                    text += block
    return text.decode()


def test_stats_counts(run, log):
    """By level, process, logger and time; gaps, errors, and who has no last word."""
    who = {"process": 7, "processName": "Worker-0"}
    write(log, record(START + 60 * HOUR, "done 1", **who))
    write(log, record(START + 60 * HOUR, "done 2", **{**who, "process": 8}))
    write(log, record(START + 60 * HOUR, "done 3", **{**who, "process": 10}))
    done = run("stats", "app.log")
    assert (done.returncode, done.stderr) == (0, "")
    head, *tables = done.stdout.split("\n\n")
    assert head == "app.log: 33 entries in 31 files, 2026-11-24 10:00:00 to 2026-11-26 22:00:00"
    rows = {table.partition("\n")[0]: table.split("\n", 1)[1].split("\n") for table in tables}
    assert [row.split() for row in rows["levels"]][:2] == [["INFO", "11"], ["DEBUG", "8"]]
    assert ["Worker-1[8]", "10"] in [row.split() for row in rows["processes"]]
    assert ["app.a", "15"] in [row.split() for row in rows["loggers"]]
    assert sum(int(row.split()[-1]) for row in rows["times"]) == 33
    assert rows["gaps"][0].split("to ")[1] == "2026-11-26 22:00:00  111600 s"
    assert [row.split() for row in rows["errors"]] == [["number", "#", "7"]]
    silent = rows["without the last word of the others"]
    assert {row.split()[0] for row in silent if row} == {
        f"Worker-{number}[{pid}]" for number, pid in ((0, 7), (1, 8), (2, 9))
    } - {"Worker-0[7]"}


def test_a_dead_sessions_journal_is_shown(run, tmp_path):
    """With a word on `recover`, after which it is in the log."""
    with Program(tmp_path, args=[(10,)]) as program:
        program.all_have(50)
        program.stop()
        program.go_on(50)
        program.kill_all()
        said = []
        # Its workers may take a moment to die.
        eventually(
            lambda: said.append(run("tail", "-n", "0", "logs/app.log")) or said[-1].stderr
        )
    assert "are of a session that was killed" in said[-1].stderr
    assert "mplogging recover" in said[-1].stderr
    assert program.recovered == said[-1].stdout.count("\n") > 0
