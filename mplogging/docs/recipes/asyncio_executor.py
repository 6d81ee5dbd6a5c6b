"""python asyncio_executor.py 1000

Workers of a ProcessPoolExecutor attach by themselves, under any start method.
"""

import asyncio
import logging
import sys
from concurrent.futures import ProcessPoolExecutor

import mplogging


def work(number):
    logging.info("number %d", number)
    return number


@mplogging.LogSession("logs/app.log", backupCount=15)
async def main(count):
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(4) as executor:
        tasks = (loop.run_in_executor(executor, work, number) for number in range(count))
        logging.info("sum %d", sum(await asyncio.gather(*tasks)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
