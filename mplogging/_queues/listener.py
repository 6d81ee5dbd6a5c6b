"""`QueueListener`: records out of a queue, to handlers that can't end it."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import queue as queues
from collections.abc import Sequence
from threading import Thread, get_ident
from time import monotonic, sleep
from typing import Any

from .._errors import ConfigError, tell
from .._event import Event
from .._numbers import is_seconds
from .._public import public
from .batch import Batch, writes_lines_only
from .intake import Intake, surviving

_MOST = 256  # records at once: while one handler has them, the others wait
_PAUSE = 0.005
_END_TIMEOUT = 5.0


@public
class QueueListener(logging.handlers.QueueListener):
    """Hands each record of a queue to the handlers, as `logging.handlers.QueueListener` does.

    A handler that raises is told so by its `handleError`, what can't be read from the queue
    is reported on stderr, and the next record is taken. What waits in the queue is written
    into a `DatedFileHandler` at once. A context manager: it starts, and stops.

    Args:
        queue: What a `QueueHandler` puts into, this package's or the standard library's.
        *handlers: Each gets each record, in this order.
        respect_handler_level: Only from its own level on.

    Attributes:
        stopTimeout: Seconds that a stop may take if it is not told otherwise; 10 by default.
    """

    stopTimeout: float = 10.0
    _sentinel: Any = None

    def __init__(
        self, queue: Any, *handlers: logging.Handler, respect_handler_level: bool = False
    ) -> None:
        super().__init__(queue, *handlers, respect_handler_level=respect_handler_level)
        self._begin()

    def _begin(self) -> None:
        self._intake = Intake(lambda block: self.dequeue(block), self._sentinel)
        self._has_ended = Event()
        self._pid = os.getpid()

    def __enter__(self) -> QueueListener:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: It runs already.
        """
        if self._runs_here():
            raise RuntimeError("start() of a listener that runs already: stop() it first")
        self._begin()
        thread = Thread(target=self._monitor, name="mplogging-queue", daemon=True)
        self._thread = thread
        thread.start()

    def stop(self, timeout: float | None = None) -> bool:  # type: ignore[override]
        """Let the handlers have what is in the queue, and end the thread.

        A second time does nothing.

        Args:
            timeout: Seconds that it may take; by default `stopTimeout`.

        Returns:
            False if the handlers were not done by then, with a warning: the thread goes on
            as long as the program does. In a forked child, True: it is not the child's.

        Raises:
            ConfigError: `timeout` is negative, or no number.
        """
        timeout = self.stopTimeout if timeout is None else timeout
        if not is_seconds(timeout):
            raise ConfigError(f"timeout must be 0 or more, in seconds, got {timeout!r}")
        thread = self._thread
        if thread is None or not self._runs_here():
            return True
        is_within = get_ident() == thread.ident  # one of its handlers stops it
        deadline = monotonic() + (0.0 if is_within else timeout)
        if not self._intake.is_ending:
            self._intake.is_ending = True
            self._ask_to_end(deadline)
        if is_within:
            return False
        if not self._has_ended.wait(deadline - monotonic()):
            tell(
                f"a QueueListener did not end within {timeout} seconds: its handlers"
                f" {self.handlers!r} still have records to take",
                stacklevel=2,
            )
            return False
        thread.join(_END_TIMEOUT)  # it is at its end
        self._thread = None
        return True

    def _runs_here(self) -> bool:
        return self._thread is not None and self._pid == os.getpid()

    def _ask_to_end(self, deadline: float) -> None:
        while True:
            try:
                self.enqueue_sentinel()
                return
            except queues.Full:
                if monotonic() >= deadline:
                    break
                sleep(_PAUSE)
            except Exception:
                break  # it is closed, or its process is gone
        self._intake.ends_when_empty = True

    def handle(self, record: Any) -> None:
        """Hand one record to the handlers."""
        record = self.prepare(record)
        for handler in self.handlers:
            self._offer(handler, record)

    # -- in the thread -------------------------------------------------------------------

    def _monitor(self) -> None:
        intake, has_ended = self._intake, self._has_ended
        try:
            while not intake.is_over:
                # A subclass's own `dequeue` may wait, its `handle` expects one at a time.
                is_plain = all(map(self._is_own, ("dequeue", "handle")))
                records = intake.take(_MOST if is_plain else 1)
                if is_plain:
                    self._handle_at_once(records)
                else:
                    for record in records:
                        with surviving():
                            self.handle(record)
                self._tell_done(intake)
        finally:
            has_ended.set()

    def _is_own(self, method: str) -> bool:
        return getattr(getattr(self, method), "__func__", None) is _OWN[method]

    def _handle_at_once(self, records: Sequence[Any]) -> None:
        """As `handle` for each, but that files get their lines first."""
        prepared: list[Any] = []
        for record in records:
            with surviving():
                prepared.append(self.prepare(record))
        files = [handler for handler in self.handlers if writes_lines_only(handler)]
        batch = Batch()
        for record in prepared:
            for file in files:
                with surviving():
                    if self._is_for(file, record):
                        batch.add(file, record)
        batch.write()
        for record in prepared:
            for handler in self.handlers:
                if handler not in files:
                    self._offer(handler, record)

    def _is_for(self, handler: logging.Handler, record: Any) -> bool:
        return not self.respect_handler_level or record.levelno >= handler.level

    def _offer(self, handler: logging.Handler, record: Any) -> None:
        try:
            if self._is_for(handler, record):
                handler.handle(record)
        except BaseException:  # SystemExit would end the thread, and nobody would know
            with contextlib.suppress(BaseException):
                handler.handleError(record)

    def _tell_done(self, intake: Intake) -> None:
        if hasattr(self.queue, "task_done"):
            with contextlib.suppress(Exception):
                while intake.untold:
                    intake.untold -= 1
                    self.queue.task_done()
        intake.untold = 0


# A subclass's, or a patch of ours, is called as the standard library would.
_OWN = {name: getattr(QueueListener, name) for name in ("dequeue", "handle")}
