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
    # The session is within the bar: what comes to the handler at its end comes above it too.
    with tqdm(total=200) as bar, mplogging.LogSession("logs/app.log", handlers=[AboveTheBar()]):
        with ProcessPoolExecutor(4) as pool:
            for _ in pool.map(work, range(200)):
                bar.update()
