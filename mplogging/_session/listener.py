"""The reading end of a session: a thread that takes messages and hands them on.

    PipeReader ─ Decoder ─ Delivery ─┬─ DatedFileHandler
                                     └─ Sideline ─ handler, for each other handler
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import threading
import time
from collections.abc import Sequence

from .._delivery.delivery import Delivery
from .._delivery.direct import DirectWriter
from .._delivery.sidelines import Sideline
from .._errors import SessionError
from .._file.handler import DatedFileHandler
from .._wire.frames import Batch, Message
from .._worker.handler import QueueHandler
from .sources import Source

# Were an error to last, it must not eat a processor.
_PAUSE_AFTER_ERROR = 0.003
# How often to see to what no message prompts: a disk that refuses lines.
_TROUBLE_SECONDS = 0.5
_END_TIMEOUT = 5.0
STOP = b"stop"  # the mark that ends a listener, after all that was sent before it


class QueueListener(logging.handlers.QueueListener):
    """Drains a source into the file and the other handlers.

    Args:
        queue: The source.
        file: Gets the lines.
        sidelines: Get the records.
    """

    queue: Source  # type: ignore[assignment]

    def __init__(
        self,
        queue: Source,
        file: DatedFileHandler | None,
        sidelines: Sequence[Sideline],
    ) -> None:
        super().__init__(queue, *[sideline.handler for sideline in sidelines])  # type: ignore[arg-type]
        self._file = file
        self._sidelines = sidelines
        self.delivery = Delivery(file, sidelines, self._take_mark)
        self._marks: dict[bytes, threading.Event] = {}
        self._due_marks: list[bytes] = []
        self._is_stopping = False
        self._has_ended = threading.Event()

    def start(self) -> None:
        """Start the threads."""
        for sideline in self._sidelines:
            sideline.start()
        thread = threading.Thread(target=self._monitor, name="mplogging-listener", daemon=True)
        thread.start()
        self._thread = thread

    def stop(self) -> None:
        """Not this way.

        Raises:
            SessionError: Always.
        """
        raise SessionError("stop() of a session's listener: leave the session, which stops it")

    def is_listening_thread(self) -> bool:
        """True in the thread that must not wait for its own pipe."""
        return self._thread is not None and threading.get_ident() == self._thread.ident

    def wait_for_end(self) -> None:
        """Wait until all that was sent is written, or was given up."""
        self._has_ended.wait(_END_TIMEOUT)

    def expect(self, mark: bytes) -> threading.Event:
        """What is set once this mark has come through and all before it is written."""
        event = self._marks[mark] = threading.Event()
        return event

    def expect_no_more(self, mark: bytes) -> None:
        """The mark will not come."""
        self._marks.pop(mark, None)

    def stop_at(self, deadline: float, is_patient: bool = True) -> bool:
        """Wait for the end that a stop mark brings; False if it isn't there in time.

        Args:
            is_patient: If False, the thread waits for no handler any more.
        """
        if not is_patient:
            for sideline in self._sidelines:
                sideline.give_up()
        thread = self._thread
        if thread is not None:
            # Not by `join` alone: interrupted, it takes a thread for ended (bpo-45274).
            if not self._has_ended.wait(max(0.0, deadline - time.monotonic())):
                return False
            thread.join(_END_TIMEOUT)  # it is at its end
            self._thread = None
        return True

    def abandon(self) -> int:
        """Let the thread end when it can; returns how many bytes it leaves unread."""
        self._is_stopping = True
        self._has_ended.set()
        return self.queue.abandon()

    def _take_mark(self, payload: bytes) -> None:
        if payload == STOP:
            self._is_stopping = True
        else:
            self._due_marks.append(payload)

    def _monitor(self) -> None:
        while not self._is_stopping:
            try:
                self._turn()
            except Exception as error:
                self._survive(error)
        try:
            for batch in self.queue.rest(self.delivery):
                self.delivery.deliver(batch)
            self._settle_marks()
        except Exception as error:
            self._survive(error)
        finally:
            self._has_ended.set()

    def _turn(self) -> None:
        file = self._file
        is_troubled = self.queue.is_waiting() or (file is not None and file.waiting > 0)
        timeout = _TROUBLE_SECONDS if is_troubled else None
        self.delivery.deliver(self.queue.next_batch(self.delivery, timeout))
        if self._due_marks or is_troubled:
            self._settle_marks()

    def _settle_marks(self) -> None:
        if self._file is not None and self._file.waiting:
            self._file.flush()
            if self._file.waiting:
                return
        marks, self._due_marks = self._due_marks, []
        for mark in marks:
            event = self._marks.pop(mark, None)
            if event is not None:
                event.set()

    def _survive(self, error: Exception) -> None:
        """Nothing that a batch brings may end the thread."""
        if self._has_ended.is_set():
            return  # it was abandoned, and what it worked with has been closed
        with contextlib.suppress(Exception):
            self.delivery.mishap("failed", f"the listener met an error: {error!r}")
        time.sleep(_PAUSE_AFTER_ERROR)


class ListenerSideHandler(QueueHandler):
    """The `QueueHandler` of the session's own process.

    What the listener's thread itself logs must not go into its own pipe, which
    may be full: it would wait for itself.
    """

    listener: QueueListener

    def emit(self, record: logging.LogRecord) -> None:
        if not self.listener.is_listening_thread():
            super().emit(record)
            return
        try:
            kind, created, payload = self.prepare(record)
            message = Message(kind, os.getpid(), created, payload)
            self.listener.delivery.deliver(Batch([], [message], 0))
        except Exception:
            self.handleError(record)

    def _direct(self) -> DirectWriter:
        # The session is being stopped: the pipe is the listener's to drain.
        self.listener.wait_for_end()
        return DirectWriter(self._file)
