"""OpenTelemetry: what all processes log comes to a collector, each record once."""

from __future__ import annotations

import re

import pytest

from integrations.libraries import METHODS, UNCAUGHT, check_broken, found, run
from integrations.receivers import web

pytest.importorskip("opentelemetry.sdk")
service = pytest.importorskip("opentelemetry.proto.collector.logs.v1.logs_service_pb2")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
pytest.importorskip("opentelemetry.instrumentation.logging.handler")
RECIPE = "opentelemetry_logs.py"


def exported(bodies):
    """The log records that a collector has got."""
    requests = [service.ExportLogsServiceRequest.FromString(body) for body in list(bodies)]
    return [
        record
        for request in requests
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def numbers(records):
    return found([one.body.string_value for one in records], r"^no price for (\d+)$")


def check_record(record):
    """It has its own span, and the exception in its attributes."""
    fields = {one.key: one.value.string_value for one in record.attributes}
    trace, span = re.fullmatch("00-(.{32})-(.{16})-[0-9a-f]{2}", fields["traceparent"]).groups()
    assert (record.trace_id.hex(), record.span_id.hex()) == (trace, span)
    assert fields["exception.type"] == "ZeroDivisionError"
    assert fields["exception.message"] == "division by zero"
    assert ", in work\n    1 / (number % 10)\n" in fields["exception.stacktrace"]
    return span


def run_with_collector(tmp_path, method, dies_after=""):
    with web() as (port, bodies):
        lines = run(
            RECIPE, tmp_path, method, dies_after,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        )  # fmt: skip
    return lines, exported(bodies)


@pytest.mark.parametrize("method", METHODS)
def test_opentelemetry(tmp_path, method):
    """Each record, with trace, span and exception of where it was made, and each line."""
    lines, records = run_with_collector(tmp_path, method)
    assert numbers(records) == list(range(0, 1000, 10))
    assert found(lines, r": no price for (\d+)$") == list(range(0, 1000, 10))
    assert len(set(map(check_record, records))) == 100


@pytest.mark.parametrize("method", METHODS)
def test_a_worker_is_killed(tmp_path, method):
    """Its last record has come, and stands in the file."""
    lines, records = run_with_collector(tmp_path, method, "no price for 500")
    check_broken(numbers(records), 500)
    assert [one.body.string_value for one in records].count(UNCAUGHT) == 1
    assert found(lines, r": no price for (\d+)$") == numbers(records)
