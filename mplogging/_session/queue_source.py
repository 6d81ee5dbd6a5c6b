"""Where a listener's messages come from if there is no journal: a queue."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import queue as queues
from typing import Any, Callable

from .._delivery.delivery import Delivery
from .._delivery.foreign import record_message
from .._event import Event
from .._wire.frames import MARK, Batch, Message

# How often to see to what no message prompts: a disk that refuses lines.
_TROUBLE_SECONDS = 0.5

_FIELD_TYPES: tuple[Any, ...] = (int, int, (int, float), bytes)  # of a `Message`


class QueueSource:
    """Messages out of a queue."""

    sleep_seconds = 0.0  # it has a rhythm of its own
    _MOST = 1000
    _MOST_FAILURES = 100  # in a row: it is the queue then, and no item

    def __init__(self, queue: Any, delivery: Delivery) -> None:
        self._queue = queue
        self._delivery = delivery
        self._marks: dict[bytes, Event] = {}
        self._due: list[Event] = []
        self._numbers = itertools.count()
        self._is_finished = False
        delivery.on_mark = self._take_mark

    def turn(self) -> None:
        file = self._delivery.file
        is_troubled = file is not None and file.waiting > 0
        self._delivery.deliver(self._next_batch(_TROUBLE_SECONDS if is_troubled else 1.0))
        if file is not None and file.waiting:
            file.flush()
        self._settle_marks()

    def _settle_marks(self) -> None:
        file = self._delivery.file
        if self._due and not (file is not None and file.waiting):
            due, self._due = self._due, []
            for event in due:
                event.set()

    def _take_mark(self, payload: bytes) -> None:
        event = self._marks.pop(payload, None)
        if event is not None:
            self._due.append(event)

    def expect(self) -> Callable[[], bool]:
        mark = b"%d" % next(self._numbers)
        event = self._marks[mark] = Event()
        message = tuple(Message(MARK, os.getpid(), 0.0, mark))
        is_sent = False

        def has_come() -> bool:
            nonlocal is_sent
            if not is_sent:  # the queue may be full for a while
                try:
                    self._queue.put_nowait(message)
                    is_sent = True
                except Exception:
                    return False
            return event.is_set()

        has_come()
        return has_come

    def wake(self) -> None:
        self.expect()

    def _next_batch(self, timeout: float | None) -> Batch:
        messages: list[Message] = []
        corrupt = 0  # what else somebody has put there harms no message
        try:
            item = self._queue.get(timeout=timeout)
            while True:
                message = _message_of(item)
                if message is not None:
                    messages.append(message)
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
        return Batch(messages, corrupt)

    def finish(self, deadline: Callable[[], float]) -> None:
        failures = 0
        while failures < self._MOST_FAILURES:
            try:
                batch = self._next_batch(0.05)
                failures = 0
            except Exception:  # as below: an item, or the queue itself
                batch = Batch([], 1)
                failures += 1
            if not (batch.events or batch.corrupt):
                break
            self._delivery.deliver(batch)
        self._settle_marks()
        self._is_finished = True

    def left(self, is_read: bool) -> int:
        if self._is_finished:
            return 0
        try:
            return max(1, int(self._queue.qsize()))
        except Exception:
            return 1  # it does not tell

    def close(self) -> None:
        pass


def _message_of(item: Any) -> Message | None:
    """The message that somebody has put into a queue; None for anything else."""
    if isinstance(item, logging.LogRecord):
        with contextlib.suppress(Exception):
            return record_message(item)
    elif _is_message(item):
        return Message(*item)
    return None


def _is_message(item: Any) -> bool:
    return (
        isinstance(item, tuple)
        and len(item) == len(_FIELD_TYPES)
        and all(isinstance(field, types) for field, types in zip(item, _FIELD_TYPES))
    )
