"""loguru as the source: what is logged by it goes to `logging`, and so into the session.

The sink stands where a module is imported, so that spawned workers have it too.
"""

import logging
from concurrent.futures import ProcessPoolExecutor

from loguru import logger

import mplogging


class ToLogging(logging.Handler):
    def emit(self, record):  # loguru has made a record of the caller's place and exception
        logging.getLogger(record.name).handle(record)


logger.remove()
logger.add(ToLogging(), format="{message}")


def work(number):
    logger.bind(number=number).success("order {}", number)


if __name__ == "__main__":
    line = "%(asctime)s %(levelname)s [%(process)d] %(name)s:%(funcName)s %(message)s"
    with mplogging.LogSession("logs/app.log", format=line), ProcessPoolExecutor(4) as pool:
        list(pool.map(work, range(1000)))
