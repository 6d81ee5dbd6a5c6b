"""The reading end of a session: a thread that takes messages and hands them on.

    PipeReader ─ Decoder ─ Delivery ─┬─ DatedFileHandler
                                     └─ Sideline ─ handler, for each other handler
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import queue as queues
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from . import _pipe
from ._delivery import Delivery
from ._direct import DirectWriter, is_alive, without_living
from ._files import DatedFileHandler
from ._frames import Batch, Decoder, Message
from ._place import Place
from ._sidelines import Sideline
from ._worker import QueueHandler

# After a small read, let frames collect: waking for each record would halve the
# speed of all. Idle costs nothing, since then the read blocks.
_COLLECTING_SECONDS = 0.003
_SMALL_BYTES = 1 << 15
# How often to see to what no message prompts: a disk that refuses lines, large
# records whose writer has died.
_TROUBLE_SECONDS = 0.5
_END_TIMEOUT = 5.0
STOP = b"stop"  # the mark that ends a listener, after all that was sent before it


class Source(Protocol):
    """Where messages come from."""

    def batches(self, delivery: Delivery, timeout: float | None) -> Batch: ...

    def rest(self, delivery: Delivery) -> Iterator[Batch]:
        """All that is left, at the end."""

    def is_waiting(self) -> bool:
        """True if a message has begun and not ended."""

    def abandon(self) -> int:
        """Give up; returns how much is left, in bytes or messages."""

    def close(self) -> None: ...

    def after_fork(self) -> None:
        """In a child: nothing of this must be kept alive there."""


class PipeSource:
    """Messages out of a place's pipe."""

    def __init__(self, place: Place, reader: _pipe.PipeReader, writer: int) -> None:
        self._place = place
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder(_pipe.FRAME_BYTES)
        self._is_small = False
        self._abandoned = threading.Event()
        self._bytes_read = 0
        self._look_due = 0.0
        self._dead: dict[int, int] = {}  # senders, by how much was to be read when they died

    def batches(self, delivery: Delivery, timeout: float | None) -> Batch:
        """The next messages; none if `timeout` seconds bring none."""
        if self._is_small:
            time.sleep(_COLLECTING_SECONDS)
        data = self._reader.read(timeout)
        self._is_small = len(data) < _SMALL_BYTES
        self._bytes_read += len(data)
        batch = self._decoder.decode(data, delivery.start, delivery.end)
        # If that read ended within a frame, its rest stands in the pipe. With that
        # in hand, whoever may have to take over begins with a whole frame.
        while missing := self._decoder.missing_bytes():
            if not (data := self._reader.read_more(missing)):
                break
            self._bytes_read += len(data)
            rest = self._decoder.decode(data, delivery.start, delivery.end)
            batch.lines.extend(rest.lines)
            batch.events.extend(rest.events)
            batch = batch._replace(corrupt=batch.corrupt + rest.corrupt)
        if self._decoder.waiting_for() or self._dead:
            self._give_up_dead(batch)
        return batch

    def _give_up_dead(self, batch: Batch) -> None:
        """Give up what dead senders left incomplete, once all that they sent was read."""
        now = time.monotonic()
        if now >= self._look_due:
            self._look_due = now + _TROUBLE_SECONDS
            for pid in self._decoder.waiting_for() - self._dead.keys():
                if not is_alive(pid):
                    self._dead[pid] = self._bytes_read + _pipe.bytes_left(self._writer)
        for pid, end in list(self._dead.items()):
            if self._bytes_read >= end:
                del self._dead[pid]
                batch.events.extend(self._decoder.give_up(pid))

    def rest(self, delivery: Delivery) -> Iterator[Batch]:
        if self._abandoned.is_set():
            return
        for data in self._reader.drain(self._place, self._writer):
            yield self._decoder.decode(data, delivery.start, delivery.end)
            if self._abandoned.is_set():
                return
        yield without_living(self._decoder.finish())

    def is_waiting(self) -> bool:
        return bool(self._decoder.waiting_for())

    def abandon(self) -> int:
        self._abandoned.set()
        self._reader.close()
        return _pipe.bytes_left(self._writer)

    def close(self) -> None:
        self._reader.close()

    def after_fork(self) -> None:
        # Else the child would keep all writers believing, and the parent's lock.
        self._reader.close()
        if self._place.descriptor >= 0:
            self._place.after_fork()


class QueueSource:
    """Messages out of a queue."""

    _MOST = 1000

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def batches(self, delivery: Delivery, timeout: float | None) -> Batch:
        items: list[Any] = []
        try:
            items.append(self._queue.get(timeout=timeout))
            while len(items) < self._MOST:
                items.append(self._queue.get_nowait())
        except queues.Empty:
            pass
        # What else somebody has put there harms no message.
        messages = [Message(*item) for item in items if _is_message(item)]
        return Batch([], messages, len(items) - len(messages))

    def rest(self, delivery: Delivery) -> Iterator[Batch]:
        while any(batch := self.batches(delivery, 0.05)):
            yield batch

    def is_waiting(self) -> bool:
        return False

    def abandon(self) -> int:
        return 1

    def close(self) -> None:
        pass

    def after_fork(self) -> None:
        pass


def _is_message(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == len(Message._fields)


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
        _listeners.add(self)

    def start(self) -> None:
        """Start the threads."""
        for sideline in self._sidelines:
            sideline.start()
        thread = threading.Thread(target=self._monitor, name="mplogging-listener", daemon=True)
        self._thread = thread
        thread.start()

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
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                return False
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
        self.delivery.deliver(self.queue.batches(self.delivery, timeout))
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
        with contextlib.suppress(Exception):
            self.delivery.note("failed", f"the listener met an error: {error!r}")
        time.sleep(_COLLECTING_SECONDS)  # were it to last, it must not eat a processor


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


_listeners: weakref.WeakSet[QueueListener] = weakref.WeakSet()


def _after_fork() -> None:
    for listener in list(_listeners):
        listener.queue.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
