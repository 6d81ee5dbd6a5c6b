"""Sentry: one client, in the parent; the errors of all processes, with their tracebacks."""

import logging
import os
from concurrent.futures import ProcessPoolExecutor

import sentry_sdk
from sentry_sdk.integrations.logging import EventHandler, LoggingIntegration

import mplogging


def work(number):
    logging.info("order %d", number)
    try:
        1 / (number % 10)
    except ZeroDivisionError:
        logging.exception("no price for %d", number)


if __name__ == "__main__":
    # Not by the integration: it would send from each process for itself.
    by_handler_only = LoggingIntegration(level=None, event_level=None)
    sentry_sdk.init(dsn=os.environ["SENTRY_DSN"], integrations=[by_handler_only])
    sentry = EventHandler(level=logging.ERROR)
    with mplogging.LogSession("logs/app.log", handlers=[sentry]), ProcessPoolExecutor(4) as pool:
        list(pool.map(work, range(1000)))
    sentry_sdk.flush()
