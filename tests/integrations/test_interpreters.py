"""Several interpreters in one process: `InterpreterPoolExecutor`, and before that, by hand."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import subprocess
import sys

import pytest

from integrations.libraries import found
from integrations.recipes import PATIENCE_SECONDS, environment, logged, ran

LINE = r"root: order (\d+)$"
needs_interpreters = pytest.mark.skipif(
    not hasattr(concurrent.futures, "InterpreterPoolExecutor"),
    reason="InterpreterPoolExecutor is new in Python 3.14",
)
MODULE = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
needs_module = pytest.mark.skipif(
    importlib.util.find_spec(MODULE) is None, reason=f"needs CPython's {MODULE}"
)
# With a lock of its own, from Python 3.12 on; and as programs have them that embed Python.
KINDS = ["isolated", "legacy"]
BY_HAND = f"""
import logging, os, sys
import {MODULE} as interpreters
import mplogging

def run(code):
    if sys.version_info < (3, 13):
        one = interpreters.create(isolated=sys.argv[1] == "isolated")
        interpreters.run_string(one, code)
    else:
        one = interpreters.create(sys.argv[1])
        assert interpreters.exec(one, code) is None
    return one
"""
ATTACHED = """
with mplogging.LogSession("logs/app.log", captureOutput=True):
    for number in range(2):
        one = run(f'''
import logging, mplogging
mplogging.attach()
for number in range({number * 100}, {number * 100 + 100}):
    logging.info("order %d", number)
''')
        os.write(1, b"printed\\n")
        interpreters.destroy(one)
    logging.info("order 200")
os.write(1, b"printed\\n")
"""
IN_IT = """
interpreters.destroy(run('''
import logging, mplogging
try:
    with mplogging.LogSession("logs/app.log"):
        logging.info("order 0")
except mplogging.SessionError as error:
    print(error)
'''))
"""


def by_hand(program: str, kind: str, directory) -> str:
    """Run the program to its end, which is a good one; returns what it has printed."""
    done = subprocess.run(
        [sys.executable, "-c", BY_HAND + program, kind], cwd=directory, env=environment(),
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@needs_interpreters
def test_interpreters(tmp_path):
    """Each line of each interpreter is there once."""
    assert ran("interpreters.py", tmp_path) == ""
    lines = logged(tmp_path).splitlines()
    assert found(lines, LINE) == list(range(1000)) and len(lines) == 1000


@needs_module
@pytest.mark.parametrize("kind", KINDS)
def test_those_that_attach(tmp_path, kind):
    """Their lines are there; the process's output stays that of the first."""
    assert by_hand(ATTACHED, kind, tmp_path) == 3 * "printed\n"
    lines = logged(tmp_path).splitlines()
    assert found(lines, LINE) == list(range(201)) and len(lines) == 201


@needs_module
@pytest.mark.parametrize("kind", KINDS)
def test_a_session_that_begins_in_one(tmp_path, kind):
    """It does without signals; where there can be no thread for it, it says so."""
    printed = by_hand(IN_IT, kind, tmp_path)
    if kind == "isolated":
        assert "the session can't begin: " in printed and "thread" in printed
        assert logged(tmp_path) == ""
    else:
        assert printed == ""
        assert found(logged(tmp_path).splitlines(), LINE) == [0]
