"""A test that leaves something behind is told so, whatever it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import conftest
import pytest

import mplogging

# One test for each kind of thing or more, named after what it leaves.
LEAVING = '''
import logging, multiprocessing, os, subprocess, threading, time

import conftest, mplogging, pytest

conftest.PATIENCE_SECONDS = 0.1  # nothing here is about to go
kept = []


class Derived(mplogging.DatedFileHandler):
    pass


@pytest.mark.parametrize("name", [None, "app"])
@pytest.mark.parametrize("kind", [mplogging.DatedFileHandler, Derived])
def test_handlers(tmp_path, kind, name):
    logging.getLogger(name).addHandler(kind(tmp_path / "log", delay=True))


@pytest.mark.parametrize("address", ["", "/somewhere"])
def test_environment(address):
    os.environ["MPLOGGING_SESSION"] = address


def test_children():
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(100,)).start()


@conftest.needs_proc
def test_children_of_another_kind():
    kept.append(subprocess.Popen(["sleep", "100"]))


def test_directories():
    os.mkdir(os.path.join(os.environ["XDG_RUNTIME_DIR"], "mplogging-0-left"))


def test_threads():
    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()


@pytest.mark.parametrize("kind", ["file", "the same file", "pipe"])
def test_descriptors(tmp_path_factory, kind):
    path = tmp_path_factory.getbasetemp() / "file"
    kept.extend(os.pipe() if kind == "pipe" else [os.open(path, os.O_RDONLY | os.O_CREAT)])


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_nothing(tmp_path, method):
    with mplogging.LogSession(tmp_path / "log"):
        process = multiprocessing.get_context(method).Process(target=logging.warning, args=("x",))
        process.start()
        process.join()
'''
# How many of those tests leave a thing of each kind.
EXPECTED = {
    "handlers": 4, "environment": 2, "children": 1 + conftest.HAS_PROC, "directories": 1,
    "threads": 1, "descriptors": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What each of those tests is told: its name, and the kinds of things that it has left."""
    directory = tmp_path_factory.mktemp("leaving")
    (directory / "test_leaving.py").write_text(LEAVING)
    paths = [Path(conftest.__file__).parent, Path(mplogging.__path__[0]).parent]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-rE", "--tb=no"],
        cwd=directory, capture_output=True, text=True,
        env={
            **os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTEST_ADDOPTS": "", "COLUMNS": "1000",
        },
    )  # fmt: skip
    assert " passed" in done.stdout and "failed" not in done.stdout, done.stdout + done.stderr
    lines = re.findall(r"^ERROR \S+::test_(.+?) - AssertionError: (.*)", done.stdout, re.MULTILINE)
    return [(name, set(re.findall(r"'(\w+)': \{", left))) for name, left in lines]


@pytest.mark.parametrize("kind", EXPECTED)
def test_it_is_told(told, kind):
    """Of this kind of thing, and of no other."""
    assert [left for name, left in told if name.startswith(kind)] == [{kind}] * EXPECTED[kind]


def test_who_leaves_nothing_is_left_in_peace(told):
    """No other test is told anything."""
    assert len(told) == sum(EXPECTED.values())
