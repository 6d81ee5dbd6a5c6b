"""tqdm: a progress bar that stays whole below what all processes log."""

import logging
from concurrent.futures import ProcessPoolExecutor

from tqdm import tqdm

import mplogging


class AboveTheBar(logging.Handler):
    def emit(self, record):
        tqdm.write(self.format(record))  # takes the bar away, and draws it again


def work(number):
    logging.info("order %d", number)


if __name__ == "__main__":
    with mplogging.LogSession("logs/app.log", handlers=[AboveTheBar()]):
        with ProcessPoolExecutor(4) as pool:
            for _ in tqdm(pool.map(work, range(200)), total=200):
                pass
