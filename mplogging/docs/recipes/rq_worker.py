"""python rq_worker.py

Four workers of rq. Each forks a process for each job; all of them are in the session, and so is
what rq says itself.
"""

import logging
import os

from redis import Redis
from rq import Queue
from rq.worker_pool import WorkerPool

import mplogging

redis = Redis.from_url(os.environ.get("REDIS_URL", "redis://localhost"))
queue = Queue(connection=redis)


def work(number):
    logging.getLogger("shop").info("number %d", number)


if __name__ == "__main__":
    with mplogging.LogSession("logs/app.log", backupCount=15):
        WorkerPool([queue], connection=redis, num_workers=4).start()
