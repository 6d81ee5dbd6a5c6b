"""python pathos_pool.py 1000

Workers of pathos attach by themselves; it keeps its pools, whose workers go on with the
program's next session. They are killed when the program ends: the directory of their
session stays beside the log until the next program's session begins there.
"""

import logging
import sys

from pathos.pools import ProcessPool

import mplogging

if __name__ == "__main__":
    for half in range(2):
        with mplogging.LogSession("logs/app.log", backupCount=15):

            def work(number):
                logging.info("number %d", number)
                return number

            done = ProcessPool(4).uimap(work, range(half, int(sys.argv[1]), 2))
            logging.info("sum %d", sum(done))
