"""CPython's own tests of both classes, with ours in their place."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mplogging

PROGRAM = """
import logging.handlers, unittest
import mplogging
logging.handlers.QueueHandler = mplogging.QueueHandler
logging.handlers.QueueListener = mplogging.QueueListener
from test import test_logging

test_logging.QueueListenerTest.repeat = 3
load = unittest.defaultTestLoader.loadTestsFromTestCase
suite = unittest.TestSuite([
    load(test_logging.QueueHandlerTest),
    load(test_logging.QueueListenerTest),
    *(test for test in load(test_logging.ConfigDictTest) if "queue" in test.id()),
])
if __name__ == "__main__":
    result = unittest.TextTestRunner().run(suite)
    assert result.wasSuccessful()
"""


def has_cpythons_tests():
    try:
        return importlib.util.find_spec("test.test_logging") is not None
    except ImportError:
        return False


@pytest.mark.skipif(not has_cpythons_tests(), reason="test.test_logging is not installed")
def test_with_ours_in_their_place(tmp_path):
    """They pass: nine at least, and from 3.12 on those of `dictConfig` with a listener too."""
    (tmp_path / "program.py").write_text(PROGRAM)
    root = str(Path(mplogging.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, env={"PYTHONPATH": root, "PATH": ""},
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (count,) = re.findall(r"^Ran (\d+) tests", done.stderr, re.MULTILINE)
    assert int(count) >= (10 if sys.version_info >= (3, 12) else 9)
