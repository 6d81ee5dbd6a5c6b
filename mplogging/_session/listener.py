"""The reading end of a session: a thread that takes messages and hands them on.

    Source ─ Delivery ─┬─ DatedFileHandler
                       └─ Sideline ─ handler, for each other handler
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
from collections.abc import Sequence
from threading import Thread, get_ident
from time import monotonic, sleep
from typing import Callable

from .._delivery.delivery import Delivery
from .._delivery.direct import DirectWriter
from .._delivery.sidelines import Sideline
from .._errors import SessionError
from .._event import Event
from .._wire.frames import Batch, Message
from .._worker.handler import SessionHandler
from .alone import Alone
from .sources import Source

# Were an error to last, it must not eat a processor.
_PAUSE_AFTER_ERROR = 0.003
_END_TIMEOUT = 5.0


class SessionListener(logging.handlers.QueueListener):
    """Drains a source into the file and the other handlers.

    Args:
        queue: The source.
        delivery: What it hands messages to.
        sidelines: Get the records.
    """

    queue: Source  # type: ignore[assignment]

    def __init__(self, queue: Source, delivery: Delivery, sidelines: Sequence[Sideline]) -> None:
        super().__init__(queue, *[sideline.handler for sideline in sidelines])  # type: ignore[arg-type]
        self._sidelines = sidelines
        self.delivery = delivery
        self._expected: list[tuple[Callable[[], bool], Event]] = []
        self._is_stopping = False
        self._deadline = 0.0
        self.is_settled = False  # all has been told that there was to tell at its end
        self._has_ended = Event()
        self.see_to: Callable[[], object] = lambda: None  # what else is to be done at times

    def start(self) -> None:
        """Start the threads."""
        for sideline in self._sidelines:
            sideline.start()
        thread = Thread(target=self._monitor, name="mplogging-listener", daemon=True)
        self._thread = thread  # first: an interruption may come when it runs already
        thread.start()

    def stop(self) -> None:
        """Not this way.

        Raises:
            SessionError: Always.
        """
        raise SessionError("stop() of a session's listener: leave the session, which stops it")

    def is_listening_thread(self) -> bool:
        """True in the thread that must not wait for itself."""
        return self._thread is not None and get_ident() == self._thread.ident

    def wait_for_end(self) -> None:
        """Wait until all that was sent is written, or was given up."""
        self._has_ended.wait(_END_TIMEOUT)

    def expect(self) -> Event:
        """What is set once all that was sent before this call is written."""
        event = Event()
        self._expected.append((self.queue.expect(), event))
        return event

    def stop_at(self, deadline: float, is_patient: bool = True) -> bool:
        """Read to the end, and wait for that; False if it isn't there in time.

        Args:
            is_patient: If False, the thread waits for no handler any more.
        """
        if not is_patient:
            for sideline in self._sidelines:
                sideline.give_up()
        thread = self._thread
        if thread is not None and thread.ident is None:
            sleep(_PAUSE_AFTER_ERROR)  # interrupted as it was started: does it run?
        if thread is not None and thread.ident is not None:
            self._deadline = deadline
            self._is_stopping = True
            self.queue.wake()
            # Not by `join` alone: interrupted, it takes a thread for ended (bpo-45274).
            if not self._has_ended.wait(max(0.0, deadline - monotonic())):
                return False
            thread.join(_END_TIMEOUT)  # it is at its end
            self._thread = None
        return True

    def abandon(self) -> None:
        """Let the thread end when it can."""
        self._is_stopping = True
        self._has_ended.set()

    def _monitor(self) -> None:
        while not self._is_stopping:
            try:
                self.queue.turn()
                self.delivery.absorb()
                self._settle_expected()
                self.see_to()
            except Exception as error:
                self._survive(error)
        try:
            self.queue.finish(lambda: self._deadline)
            self._settle_expected()
        except Exception as error:
            self._survive(error)
        finally:
            self._has_ended.set()

    def _settle_expected(self) -> None:
        for expected in self._expected[:]:
            has_come, event = expected
            if has_come():
                event.set()
                self._expected.remove(expected)

    def _survive(self, error: Exception) -> None:
        """Nothing that a message brings may end the thread."""
        if self._has_ended.is_set():
            return  # it was abandoned, and what it worked with has been closed
        with contextlib.suppress(Exception):
            self.delivery.mishap("failed", f"the listener met an error: {error!r}")
        sleep(_PAUSE_AFTER_ERROR)


class ListenerSideHandler(SessionHandler):
    """The `SessionHandler` of the session's own process.

    What the listener's thread itself logs must not wait for room in the journal: it
    would wait for itself. And while no other process is attached, a line goes straight
    into the file, where it is when the call returns.
    """

    listener: SessionListener
    alone: Alone | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self.listener.is_listening_thread():
            self._emit_within(record)
        elif self.alone is None or not self.alone.is_so() or not self._emit_alone(record):
            super().emit(record)

    def _emit_within(self, record: logging.LogRecord) -> None:
        try:
            message = Message(*self._message(record))
            self.listener.delivery.deliver(Batch([message]))
        except Exception:
            self.handleError(record)

    def _message(self, record: logging.LogRecord) -> tuple[int, int, float, bytes]:
        kind, created, payload = self.prepare(record)
        return kind, os.getpid(), created, payload

    def _emit_alone(self, record: logging.LogRecord) -> bool:
        """False if it can't be written this way: then nothing was."""
        assert self.alone is not None
        try:
            message = Message(*self._message(record))
            return self.alone.write(message)
        except Exception:
            self.handleError(record)
            return True

    def _direct(self) -> DirectWriter:
        # The session is being stopped: the journal is the listener's to read.
        self.listener.wait_for_end()
        return super()._direct()
