"""python mpire_pool.py 1000 spawn

Workers of mpire attach by themselves, and those that replace others, too.
"""

import logging
import sys

from mpire import WorkerPool

import mplogging


def work(number):
    logging.info("number %d", number)
    return number


if __name__ == "__main__":
    with mplogging.LogSession("logs/app.log", backupCount=15):
        with WorkerPool(4, start_method=sys.argv[2]) as pool:
            done = pool.imap_unordered(work, range(int(sys.argv[1])), worker_lifespan=300)
            logging.info("sum %d", sum(done))
