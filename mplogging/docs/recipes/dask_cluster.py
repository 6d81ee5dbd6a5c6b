"""python dask_cluster.py 1000

A plugin lets each worker write to its own host's dated log, also those
that a nanny starts later. The handler lets any number of processes share a file.
"""

import logging
import sys

from distributed import Client, LocalCluster, WorkerPlugin

import mplogging


class DatedLog(WorkerPlugin):
    def setup(self, worker):
        handler = mplogging.DatedFileHandler("logs/app.log", backupCount=15)
        handler.setFormatter(logging.Formatter("%(asctime)s [%(process)d] %(name)s: %(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def work(number):
    logging.getLogger("shop").info("number %d", number)
    return number


if __name__ == "__main__":
    with LocalCluster(n_workers=4, threads_per_worker=1) as cluster, Client(cluster) as client:
        client.register_plugin(DatedLog())
        print(sum(client.gather(client.map(work, range(int(sys.argv[1]))))))
