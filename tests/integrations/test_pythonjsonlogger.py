"""python-json-logger: each line an object, in the file and on the console."""

from __future__ import annotations

import json

import pytest

from integrations.libraries import METHODS, check_broken, run
from integrations.recipes import output

pytest.importorskip("pythonjsonlogger")
RECIPE = "json_lines.py"


def orders(lines):
    """Numbers, in order, of each of both kinds of event; its fields are checked."""
    numbers = {"order": [], "no price": []}
    for event in map(json.loads, lines):
        if event["message"] not in numbers:
            continue  # what the session tells, of a worker's death and the broken pool
        numbers[event["message"]].append(event["number"])
        if event["message"] == "order":
            assert (event["tags"], event["levelname"]) == (["a", "b"], "INFO")
        else:
            assert event["exc_info"].endswith("\nZeroDivisionError: division by zero")
            assert event["exc_info"].startswith("Traceback (most recent call last):\n")
            assert ", in work\n    1 / (number % 10)\n" in event["exc_info"]
    return {message: sorted(found) for message, found in numbers.items()}


@pytest.mark.parametrize("method", METHODS)
def test_json(tmp_path, method):
    """Each event is there once in both, with its exception."""
    lines = run(RECIPE, tmp_path, method)
    whole = {"order": list(range(1000)), "no price": list(range(0, 1000, 10))}
    assert orders(lines) == whole
    assert orders(output(tmp_path).splitlines()) == whole
    assert len(lines) == len(output(tmp_path).splitlines()) == 1100
    assert all(isinstance(json.loads(line)["process"], int) for line in lines)


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_is_killed(tmp_path, method):
    """Its last event is in both."""
    numbers = orders(run(RECIPE, tmp_path, method, "no price"))
    for found in numbers.values():
        check_broken(found, min(numbers["no price"]))
    shown = [line for line in output(tmp_path).splitlines() if line.startswith('{"levelname')]
    assert orders(shown) == numbers
