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
from .._file.handler import DatedFileHandler
from .._wire.frames import Batch, Message
from .._wire.writer import JournalWriter
from .._worker.handler import Prepare, Rejected, SessionHandler
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

    @property
    def thread_ident(self) -> int | None:
        """Of the thread that must not wait for itself."""
        return None if self._thread is None else self._thread.ident

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
    quiet_threads: set[int | None]  # of this session: what they log goes to the file only
    _is_within = False

    def use(self, file: DatedFileHandler) -> None:
        """Let the filters be the very ones of this file, which may know what they did before."""
        if self._file is not None and self.makes_lines:
            self._file.filters = file.filters

    def emit(self, record: logging.LogRecord) -> None:
        if not self._has_taken(record, self.prepare):
            super().emit(record)

    def forward(
        self, record: logging.LogRecord, prepare: Prepare, by: logging.Handler | None = None
    ) -> None:
        if not self._has_taken(record, prepare):
            super().forward(record, prepare, by)

    def _has_taken(self, record: logging.LogRecord, prepare: Prepare) -> bool:
        """True if it need not, or must not, go through the journal."""
        thread = get_ident()
        if thread in self.quiet_threads:
            self._emit_within(record, thread == self.listener.thread_ident)
            return True
        if self.alone is None or not self.alone.is_so():
            return False
        try:
            return self.alone.write(_message(prepare(record)))
        except Rejected:
            return True
        except Exception:
            self.handleError(record)
            return True

    def _emit_within(self, record: logging.LogRecord, is_listening: bool) -> None:
        """What a thread of the session itself logs: to the file, and to no handler beside it.

        A handler that fails, and has its failure logged, would feed itself. And such a
        thread does not wait for room: the others may be waiting for it.
        """
        if self._file is None or record.levelno < self._line_level:
            return
        if not is_listening:
            self._send_unasked(record)
        elif not self._is_within:
            self._is_within = True
            try:
                message = _message(self.prepare_line(record))
                self.listener.delivery.deliver(Batch([message]))
            except Rejected:
                pass
            except Exception:
                self.handleError(record)
            finally:
                self._is_within = False

    def _send_unasked(self, record: logging.LogRecord) -> None:
        if isinstance(self.queue, JournalWriter):
            try:
                self.queue.append(*self.prepare_line(record))
            except Rejected:
                pass
            except Exception:
                self.handleError(record)
        else:
            super().forward(record, self.prepare_line)

    def _direct(self) -> DirectWriter:
        # The session is being stopped: the journal is the listener's to read.
        self.listener.wait_for_end()
        return super()._direct()


def _message(parts: tuple[int, float, bytes]) -> Message:
    kind, created, payload = parts
    return Message(kind, os.getpid(), created, payload)
