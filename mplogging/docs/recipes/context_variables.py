"""A request's id, from a context variable, in each line that is logged for it in any process."""

import asyncio
import contextvars
import logging
from concurrent.futures import ProcessPoolExecutor

import mplogging

request = contextvars.ContextVar("request", default="-")


def make_record(*args, **kwargs):
    record = logging.LogRecord(*args, **kwargs)
    record.request = request.get()  # now: later it is another task's turn
    return record


async def answer(number):
    request.set(f"r{number}")
    await asyncio.sleep(0)
    logging.info("order %d", number)


async def answer_all(numbers):
    await asyncio.gather(*map(answer, numbers))


def work(first):
    asyncio.run(answer_all(range(first, first + 100)))


if __name__ == "__main__":
    logging.setLogRecordFactory(make_record)  # the session takes it along to its workers
    line = "%(asctime)s [%(process)d] %(request)s: %(message)s"
    with mplogging.LogSession("logs/app.log", format=line), ProcessPoolExecutor(4) as pool:
        list(pool.map(work, range(0, 1000, 100)))
