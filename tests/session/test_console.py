"""The console beside the file, the word where it falls silent, and set-up code that runs twice."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import texts

import mplogging

BEGINNING = """
import logging, multiprocessing, sys
import mplogging
from mplogging import DatedFileHandler, LogSession

root = logging.getLogger()

def in_worker(function, *args):
    process = multiprocessing.get_context(sys.argv[1]).Process(target=function, args=args)
    process.start()
    process.join()

"""


def run(directory, program, method="fork"):
    """What came to stderr, and the lines of the log."""
    path = directory / "program.py"
    path.write_text(BEGINNING + program)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", path, method],
        cwd=directory, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout, "".join(texts(directory / "logs").values()).splitlines()


@pytest.mark.parametrize(
    ("console", "shown"),
    [
        ("True", ["DEBUG low", "ERROR high"]),
        ("'error'", ["ERROR high"]),
        ("logging.WARNING", ["ERROR high"]),
        ("False", []),
        ("None", []),
    ],
)
def test_a_console_beside_the_file(tmp_path, console, shown):
    """In the session's format, for all processes, from the level on that was asked for."""
    told, lines = run(tmp_path, f"""
with LogSession("logs/app.log", level="debug", console={console},
                format="%(levelname)s %(message)s"):
    in_worker(logging.debug, "low")
    in_worker(logging.error, "high")
""")
    assert told.splitlines() == shown
    assert lines == ["DEBUG low", "ERROR high"]


@pytest.mark.parametrize("console", ["no", "loud", -1, 1.5, []])
def test_no_such_level(tmp_path, console):
    """It names the argument."""
    with pytest.raises(mplogging.ConfigError, match="^console must be"):
        mplogging.LogSession(tmp_path / "app.log", console=console)


def test_a_console_needs_a_filename():
    """Without one, what the root logger has is taken as it is."""
    with pytest.raises(mplogging.ConfigError, match="console=True needs a filename"):
        mplogging.LogSession(console=True)


@pytest.mark.parametrize(
    ("before", "options", "is_told"),
    [
        ("logging.basicConfig()", "", True),
        ("root.addHandler(logging.StreamHandler(sys.stdout))", "", True),
        ("logging.basicConfig()", ", console='critical'", False),
        ("logging.basicConfig()", ", handlers=[logging.NullHandler()]", False),
        ("logging.basicConfig(filename='other.log')", "", False),
        ("import io; logging.basicConfig(stream=io.StringIO())", "", False),
        ("", "", False),
    ],
)
def test_a_console_that_falls_silent(tmp_path, before, options, is_told):
    """Once, in one line: where the lines go now, and how to have both."""
    told, lines = run(tmp_path, f"""
{before}
for _ in range(2):
    with LogSession("logs/app.log", format="%(message)s"{options}):
        logging.info("hello")
""")
    ((name, _),) = texts(tmp_path / "logs").items()
    assert lines == ["hello", "hello"]
    assert told.count("\n") == is_told
    if is_told:
        assert os.path.join(tmp_path, "logs", name) in told and "console=True" in told


def test_what_is_told_at_the_very_beginning(tmp_path):
    """What a session has left before the machine was started anew is on the console as well."""
    told, lines = run(tmp_path, """
import glob, json, os, shutil
if not os.fork():
    LogSession("logs/app.log").start()
    os.kill(os.getpid(), 9)
os.wait()
(path,) = glob.glob("logs/.mplogging-*/recovery")
described = json.load(open(path))
with open(path, "w") as file:
    json.dump({**described, "boot": "another"}, file)
with LogSession("logs/app.log", format="%(message)s", console=True):
    logging.info("hello")
shutil.rmtree(os.path.dirname(path))
for bell in filter(os.path.exists, described["bells"]):
    os.unlink(bell)
""")
    assert told.splitlines() == lines
    assert "a session has left something" in lines[0] and lines[1:] == ["hello"]


def test_adopted_consoles_are_not_silent(tmp_path):
    """So nothing is said of them."""
    told, _ = run(tmp_path, """
logging.basicConfig(level="INFO", format="%(message)s")
with LogSession():
    logging.info("hello")
""")
    assert told == "hello\n"


# -- set-up code that runs again ------------------------------------------------------

SET_UP = """
def set_up():
    if not any(isinstance(handler, DatedFileHandler) for handler in root.handlers):
        root.addHandler(DatedFileHandler("logs/app.log"))
    if not any(type(handler) is logging.StreamHandler for handler in root.handlers):
        root.addHandler(logging.StreamHandler())
    root.setLevel("INFO")

def work():
    if not any(isinstance(handler, DatedFileHandler) for handler in root.handlers):
        root.addHandler(DatedFileHandler("logs/app.log"))
    logging.info("from a worker")

"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_set_up_code_that_runs_again(tmp_path, method):
    """A handler unless one of its class is there: the session does its work, so none is added."""
    told, lines = run(tmp_path, SET_UP + """
if __name__ == "__main__":
    set_up()
    before = root.handlers[:]
    with LogSession():
        for _ in range(3):
            set_up()
        root.addHandler(before[0])
        logging.info("from main")
        in_worker(work)
    assert root.handlers == before
    assert "addHandler" not in vars(root)
    logging.info("after")
""", method)
    assert lines == ["from main", "from a worker", "after"]
    assert told.splitlines() == lines


def test_a_cell_that_runs_again(tmp_path):
    """A notebook's: the error says that `current_session()` is there."""
    told, lines = run(tmp_path, SET_UP + """
assert mplogging.current_session() is None
for cell in range(2):
    set_up()
    if mplogging.current_session() is None:
        session = LogSession("logs/app.log", format="%(message)s", console=True).start()
    assert mplogging.current_session() is session
    logging.info("cell %d", cell)
    try:
        LogSession("logs/app.log").start()
    except mplogging.SessionError as error:
        assert "current_session()" in str(error), error
    in_worker(lambda: mplogging.current_session() is None or sys.exit(1))
mplogging.current_session().stop()
assert mplogging.current_session() is None
""")
    assert lines == ["cell 0", "cell 1"]
    assert told.splitlines() == lines


def test_other_handlers_are_added(tmp_path):
    """For another file or stream, or of another class; and an initializer's beside ours."""
    (tmp_path / "logs").mkdir()
    told, lines = run(tmp_path, """
def prepare():
    logging.basicConfig(force=True, level="INFO", handlers=[DatedFileHandler("logs/app.log")])

with LogSession("logs/app.log", format="%(message)s", console=True) as session:
    root.addHandler(DatedFileHandler("other/other.log"))
    root.addHandler(logging.StreamHandler(sys.stdout))
    logging.info("everywhere")
    with multiprocessing.get_context("fork").Pool(1, session.wrap(prepare)) as pool:
        pool.map(logging.info, ["once"])
""")
    assert lines == ["everywhere", "once"]
    assert sorted(told.splitlines()) == ["everywhere", "everywhere", "once"]
    assert list(texts(tmp_path / "other").values()) == ["everywhere\n"]
