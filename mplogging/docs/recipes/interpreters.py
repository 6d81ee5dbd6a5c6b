"""InterpreterPoolExecutor, from Python 3.14 on: its interpreters are told of the session.

Each is as a new program within the process: it has no handlers before the initializer.
"""

import logging
from concurrent.futures import InterpreterPoolExecutor

import mplogging


def work(number):
    logging.info("order %d", number)


if __name__ == "__main__":
    with mplogging.LogSession("logs/app.log") as session:
        with InterpreterPoolExecutor(4, initializer=session.initializer) as pool:
            list(pool.map(work, range(1000)))
