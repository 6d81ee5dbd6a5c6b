"""Where a listener's messages come from: the pipe of a place, or a queue."""

from __future__ import annotations

import queue as queues
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

from .._delivery.delivery import Delivery
from .._wire import pipe
from .._wire.frames import Batch, Decoder, Message
from .._wire.liveness import is_alive, without_living
from .._wire.place import Place

# After a small read, let frames collect: waking for each record would halve the
# speed of all. Idle costs nothing, since then the read blocks.
_COLLECTING_SECONDS = 0.003
_SMALL_BYTES = 1 << 15
# How often to see whether the writer of half a record has died.
_LOOK_SECONDS = 0.5


_FIELD_TYPES: tuple[Any, ...] = (int, int, (int, float), bytes)  # of a `Message`


class Source(Protocol):
    """Where messages come from."""

    def next_batch(self, delivery: Delivery, timeout: float | None) -> Batch:
        """The next messages; none if `timeout` seconds bring none."""

    def rest(self, delivery: Delivery) -> Iterator[Batch]:
        """All that is left, at the end."""

    def is_waiting(self) -> bool:
        """True if a message has begun and not ended."""

    def abandon(self) -> int:
        """Give up; returns how much is left, in bytes or messages."""

    def close(self) -> None: ...


class PipeSource:
    """Messages out of a place's pipe."""

    def __init__(self, place: Place, reader: pipe.PipeReader, writer: int) -> None:
        self._place = place
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder(pipe.FRAME_BYTES)
        self._is_small = False
        self._abandoned = threading.Event()
        self._bytes_read = 0
        self._look_due = 0.0
        self._dead: dict[int, int] = {}  # senders, by how much was to be read when they died

    def next_batch(self, delivery: Delivery, timeout: float | None) -> Batch:
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
            self._look_due = now + _LOOK_SECONDS
            for pid in self._decoder.waiting_for() - self._dead.keys():
                if not is_alive(pid):
                    self._dead[pid] = self._bytes_read + pipe.bytes_left(self._writer)
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
        return pipe.bytes_left(self._writer)

    def close(self) -> None:
        self._reader.close()


class QueueSource:
    """Messages out of a queue."""

    _MOST = 1000
    _MOST_FAILURES = 100  # in a row: it is the queue then, and no item

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def next_batch(self, delivery: Delivery, timeout: float | None) -> Batch:
        messages: list[Message] = []
        corrupt = 0  # what else somebody has put there harms no message
        try:
            item = self._queue.get(timeout=timeout)
            while True:
                if _is_message(item):
                    messages.append(Message(*item))
                else:
                    corrupt += 1
                if len(messages) + corrupt == self._MOST:
                    break
                item = self._queue.get_nowait()
        except queues.Empty:
            pass
        except Exception:
            if not (messages or corrupt):
                raise
            corrupt += 1  # it can't be unpickled
        return Batch([], messages, corrupt)

    def rest(self, delivery: Delivery) -> Iterator[Batch]:
        failures = 0
        while failures < self._MOST_FAILURES:
            try:
                batch = self.next_batch(delivery, 0.05)
                failures = 0
            except Exception:  # as below: an item, or the queue itself
                batch = Batch([], [], 1)
                failures += 1
            if not (batch.events or batch.corrupt):
                return
            yield batch

    def is_waiting(self) -> bool:
        return False

    def abandon(self) -> int:
        return 1

    def close(self) -> None:
        pass


def _is_message(item: Any) -> bool:
    return (
        isinstance(item, tuple)
        and len(item) == len(_FIELD_TYPES)
        and all(isinstance(field, types) for field, types in zip(item, _FIELD_TYPES))
    )
