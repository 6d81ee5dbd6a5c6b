"""celery -A celery_app worker --concurrency 4

Celery asks `setup_logging` to set logging up in its stead: in the main process, where the
session begins, and in each pool process that is not forked, which attaches to it.
"""

import logging
import os

from celery import Celery, signals

import mplogging

app = Celery("celery_app", broker=os.environ.get("REDIS_URL", "redis://localhost"))


@signals.setup_logging.connect
def set_up(loglevel, **others):
    if not mplogging.attach(required=False):
        mplogging.LogSession("logs/app.log", level=loglevel, backupCount=15).start()


@app.task(time_limit=60)
def work(number):
    logging.getLogger("shop").info("number %d", number)
