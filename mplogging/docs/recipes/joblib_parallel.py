"""python joblib_parallel.py 1000

loky's workers attach by themselves. joblib keeps them when the session is over; in the program's
next session they go on with that.
"""

import logging
import sys

from joblib import Parallel, delayed

import mplogging


def work(number):
    logging.info("number %d", number)
    return number


if __name__ == "__main__":
    with mplogging.LogSession("logs/app.log", backupCount=15):
        done = Parallel(n_jobs=4)(delayed(work)(number) for number in range(int(sys.argv[1])))
        logging.info("sum %d", sum(done))
