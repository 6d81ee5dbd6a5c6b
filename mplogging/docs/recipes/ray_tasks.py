"""python ray_tasks.py 1000: the hook runs in each worker, which logs to its host's dated log."""

import logging
import os
import sys

import ray

import mplogging

LOG = os.path.abspath("logs/app.log")  # a worker has another directory


def set_up():
    handler = mplogging.DatedFileHandler(LOG, backupCount=15)
    handler.setFormatter(logging.Formatter("%(asctime)s [%(process)d] %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


@ray.remote
def work(number):
    logging.getLogger("shop").info("number %d", number)
    return number


if __name__ == "__main__":
    ray.init(num_cpus=4, runtime_env={"worker_process_setup_hook": set_up})
    print(sum(ray.get([work.remote(number) for number in range(int(sys.argv[1]))])))
