"""What comes out of a queue: records, what can't be unpickled, the end; or nothing any more."""

from __future__ import annotations

import contextlib
import logging
import queue as queues
import sys
import traceback
from collections.abc import Iterator
from time import sleep
from typing import Any, Callable

_PAUSE = 0.005
_LONGEST_PAUSE = 0.5
_MOST_FAILURES = 100  # in a row, at the end: it is the queue then, and no item
_ShutDown: Any = getattr(queues, "ShutDown", ())  # of Python 3.13 and later


class Intake:
    """Takes items, whatever taking them raises; for one thread.

    Args:
        dequeue: Returns the next item; waits for it if its argument is True.
        sentinel: The item after which nothing more is to come.

    Attributes:
        is_over: Nothing more is to come.
        is_ending: Somebody waits for that: a queue that fails for good is at its end, too.
        ends_when_empty: There is no sentinel: an empty queue is at its end.
        untold: Items that have been taken, and `task_done` was not told.
    """

    def __init__(self, dequeue: Callable[[bool], Any], sentinel: object) -> None:
        self._dequeue = dequeue
        self._sentinel = sentinel
        self.is_over = self.is_ending = self.ends_when_empty = False
        self.untold = 0
        self._failures = 0  # in a row
        self._last_failure = ""

    def take(self, most: int) -> list[Any]:
        """What is there, but no more than that many items; waits if there is none."""
        items: list[Any] = []
        while len(items) < most and not self.is_over:
            try:
                item = self._dequeue(not (items or self.ends_when_empty))
            except queues.Empty:
                if not items and self.ends_when_empty:
                    self.is_over = True
                elif not items:
                    sleep(_PAUSE)  # a `dequeue` that does not wait, or not for long
                break
            except _ShutDown:
                self.is_over = True
                break
            except BaseException as error:  # SystemExit would end the thread, and nobody know
                self._survive(error)
                break
            self.untold += 1
            self._failures, self._last_failure = 0, ""
            if item is self._sentinel:
                self.is_over = True
            else:
                items.append(item)
        return items

    def _survive(self, error: BaseException) -> None:
        self.untold += 1  # if it was an item that can't be unpickled, it has been taken
        self._failures += 1
        if repr(error) != self._last_failure:
            self._last_failure = repr(error)
            _report(error)
        if self.is_ending:
            self.is_over = self._failures >= _MOST_FAILURES
        else:
            sleep(min(_PAUSE * self._failures, _LONGEST_PAUSE))  # it may last


@contextlib.contextmanager
def surviving() -> Iterator[None]:
    """Report whatever is raised within, and go on."""
    try:
        yield
    except BaseException as error:
        _report(error)


def _report(error: BaseException) -> None:
    """As `Handler.handleError` would, where no handler is at fault."""
    if logging.raiseExceptions and sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write("--- Logging error: a record of a queue can't be handled ---\n")
            traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
