"""OpenTelemetry: one exporter, in the parent; each record has the trace of where it was made."""

import logging
from concurrent.futures import ProcessPoolExecutor

from opentelemetry import context, propagate, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider, export
from opentelemetry.sdk.trace import TracerProvider

import mplogging

trace.set_tracer_provider(TracerProvider())


def make_record(*args, **kwargs):
    propagate.inject(vars(record := logging.LogRecord(*args, **kwargs)))  # its traceparent
    return record


class Exporter(LoggingHandler):
    def emit(self, record):
        context.attach(propagate.extract(vars(record), context.Context()))
        super().emit(record)


def work(number):
    with trace.get_tracer("shop").start_as_current_span("order"):
        try:
            1 / (number % 10)
        except ZeroDivisionError:
            logging.exception("no price for %d", number)


if __name__ == "__main__":
    logging.setLogRecordFactory(make_record)
    provider = LoggerProvider()
    provider.add_log_record_processor(export.BatchLogRecordProcessor(OTLPLogExporter()))
    with mplogging.LogSession("logs/app.log", handlers=[Exporter(logger_provider=provider)]):
        with ProcessPoolExecutor(4) as pool:
            list(pool.map(work, range(1000)))
