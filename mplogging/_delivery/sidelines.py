"""The handlers beside the file: each in a thread of its own, behind a bounded queue.

So a console whose reader has stopped holds up neither the file nor the other
handlers, and the end of the session waits for it no longer than it may.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
from _thread import allocate_lock
from queue import SimpleQueue
from threading import Thread, get_ident
from time import monotonic, sleep
from typing import Any, Callable

from .._event import Event

_END = None
_ROOM_PAUSE = 0.005
_FORK_PATIENCE = 0.5  # seconds


class Sideline:
    """Feeds one handler.

    Args:
        capacity: How many records may wait for the handler.
        is_patient: When the queue is full, wait for room rather than drop the
            record. That holds up everything else.
        report: Gets told of the first exception that the handler raises.
    """

    def __init__(
        self,
        handler: logging.Handler,
        capacity: int,
        is_patient: bool,
        report: Callable[[logging.Handler, logging.LogRecord], Any],
    ) -> None:
        self.handler = handler
        self._is_patient = is_patient
        self._report = report
        self._capacity = capacity
        # Of all queues, it alone can be put to by a signal handler that interrupts a put.
        self._records: SimpleQueue[logging.LogRecord | Event | None] = SimpleQueue()
        self._is_over = self._is_busy = False
        self._at_work = allocate_lock()  # held while the handler has a record
        self._is_slow = False  # a fork has waited for it in vain
        self._drops = itertools.count()
        self.failed = 0
        self.when_started: Callable[[int | None], object] = lambda ident: None
        self._claim = iter((True,))  # who takes it starts the thread
        self._thread = Thread(
            target=self._run, name=f"mplogging-{type(handler).__name__}", daemon=True
        )

    def start(self) -> None:
        """Start the thread, unless a record has done that already."""
        if not next(self._claim, False):
            return
        _started.add(self)
        try:
            self._thread.start()
        except BaseException:
            _started.discard(self)
            self._claim = iter((True,))
            raise
        self.when_started(self._thread.ident)

    @property
    def dropped(self) -> int:
        """Records that there was no room for."""
        return int(repr(self._drops)[len("count(") : -1])  # how far it has counted

    def has_room(self) -> bool:
        """False if what is offered now would have to wait; for any thread."""
        return not self._is_patient or self._records.qsize() < self._capacity

    def offer(self, record: logging.LogRecord, may_wait: bool = True) -> None:
        """Take the record if the handler wants its level; never waits unless patient.

        Args:
            may_wait: False for one that has seen that there is room. If another thread has
                had it since, the record is one too many, and is taken.
        """
        if self._is_over or record.levelno < self.handler.level:
            return
        while self._records.qsize() >= self._capacity:
            if not self._is_patient:
                next(self._drops)  # in one step, whichever thread offers
                return
            if not may_wait:
                break
            sleep(_ROOM_PAUSE)
        self._records.put(record)
        if self._thread.ident is None:
            self.start()  # one that nobody may ever need has not been started before

    def expect(self) -> Event:
        """What is set once the handler has had all that was offered before this call."""
        event = Event()
        if self._is_over or self._thread.ident is None:
            event.set()
        else:
            self._records.put(event)
        return event

    def give_up(self) -> None:
        """Wait for room no more, however patient."""
        self._is_patient = False

    def end(self) -> None:
        """No more records come: let the thread end once the handler has had what waits."""
        if self._is_over:
            return
        self.give_up()
        self._is_over = True
        self._records.put(_END)

    def finish(self, deadline: float) -> int:
        """Wait for the end; returns how many records the handler still had to do by then.

        Args:
            deadline: When to give up, on the clock of `time.monotonic`.
        """
        self.end()
        if self._thread.ident is None:
            return 0  # it was never started
        self._thread.join(max(0.0, deadline - monotonic()))
        # What it is working on counts, and so does a flush that does not end.
        left = self._records.qsize() - 1 + self._is_busy
        return max(left, 1) if self._thread.is_alive() else 0

    def rest(self, deadline: float) -> bool:
        """Let the handler not begin with a record, once it is through with what it has.

        Returns:
            False if it is not through by then.
        """
        if self._thread.ident == get_ident():
            return False  # it is this handler that forks
        is_resting = self._take(deadline)
        self._is_slow = not is_resting
        return is_resting

    def _take(self, deadline: float) -> bool:
        if self._is_slow:
            return self._at_work.acquire(False)
        return self._at_work.acquire(True, max(0.0, deadline - monotonic()))

    def resume(self) -> None:
        """After `rest`: let it go on."""
        self._at_work.release()

    def _run(self) -> None:
        while (record := self._records.get()) is not _END:
            if isinstance(record, Event):
                record.set()
                continue
            self._is_busy = True
            with self._at_work:
                self._handle(record)
            self._is_busy = self._is_slow = False
        with contextlib.suppress(BaseException), self._at_work:
            if getattr(self.handler, "flushOnClose", True):  # as `logging.shutdown`
                self.handler.flush()
        _started.discard(self)

    def _handle(self, record: logging.LogRecord) -> None:
        try:
            self.handler.handle(record)
        except BaseException:  # SystemExit would end the thread, and nobody would know
            self.failed += 1
            if self.failed == 1:
                with contextlib.suppress(BaseException):
                    self._report(self.handler, record)


_started: set[Sideline] = set()  # whose threads are there
_resting: dict[int, list[Sideline]] = {}  # by the thread that forks


def _before_fork() -> None:
    # In the child, what a handler's thread has locked just then stays so for ever: the
    # buffer of stderr, say, on which that child then hangs at its end.
    if not _started:
        return
    resting = _resting[get_ident()] = []
    deadline = monotonic() + _FORK_PATIENCE
    for sideline in list(_started):
        if sideline.rest(deadline):
            resting.append(sideline)


def _after_fork() -> None:
    for sideline in _resting.pop(get_ident(), ()):
        sideline.resume()


def _after_fork_in_child() -> None:
    _resting.clear()
    _started.clear()  # their threads are not here


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork,
        after_in_child=_after_fork_in_child,
    )
