"""python tqdm_process_map.py 1000

The bar is on the terminal, the lines are in the file.
"""

import logging
import sys

from tqdm.contrib.concurrent import process_map

import mplogging


def work(number):
    logging.info("number %d", number)
    return number


if __name__ == "__main__":
    with mplogging.LogSession("logs/app.log", backupCount=15):
        done = process_map(work, range(int(sys.argv[1])), max_workers=4, chunksize=10)
        logging.info("sum %d", sum(done))
