"""python huey_app.py

huey's consumer with processes as its workers: they attach by themselves, and huey's own messages
are in the log too.
"""

import logging
import os

from huey import RedisHuey
from huey.consumer import Consumer

import mplogging

huey = RedisHuey(url=os.environ.get("REDIS_URL", "redis://localhost"))


@huey.task()
def work(number):
    logging.getLogger("shop").info("number %d", number)


if __name__ == "__main__":
    import huey_app  # tasks go by its name

    with mplogging.LogSession("logs/app.log", backupCount=15):
        Consumer(huey_app.huey, workers=4, worker_type="process").run()
