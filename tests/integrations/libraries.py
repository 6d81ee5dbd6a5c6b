"""Recipes with a pool of processes, by each start method, and with a worker that is killed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from integrations.recipes import PACKAGE, PATIENCE_SECONDS, laid_out, logged, output, started

METHODS = ["fork", "spawn"]
# What Python loads at its start: the start method, and for a worker the record after
# which it is killed, as soon as the log call has returned.
SITE = """
import concurrent.futures, logging, multiprocessing, os

if "START_METHOD" in os.environ:
    multiprocessing.set_start_method(os.environ["START_METHOD"])

def call_handlers_and_die(self, record, call=logging.Logger.callHandlers):
    call(self, record)
    if os.environ["DIES_AFTER"] in record.getMessage() and multiprocessing.parent_process():
        os.kill(os.getpid(), 9)

if "DIES_AFTER" in os.environ:
    logging.Logger.callHandlers = call_handlers_and_die
    # Or else, of CPython: a future that `map` cancels just as the pool breaks raises in the
    # thread that was to end the other workers (InvalidStateError), which then stay for ever.
    concurrent.futures.Future.cancel = lambda future: False
"""


def prepared(
    name: str, directory: Path, method: str, dies_after: str = ""
) -> tuple[list[str], dict[str, str]]:
    """What Python is to be started with, and in what environment, to run the recipe there.

    Args:
        dies_after: What is in the record after which a worker is killed. The pool is broken
            then, and the program fails.
    """
    (directory / "sitecustomize.py").write_text(SITE)
    more = {"PYTHONPATH": f"{PACKAGE.parent}:{directory}", "START_METHOD": method}
    if dies_after:
        more["DIES_AFTER"] = dies_after
    return [laid_out(name, directory).name], more


def run(name: str, directory: Path, method: str, dies_after: str = "", **more: str) -> list[str]:
    """Run the recipe, as `prepared`; returns the lines of its log."""
    command, site = prepared(name, directory, method, dies_after)
    with started([sys.executable, *command], directory, **site, **more) as process:
        status = process.wait(PATIENCE_SECONDS)
    assert status == (1 if dies_after else 0), output(directory)
    assert ("BrokenProcessPool" in output(directory)) == bool(dies_after)
    return log_of(directory)


def log_of(directory: Path) -> list[str]:
    """The lines of the log, which is one file; nothing is left beside it."""
    return logged(directory).splitlines()


# What the session says of the broken pool, which the program does not catch.
UNCAUGHT = "uncaught exception"


def found(lines: list[str], pattern: str) -> list[int]:
    """The numbers in those lines that the pattern fits, in order."""
    return sorted(int(match[1]) for line in lines if (match := re.search(pattern, line)))


def check_broken(numbers: list[int], last: int) -> None:
    """What the worker had logged before it was killed is there, and nothing twice."""
    assert last in numbers
    assert len(numbers) == len(set(numbers))
    assert set(numbers) <= set(range(1000))
