"""python multiprocess_pool.py 1000 spawn

Workers of `multiprocess`, which pickles by dill, attach by themselves.
"""

import logging
import sys

import multiprocess

import mplogging

if __name__ == "__main__":

    def work(number):
        logging.info("number %d", number)
        return number

    context = multiprocess.get_context(sys.argv[2])
    with mplogging.LogSession("logs/app.log", backupCount=15):
        with context.Pool(4) as pool:
            done = pool.imap_unordered(work, range(int(sys.argv[1])))
            logging.info("sum %d", sum(done))
