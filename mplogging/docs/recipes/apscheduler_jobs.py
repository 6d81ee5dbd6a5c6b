"""python apscheduler_jobs.py

APScheduler 3 with a pool of processes: they attach by themselves, and its own messages are in the
log too.
"""

import logging
import time

from apscheduler.executors.pool import ProcessPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

import mplogging


def work(number):
    logging.info("number %d", number)


if __name__ == "__main__":
    with mplogging.LogSession("logs/app.log", backupCount=15):
        scheduler = BackgroundScheduler(executors={"default": ProcessPoolExecutor(4)})
        scheduler.start()
        for number in range(100):
            scheduler.add_job(work, args=[number], misfire_grace_time=None)
        while scheduler.get_jobs():
            time.sleep(0.1)
        scheduler.shutdown()
