"""`mplogging.testing` with pytest itself: what tests see of what all processes log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from reading.test_recipes import programs

import mplogging

ROOT = Path(mplogging.__file__).parent.parent
HEAD = """
import logging, multiprocessing, os, pytest, sys
import mplogging

def say(*words):
    for word in words:
        logging.getLogger("app").info("%s", word)

def fail():
    try:
        1 / 0
    except ZeroDivisionError:
        logging.exception("it failed")

def in_worker(work, *arguments, method=None):
    process = multiprocessing.get_context(method).Process(target=work, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == 0

METHODS = multiprocessing.get_all_start_methods()
"""
PASSING = HEAD + """
@pytest.fixture(scope="class")
def program(tmp_path_factory):
    with mplogging.LogSession(tmp_path_factory.mktemp("logs") / "app.log") as session:
        yield session

def test_without_a_session(mplog):
    assert mplog.records == [] and mplog.text == ""
    with mplog.at_level("INFO"):
        say("before")
        for method in METHODS:
            in_worker(say, method, method=method)
        say("after")
    say("too low")
    in_worker(say, "too low")
    assert mplog.messages == ["before", *METHODS, "after"]
    assert len({record.process for record in mplog.records}) == 1 + len(METHODS)
    assert len(mplog.text.splitlines()) == 2 + len(METHODS)
    assert "INFO     MainProcess app:" in mplog.text
    mplog.clear()
    in_worker(fail)
    (record,) = mplog.records
    assert record.exc_info[0] is ZeroDivisionError
    assert mplog.text.endswith("ZeroDivisionError: division by zero\\n")

def test_nothing_of_the_test_before(mplog, caplog):
    assert mplog.records == caplog.records == []
    assert mplogging.current_session().activeFilename

def test_both_with_a_program_of_the_test(mplog, caplog, tmp_path):
    with mplogging.LogSession(tmp_path / "app.log"):
        say("main")
        assert caplog.messages == ["main"]  # at once
        in_worker(say, "worker")
        assert mplog.messages == ["main", "worker"]
        assert caplog.messages == ["main", "worker"]
    logging.warning("later")
    assert mplog.messages == ["main", "worker", "later"] == caplog.messages

def test_caplog_alone(caplog, tmp_path):
    assert mplogging.current_session() is None
    with mplogging.LogSession(tmp_path / "app.log"):
        in_worker(say, "one", "two")
        say("three")
    assert sorted(caplog.messages) == ["one", "three", "two"]
    caplog.clear()
    with caplog.at_level("ERROR"), mplogging.LogSession(tmp_path / "app.log"):
        in_worker(say, "three")
        in_worker(fail)
    assert caplog.messages == ["it failed"]
    (path,) = tmp_path.glob("app.log.*")
    assert path.read_text().count("three") == 2

def test_adopted(caplog, mplog, tmp_path):
    logging.getLogger().addHandler(mplogging.DatedFileHandler(tmp_path / "app.log"))
    try:
        with mplogging.LogSession(level="INFO"):
            say("main")
            in_worker(say, "worker")
        assert sorted(caplog.messages) == ["main", "worker"]
        assert mplog.messages == ["main", "worker"]
    finally:
        logging.getLogger().handlers.pop().close()

@pytest.mark.parametrize("number", range(2))
class TestSeveralWithOneSession:
    def test_it(self, program, caplog, mplog, number):
        say("main")
        in_worker(say, "worker")
        assert mplog.messages == ["main", "worker"]
        assert caplog.messages == ["main", "worker"]
        with mplog.at_level("DEBUG", "app"):
            assert logging.getLogger("app").level == logging.DEBUG
        assert logging.getLogger("app").level == logging.NOTSET
        assert mplog.messages == ["main", "worker"]
        with pytest.raises(mplogging.ConfigError, match="level"), mplog.at_level("LOUD"):
            pass

def test_levels_are_as_before(mplog):
    assert logging.getLogger().level == logging.WARNING
    say("too low")
    assert mplog.records == []
"""
FAILING = HEAD + """
def test_it(tmp_path):
    with mplogging.LogSession(tmp_path / "app.log"):
        in_worker(say, "from a worker")
        say("from here")
    assert False
"""


def pytest_of(directory: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on this test module."""
    (directory / "test_it.py").write_text(text)
    (directory / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\n"
        "    ignore:This process .* is multi-threaded, use of fork:DeprecationWarning\n"
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments], cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip


def test_what_tests_see(tmp_path):
    """Each record of each process once: in `mplog`, in `caplog`, whoever begins a session."""
    done = pytest_of(tmp_path, PASSING, "-p", "mplogging.testing")
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


def test_the_example(tmp_path):
    """That of the documentation, which names the plugin itself."""
    (program,) = programs("testing.rst")
    done = pytest_of(tmp_path, program)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_report_shows_what_workers_logged(tmp_path):
    """Once, with the rest of the phase, and live where that is asked for; no worker prints."""
    done = pytest_of(tmp_path, FAILING, "-p", "mplogging.testing", "-o", "log_cli=true",
                     "-o", "log_file=all.log")  # fmt: skip
    assert done.returncode == 1
    live, report = re.split("Captured log call", done.stdout)
    for text in (live, report, (tmp_path / "all.log").read_text()):
        for said in ("from a worker", "from here"):
            assert len(re.findall(rf"INFO +app:test_it.py:\d+ {said}", text)) == 1


def test_without_pytests_own_capture(tmp_path):
    """`-p no:logging` takes `caplog` away, and `mplog` stays."""
    text = HEAD + (
        "def test_it(mplog):\n    in_worker(logging.error, 'x')\n"
        "    assert mplog.messages == ['x']\n"
    )
    done = pytest_of(tmp_path, text, "-p", "mplogging.testing", "-p", "no:logging")
    assert done.returncode == 0, done.stdout


def test_it_is_not_there_unless_named(tmp_path):
    """A run of pytest where mplogging is installed does not import it."""
    text = "def test_it():\n    import sys\n    assert 'mplogging' not in sys.modules\n"
    done = pytest_of(tmp_path, text)
    assert done.returncode == 0, done.stdout


def test_pytest_is_needed_by_nothing_else(tmp_path):
    """Without pytest everything but `mplogging.testing` is there."""
    (tmp_path / "pytest.py").write_text("raise ImportError('not installed')\n")
    code = "import mplogging\nfor name in mplogging.__all__: getattr(mplogging, name)\n"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
