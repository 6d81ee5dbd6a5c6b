"""structlog in all processes: JSON in the file, colours on the console.

structlog hands its event to `logging` as a dictionary, which each handler renders in its way.
What `bind_contextvars` has added is taken up where the record is made.
"""

import logging
from concurrent.futures import ProcessPoolExecutor

import structlog
from structlog.stdlib import LoggerFactory, ProcessorFormatter

import mplogging

shared = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level]
processors = [*shared, ProcessorFormatter.wrap_for_formatter]
structlog.configure(processors=processors, logger_factory=LoggerFactory())


def work(number):
    structlog.contextvars.bind_contextvars(request=f"r{number}")
    structlog.get_logger("shop").info("order", number=number)


if __name__ == "__main__":
    console, file = logging.StreamHandler(), mplogging.DatedFileHandler("logs/app.log")
    console.setFormatter(ProcessorFormatter(processor=structlog.dev.ConsoleRenderer()))
    file.setFormatter(ProcessorFormatter(processor=structlog.processors.JSONRenderer()))
    with mplogging.LogSession(file, handlers=[console]), ProcessPoolExecutor(4) as pool:
        list(pool.map(work, range(1000)))
