"""Sentry: the errors of all processes come to a server, by one client."""

from __future__ import annotations

import json

import pytest

from integrations.libraries import METHODS, UNCAUGHT, check_broken, found, run
from integrations.receivers import web

pytest.importorskip("sentry_sdk")
RECIPE = "sentry_events.py"


def events(bodies):
    """The events in the envelopes that have come."""
    lines = [json.loads(line) for body in list(bodies) for line in body.splitlines() if line]
    return [line for line in lines if "logentry" in line]


def numbers(events):
    return found([event["logentry"]["formatted"] for event in events], r"^no price for (\d+)$")


def run_with_server(tmp_path, method, dies_after=""):
    with web() as (port, bodies):
        dsn = f"http://key@127.0.0.1:{port}/1"
        lines = run(RECIPE, tmp_path, method, dies_after, SENTRY_DSN=dsn)
    return lines, events(bodies)


@pytest.mark.parametrize("method", METHODS)
def test_sentry(tmp_path, method):
    """Each error once, with its exception and the source of its place; and each line."""
    lines, got = run_with_server(tmp_path, method)
    assert numbers(got) == list(range(0, 1000, 10))
    assert found(lines, r": order (\d+)$") == list(range(1000))
    assert found(lines, r": no price for (\d+)$") == list(range(0, 1000, 10))
    for event in got:
        assert (event["level"], event["logger"]) == ("error", "root")
        (raised,) = event["exception"]["values"]
        assert (raised["type"], raised["value"]) == ("ZeroDivisionError", "division by zero")
        (frame,) = raised["stacktrace"]["frames"]
        assert (frame["function"], frame["filename"]) == ("work", RECIPE)
        assert frame["context_line"] == "        1 / (number % 10)"


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_is_killed(tmp_path, method):
    """Its last error has come, and stands in the file."""
    lines, got = run_with_server(tmp_path, method, "no price for 500")
    check_broken(numbers(got), 500)
    assert found(lines, r": no price for (\d+)$") == numbers(got)
    assert [event["logentry"]["formatted"] for event in got].count(UNCAUGHT) == 1
