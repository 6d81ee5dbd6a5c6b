"""structlog: JSON in the file and text on the console, of all processes."""

from __future__ import annotations

import json
import re

import pytest

from integrations.libraries import METHODS, check_broken, found, run
from integrations.recipes import output

pytest.importorskip("structlog")
RECIPE = "structlog_session.py"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def shown(directory):
    """What the console has: number and request of each line."""
    lines = [COLOURS.sub("", line) for line in output(directory).splitlines()]
    found = [re.fullmatch(r"\[info +\] order +number=(\d+) request=r(\d+)", one) for one in lines]
    return [(int(match[1]), int(match[2])) for match in found if match]


@pytest.mark.parametrize("method", METHODS)
def test_structlog(tmp_path, method):
    """Each event is there once in both, with what its process had bound."""
    events = [json.loads(line) for line in run(RECIPE, tmp_path, method)]
    for event in events:
        number = event["number"]
        assert event == {
            "event": "order", "level": "info", "number": number, "request": f"r{number}",
        }  # fmt: skip
    assert sorted(event["number"] for event in events) == list(range(1000))
    assert shown(tmp_path) == [(event["number"], event["number"]) for event in events]
    assert len(output(tmp_path).splitlines()) == 1000


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_is_killed(tmp_path, method):
    """Its last event is in both."""
    numbers = found(run(RECIPE, tmp_path, method, "'r500'"), r'"number": (\d+)')
    check_broken(numbers, 500)
    assert sorted(number for number, _ in shown(tmp_path)) == numbers
