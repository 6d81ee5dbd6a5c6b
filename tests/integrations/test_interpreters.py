"""`InterpreterPoolExecutor`, which Python has from 3.14 on."""

from __future__ import annotations

import concurrent.futures

import pytest

from integrations.libraries import found
from integrations.recipes import logged, ran

LINE = r"root: order (\d+)$"
needs_interpreters = pytest.mark.skipif(
    not hasattr(concurrent.futures, "InterpreterPoolExecutor"),
    reason="InterpreterPoolExecutor is new in Python 3.14",
)


@needs_interpreters
def test_interpreters(tmp_path):
    """Each line of each interpreter is there once."""
    assert ran("interpreters.py", tmp_path) == ""
    lines = logged(tmp_path).splitlines()
    assert found(lines, LINE) == list(range(1000)) and len(lines) == 1000
