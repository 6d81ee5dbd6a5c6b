"""python-json-logger: each line of the log is a JSON object, an exception within it too."""

import logging
from concurrent.futures import ProcessPoolExecutor

from pythonjsonlogger.json import JsonFormatter

import mplogging


def work(number):
    logging.info("order", extra={"number": number, "tags": ["a", "b"]})
    try:
        1 / (number % 10)
    except ZeroDivisionError:
        logging.exception("no price", extra={"number": number})


if __name__ == "__main__":
    file = mplogging.DatedFileHandler("logs/app.log", backupCount=15)
    file.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(process)d %(message)s"))
    console = logging.StreamHandler()
    console.setFormatter(JsonFormatter("%(levelname)s %(message)s"))
    with mplogging.LogSession(file, handlers=[console]), ProcessPoolExecutor(4) as pool:
        list(pool.map(work, range(1000)))
