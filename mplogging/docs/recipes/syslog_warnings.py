"""Syslog: one socket, in the parent; warnings and worse of all processes, everything in a file."""

import logging
import logging.handlers
import os
from concurrent.futures import ProcessPoolExecutor

import mplogging


def work(number):
    logging.info("order %d", number)
    if number % 10 == 0:
        logging.warning("no price for %d", number)


if __name__ == "__main__":
    host, _, port = os.environ.get("SYSLOG", "localhost:514").partition(":")
    syslog = logging.handlers.SysLogHandler((host, int(port)))
    syslog.setFormatter(logging.Formatter("shop[%(process)d]: %(message)s"))
    syslog.setLevel(logging.WARNING)
    with mplogging.LogSession("logs/app.log", handlers=[syslog]), ProcessPoolExecutor(4) as pool:
        list(pool.map(work, range(1000)))
