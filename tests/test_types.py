"""A type checker, and so an editor, knows each argument: a user's slip is an error to it too."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mplogging
from mplogging._file.options import FileOptions

# What ends in "# wrong" is an error in that line; nothing else is one.
USE = '''
import datetime
import logging
import multiprocessing
import pathlib

import mplogging

session = mplogging.LogSession(
    pathlib.Path("logs/app.log"), level="debug", console=True, backupCount=15, when="W0",
    overflow="drop", dropBelow=logging.WARNING, compress="gz", newlines="escape", style="{",
    maxAge=datetime.timedelta(days=3), lock="exclusive", handlers=[logging.StreamHandler()],
    handlerOverflow="block", symlink="latest.log", mode=0o640,
)
mplogging.LogSession("x", backupCont=15)  # wrong
mplogging.LogSession("x", backupCount="15")  # wrong
mplogging.LogSession("x", overflow="dorp")  # wrong
mplogging.LogSession("x", handlerOverflow="dorp")  # wrong
mplogging.LogSession("x", compress="rar")  # wrong
mplogging.LogSession("x", newlines="eat")  # wrong
mplogging.LogSession("x", style="&")  # wrong
mplogging.LogSession("x", lock="shared")  # wrong
mplogging.LogSession("x", autoAttach="no")  # wrong
mplogging.LogSession("x", console=1.5)  # wrong
mplogging.DatedFileHandler("x", backupCont=15)  # wrong
mplogging.DatedFileHandler("x", compress="rar")  # wrong
mplogging.DatedFileHandler("x", when=5)  # wrong


@mplogging.LogSession("logs/app.log")
def main(number: int) -> str:
    return str(number)


@mplogging.worker
def work(number: int) -> int:
    return number


@mplogging.worker(level="warning")
def other(number: int) -> int:
    return number


length: int = len(main(5))
main("5")  # wrong
work("5")  # wrong
other("5")  # wrong

with session as entered:
    is_attached: bool = mplogging.attach(required=False)
    current = mplogging.current_session()
    current.flush()  # wrong
    if current is not None:
        current.flush(1.5)
        current.setLevel("debug", "app.db", seconds=60)
        current.setLevel("debug", 60)  # wrong
    with multiprocessing.Pool(2, entered.initializer) as pool:
        pool.map(entered.wrap(work), range(3))
    records: int = entered.stats().records
    path: str = entered.activeFilename  # wrong
'''
WRONG = {number for number, line in enumerate(USE.splitlines(), 1) if line.endswith("# wrong")}


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "use.py"
    path.write_text(USE)
    return path


def environment() -> dict[str, str]:
    """For a checker to find the package as we have: beside us, or installed."""
    parent = Path(mplogging.__path__[0]).parent
    return dict(os.environ) if parent.name == "site-packages" else {
        **os.environ, "MYPYPATH": str(parent),
    }


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="needs mypy")
def test_mypy(source):
    """With --strict: the wrong lines, and no others."""
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "cache", source.name]
    done = subprocess.run(
        command, cwd=source.parent, env=environment(), capture_output=True, text=True
    )
    found = re.findall(r"^use\.py:(\d+): error", done.stdout, re.MULTILINE)
    assert {int(number) for number in found} == WRONG, done.stdout + done.stderr


@pytest.mark.skipif(importlib.util.find_spec("pyright") is None, reason="needs pyright")
def test_pyright(source):
    """The same lines."""
    parent = str(Path(mplogging.__path__[0]).parent)
    settings = {"include": ["use.py"], "extraPaths": [parent], "typeCheckingMode": "standard"}
    (source.parent / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True)
    if not done.stdout.startswith("{"):
        pytest.skip(f"pyright does not work here: {(done.stderr or done.stdout)[-200:]}")
    found = {
        problem["range"]["start"]["line"] + 1
        for problem in json.loads(done.stdout)["generalDiagnostics"]
        if problem["severity"] == "error"
    }
    assert found == WRONG, done.stdout


def test_the_options_are_the_handlers():
    """Those that a session passes on are all that the handler takes, and none else."""
    arguments = inspect.signature(mplogging.DatedFileHandler).parameters
    assert list(FileOptions.__annotations__) == [name for name in arguments if name != "filename"]
