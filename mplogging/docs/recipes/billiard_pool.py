"""python billiard_pool.py 1000 spawn

Workers of `billiard`, which is Celery's, attach by themselves.
"""

import logging
import sys

import billiard

import mplogging


def work(number):
    logging.info("number %d", number)
    return number


if __name__ == "__main__":
    context = billiard.get_context(sys.argv[2])
    with mplogging.LogSession("logs/app.log", backupCount=15):
        with context.Pool(4) as pool:
            done = pool.imap_unordered(work, range(int(sys.argv[1])))
            logging.info("sum %d", sum(done))
