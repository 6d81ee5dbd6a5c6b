"""A context variable of each task, in the lines of all processes; it takes no package."""

from __future__ import annotations

import re

import pytest

from integrations.libraries import METHODS, check_broken, run

RECIPE = "context_variables.py"


def orders(lines):
    """Numbers, in order; each line has its own task's variable."""
    orders = [line for line in lines if ": order" in line]
    matches = [re.search(r"\[\d+\] r(\d+): order (\d+)$", line) for line in orders]
    assert all(match and match[1] == match[2] for match in matches)
    return sorted(int(match[2]) for match in matches)


@pytest.mark.parametrize("method", METHODS)
def test_context_variables(tmp_path, method):
    """Each line is there once, and has what its task has set."""
    lines = run(RECIPE, tmp_path, method)
    assert orders(lines) == list(range(1000)) and len(lines) == 1000


def test_a_worker_is_killed(tmp_path):
    """Its last line is there."""
    check_broken(orders(run(RECIPE, tmp_path, METHODS[0], "order 550")), 550)
