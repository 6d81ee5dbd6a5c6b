"""The command line, as a user types it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import signal
import subprocess
import sys

import pytest
from conftest import START_METHODS, texts

import mplogging

SCRIPT = """
import logging, multiprocessing, os, sys

logging.basicConfig(level=logging.INFO)


def work(number):
    logging.getLogger("work").info("number %d", number)
    return number


if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    assert __file__ == os.path.abspath("script.py"), __file__
    with multiprocessing.Pool(2) as pool:
        print(sum(pool.map(work, range(10))))
    exec(sys.argv[2])
"""


@pytest.fixture
def run(tmp_path):
    """Runs `python -m mplogging` in an empty directory that holds the script."""
    (tmp_path / "script.py").write_text(SCRIPT)

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "mplogging", *arguments],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("method", START_METHODS)
def test_run_needs_no_change_of_the_program(run, tmp_path, method):
    """Its workers' records are in the file, its output and status are its own."""
    done = run("run", "--file", "here/my.log", "script.py", method, "sys.exit(7)")
    assert (done.returncode, done.stdout) == (7, "45\n")
    ((name, text),) = texts(tmp_path / "here").items()
    assert done.stderr == f"mplogging: the log is {tmp_path / 'here' / name}\n"
    assert sorted(re.findall(r"work: number (\d)\n", text)) == list("0123456789")


@pytest.mark.parametrize(
    ("end", "status", "said"),
    [
        ("", 0, ""),
        ("sys.exit('enough')", 1, "enough\n"),
        ("raise KeyError('x')", 1, "KeyError: 'x'\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, ""),
        (
            # Of a shell's background jobs, which the tests may be one of, SIGINT is ignored.
            "import os, signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
            " os.kill(os.getpid(), signal.SIGINT)",
            -signal.SIGINT,
            "KeyboardInterrupt\n",
        ),
        ("import mplogging; raise mplogging.SessionError('of its own')", 1, "of its own"),
    ],
)
def test_run_ends_as_the_script_does(run, tmp_path, end, status, said):
    """By returning, exiting, an exception or a signal; all records are written."""
    done = run("run", "script.py", "fork", end)
    assert done.returncode == status
    assert said in done.stderr
    if "Traceback" in done.stderr:
        trace = done.stderr.partition("Traceback")[2].replace(str(tmp_path), "")
        assert trace.splitlines()[1].startswith('  File "/script.py", line ')
        assert "mplogging/" not in trace and "runpy" not in trace
    (text,) = texts(tmp_path / "logs").values()
    assert text.count("work: number") == 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "missing.py"], "'missing.py'"),
        (["run", "-m", "missing.module"], "'missing.module'"),
        (["run", "-m", ".relative"], "'.relative'"),
        (["run", "--level", "loud", "script.py"], "'loud'"),
        (["run", "--file", "script.py/app.log", "script.py"], "script.py/app.log"),
        (["run", "--backup-count", "-1", "script.py"], "-1"),
        (["demo", "missing"], "'missing'"),
        (["demo", "--processes", "0"], "0"),
        ([], "required"),
    ],
)
def test_bad_arguments(run, tmp_path, arguments, said):
    """Status 2 and one clear line; nothing is made."""
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr
    assert os.listdir(tmp_path) == ["script.py"]


@pytest.mark.parametrize(
    "setup",
    [
        "logging.basicConfig(level=logging.INFO)",
        "logging.basicConfig(level=logging.INFO, force=True)",
        "import logging.config; logging.config.dictConfig({'version': 1, 'handlers': {'c':"
        " {'class': 'logging.StreamHandler'}}, 'root': {'level': 'INFO', 'handlers': ['c']}})",
        "root = logging.getLogger(); root.handlers = [logging.StreamHandler()]",
        "root = logging.getLogger(); root.handlers.clear(); logging.basicConfig(level='INFO')",
        "root = logging.getLogger(); root.handlers[:] = [];"
        " root.addHandler(logging.StreamHandler())",
        "root = logging.getLogger(); [root.removeHandler(handler) for handler in root.handlers];"
        " root.handlers += [logging.StreamHandler()]",
        "root = logging.getLogger()\n"
        "while root.hasHandlers(): root.removeHandler(root.handlers[0])\n"
        "logging.basicConfig(level='INFO')",
    ],
)
def test_a_script_that_sets_up_its_own_handlers(run, tmp_path, setup):
    """The file gets everything all the same; they get what the main process logs."""
    done = run("run", "script.py", "spawn", f"{setup}; logging.info('from main')")
    assert done.returncode == 0
    assert done.stderr.count("from main") == 1
    (text,) = texts(tmp_path / "logs").values()
    assert text.count("work: number") == 10 and text.count("from main") == 1


def test_a_script_with_a_session_of_its_own(run, tmp_path):
    """That one has all that is logged while it lasts, from workers too; then it is as before."""
    (tmp_path / "script.py").write_text(
        "import logging, multiprocessing, os, signal, mplogging\n"
        "context = multiprocessing.get_context('fork')\n"
        "def both(word):\n"
        "    logging.info('from main %s', word)\n"
        "    with context.Pool(1) as pool:\n"
        "        pool.map(logging.info, [f'from a worker {word}'])\n"
        "both('before')\n"
        "with mplogging.LogSession('own/own.log', format='%(message)s') as session:\n"
        "    assert mplogging.current_session() is session\n"
        "    both('within')\n"
        "both('after')\n"
        "mplogging.LogSession('last/last.log', format='%(message)s').start()\n"
        "both('at last')\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = run("run", "script.py")
    assert done.returncode == -signal.SIGTERM, done.stderr
    (text,) = texts(tmp_path / "logs").values()
    assert [line.split(": ")[1] for line in text.splitlines()] == [
        "from main before", "from a worker before", "from main after", "from a worker after",
    ]
    for name, word in (("own", "within"), ("last", "at last")):
        (text,) = texts(tmp_path / name).values()
        assert text == f"from main {word}\nfrom a worker {word}\n"
    assert not list(tmp_path.rglob(".mplogging-*"))


# Under spawn no worker finds the functions of a package's `__main__`: so it is with Python.
@pytest.mark.parametrize(
    ("name", "method"),
    [*[("package.module", method) for method in START_METHODS], ("package", "fork")],
)
def test_run_of_a_module(run, tmp_path, name, method):
    """As `python -m` runs it: its name, its arguments, its workers, what its package logs."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("import logging; logging.info('import')")
    script = SCRIPT.replace(
        'assert __file__ == os.path.abspath("script.py"), __file__',
        "assert sys.argv[0] == __file__ and __package__ == 'package'",
    )
    for file in ("module", "__main__"):
        (tmp_path / "package" / f"{file}.py").write_text(script)
    program = [name, method, "print(__spec__.name)", "--level", "x"]
    done = run("run", "--level", "info", "-m", *program)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"45\n{name if '.' in name else 'package.__main__'}\n"
    (text,) = texts(tmp_path / "logs").values()
    assert sorted(re.findall(r"work: number (\d)\n", text)) == list("0123456789")
    assert text.count("MainProcess") == text.count(": import") == 1 or method != "fork"
    assert len(set(re.findall(r"\[(\d+)\] work:", text))) in (1, 2)


def test_run_of_a_module_that_fails_to_import(run, tmp_path):
    """Python's own words, with the program's frames only."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("import missing_module")
    done = run("run", "-m", "package.module")
    assert done.returncode == 1
    trace = done.stderr.partition("\n")[2].replace(str(tmp_path), "")
    assert "Error: " in trace and "mplogging" not in trace and "importlib" not in trace
    assert run("run", "-m", "string.nothing").returncode == 1


def test_a_script_goes_on_in_threads(run, tmp_path):
    """And in what it has registered with `atexit`: the session lasts as long as the program."""
    (tmp_path / "script.py").write_text(
        "import atexit, logging, threading, time\n"
        "def poll():\n"
        "    while threading.main_thread().is_alive(): time.sleep(0.01)\n"
        "    logging.info('from a thread')\n"
        "atexit.register(logging.info, 'from atexit')\n"
        "threading.Thread(target=poll).start()\n"
        "logging.info('from main')\n"
    )
    done = run("run", "script.py")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    (text,) = texts(tmp_path / "logs").values()
    assert [line.split(": ")[1] for line in text.splitlines()] == [
        "from main", "from a thread", "from atexit",
    ]


def test_a_script_with_a_syntax_error(run, tmp_path):
    """Is reported as Python reports it."""
    (tmp_path / "script.py").write_text("def\n")
    done = run("run", "script.py")
    assert done.returncode == 1
    assert "SyntaxError" in done.stderr
    assert "mplogging" not in done.stderr.replace(str(tmp_path), "")


@pytest.mark.parametrize("name", ["nowhere", "script.py"])
def test_recover_looks_into_directories(run, name):
    """Of what is none, it does not say that nothing is left there."""
    done = run("recover", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"'{name}' can't be listed" in done.stderr and "the directory" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_what_is_shown_can_not_be_written(run, tmp_path):
    """It says that this is so, and nothing of a file that it reads."""
    (tmp_path / "app.log.2026-11-24").write_text("a line\n")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mplogging", "tail", "app.log"], cwd=tmp_path,
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert "error: the output can't be written: No space left" in done.stderr


def test_version(run):
    """The program, the module and what is installed say the same one."""
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"mplogging {mplogging.__version__}\n")
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # the bare source tree
        assert importlib.metadata.version("mplogging") == mplogging.__version__
