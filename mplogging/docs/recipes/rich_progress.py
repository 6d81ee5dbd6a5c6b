"""rich: a progress bar that stays whole below what all processes log."""

import logging
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import Progress

import mplogging


def work(number):
    logging.info("order %d", number)
    try:
        1 / (number - 7)
    except ZeroDivisionError:
        logging.exception("no price for %d", number)


if __name__ == "__main__":
    # One console for both: it takes the bar away, prints the line, and draws the bar again.
    console = Console(stderr=True)
    handler = RichHandler(console=console, rich_tracebacks=True, show_path=False)
    with Progress(console=console) as progress:
        with mplogging.LogSession("logs/app.log", handlers=[handler]):
            with ProcessPoolExecutor(4) as pool:
                list(progress.track(pool.map(work, range(200)), total=200))
