"""The `SessionHandler`: what a worker logs goes to its session.

    record ─ prepare ─ (kind, created, payload) ─ Sender.send
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import multiprocessing
import os
from _thread import allocate_lock
from collections.abc import Iterator
from threading import RLock
from time import monotonic
from typing import Any, Callable

from .._delivery.direct import DirectWriter
from .._file.handler import DatedFileHandler
from .._records import dump_record
from .._wire.drops import DropCount
from .._wire.frames import (
    DROPPED,
    LINE,
    RECORD,
    ROUTED,
    Message,
    join_record,
    join_routed,
)
from .._wire.writer import LOOK_SECONDS, Congested, JournalWriter, Over, Unsent
from .channels import Channel, Sender, hello
from .config import Config
from .successors import Nowhere, Onward, ProvisionalWriter

Prepare = Callable[[logging.LogRecord], tuple[int, float, bytes]]


class Rejected(Exception):
    """A filter of the file's does not let the record pass."""


class SessionHandler(logging.handlers.QueueHandler):
    """Makes the line and sends it; waits for nobody but a full journal.

    A send takes no lock: it is atomic, and what a process logs from several
    threads, from a signal handler or from `__del__` can't wait for itself.

    Args:
        queue: The channel to the session.
        config: What the session wants.
        before: That of the process of which a child may be forked: this one is to be the
            child's, which calls `succeed`.

    Attributes:
        makes_lines: It makes them just as the session's own process would.
        onward: Where records go once the session is over.
        when_new: Is told each configuration that is found to be another one than before.
        news: The last one of these.
    """

    queue: Sender  # type: ignore[assignment]
    makes_lines: bool
    _file: DatedFileHandler | None

    def __init__(
        self, queue: Channel, config: Config, before: SessionHandler | None = None
    ) -> None:
        self._channel = queue
        self._config = config
        if before is not None and config.has_file_of(before._config):
            self._file, self.makes_lines = before._file, before.makes_lines
        else:
            self._file, self.makes_lines = config.load_file()
        self.when_new: Callable[[Config], object] = lambda config: None
        self.news: Config | None = None
        self.onward: Onward = Nowhere()
        self._levels_due = 0.0
        self._looking = allocate_lock()  # never waited for
        self.drops: DropCount = queue.drop_count()
        self._drop_below = config.drop_below
        # For the one change of `queue`; reentrant, since a signal handler may log.
        self._change = RLock()
        self._aside_writer: DirectWriter | None = None
        sender = queue.sender if before is None else queue.spare_sender
        super().__init__(sender(self._foreword))  # type: ignore[arg-type]
        self.follow(config)
        if isinstance(self.queue, JournalWriter):
            self.queue.when_looking = self.look
        self._set_line()

    def succeed(self, before: SessionHandler) -> None:
        """In a forked child: be in that one's place."""
        before.drops.close()
        self._channel.succeed(self.queue)
        self._set_line()  # its file may have got filters
        # A thread that is not here any more may have read something without taking it over.
        if before._looking.locked() or before._followed is not self._followed:
            self._channel.forget_config()

    def _set_line(self) -> None:
        if self._file is not None:
            self.line = self._filtered_line if self._file.filters else self._file.line

    def follow(self, config: Config) -> None:
        """From now on, the handlers of the session's process have these levels."""
        self._followed = config
        self._line_level = config.line_level
        self._record_level = config.record_level if self.makes_lines else 0
        self._least = min(config.line_level, config.record_level)
        # On the handler's own level `logging` would stop records for good; and where nothing
        # is to be stopped, nothing needs to be looked at.
        if self._least > logging.NOTSET:
            vars(self)["handle"] = self._handle_from_level
        else:
            vars(self).pop("handle", None)

    def look(self) -> None:
        """See whether the levels are others now."""
        # Of two threads at once, the slower would bring back what is older.
        if not self._looking.acquire(blocking=False):
            return
        try:
            config = self._channel.new_config()
            if config is not None:
                self.follow(config)
                self.news = config
                self.when_new(config)
        finally:
            self._looking.release()

    def _handle_from_level(self, record: logging.LogRecord) -> Any:
        if record.levelno < self._least:
            now = monotonic()
            if now < self._levels_due:
                return False
            self._levels_due = now + LOOK_SECONDS
            self.look()
            if record.levelno < self._least:
                return False
        return type(self).handle(self, record)

    def takes(self, record: logging.LogRecord) -> bool:
        """False if its level is too low for what is behind this handler."""
        return record.levelno >= max(self.level, self._least)

    def createLock(self) -> None:
        """None is made."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> Any:
        """As `Handler.handle`, without the lock."""
        if self.filters:
            verdict: Any = self.filter(record)
            if not verdict:
                return verdict
            if isinstance(verdict, logging.LogRecord):
                record = verdict
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Send the record. Once this returns, the record is accepted."""
        try:
            if record.levelno < self._record_level:  # the short way for a mere line
                kind, created, payload = LINE, record.created, self.line(record)
            else:
                kind, created, payload = self.prepare(record)
            if self._aside_writer is not None and self._aside_writer.is_behind():
                self._aside_writer.aside(kind, created, payload)
                return
            try:
                self.queue.send(kind, created, payload)
            except (Congested, Over, Unsent) as obstacle:
                self._overcome(obstacle, record, (kind, created, payload), self)
        except Rejected:
            pass
        except Exception:
            self.handleError(record)

    def forward(
        self, record: logging.LogRecord, prepare: Prepare, by: logging.Handler | None = None
    ) -> None:
        """As `emit`, by another handler of the tree: what `prepare` makes is sent."""
        try:
            message = prepare(record)
            if self._aside_writer is not None and self._aside_writer.is_behind():
                self._aside_writer.aside(*message)
                return
            try:
                self.queue.send(*message)
            except (Congested, Over, Unsent) as obstacle:
                self._overcome(obstacle, record, message, by or self)
        except Rejected:
            pass
        except Exception:
            self.handleError(record)

    def enqueue(self, record: logging.LogRecord) -> None:
        """As `emit`: what `prepare` makes is sent at once."""
        self.emit(record)

    def prepare(self, record: logging.LogRecord) -> tuple[int, float, bytes]:
        """The record as a message: kind, created, payload."""
        level = record.levelno
        if level < self._record_level:
            return LINE, record.created, self.line(record)
        line = b""
        if level >= self._line_level:
            with contextlib.suppress(Rejected):
                line = self.line(record)
        is_stand_in = bool(line) and not self.makes_lines
        return RECORD, record.created, join_record(line, dump_record(record), is_stand_in)

    def _filtered_line(self, record: logging.LogRecord) -> bytes:
        """As the file's `line`; its filters see the record where it is made.

        Raises:
            Rejected: One of them does not let it pass.
        """
        assert self._file is not None
        verdict: Any = self._file.filter(record)
        if not verdict:
            raise Rejected
        return self._file.line(verdict if isinstance(verdict, logging.LogRecord) else record)

    def prepare_line(self, record: logging.LogRecord) -> tuple[int, float, bytes]:
        """The record as a message to the file alone."""
        line = self.line(record)
        if self.makes_lines:
            return LINE, record.created, line
        return RECORD, record.created, join_record(line, dump_record(record), is_stand_in=True)

    def prepare_for(self, number: int, record: logging.LogRecord) -> tuple[int, float, bytes]:
        """The record as a message to one handler of the session's process."""
        return ROUTED, record.created, join_routed(number, dump_record(record))

    def outlets(self) -> list[logging.Handler]:
        """The handlers behind it, as far as this process has them."""
        return [] if self._file is None else [self._file]

    def end_channel(self) -> None:
        """The session is over and drained: what is still logged goes to the file."""
        with self._change:
            self.queue = DirectWriter(self._file)
        self.drops.close()

    def leave(self) -> None:
        """This process is about to end: what nobody reads any more, it writes."""
        self._channel.leave(self._file)
        if self._file is not None:
            self._file.close()  # with a word of what the disk has refused until now

    def _direct(self) -> DirectWriter:
        return self._channel.direct(self._file)

    def _foreword(self) -> Iterator[Message]:
        yield hello(multiprocessing.current_process().name)
        for dropped in self.drops.take():
            yield Message(DROPPED, os.getpid(), dropped.last, dropped.dump())

    def _overcome(
        self,
        obstacle: Congested | Over | Unsent,
        record: logging.LogRecord,
        message: tuple[int, float, bytes],
        by: logging.Handler,
    ) -> None:
        if isinstance(obstacle, Congested):
            self._wait_or_drop(record, message, obstacle, by)
        elif isinstance(obstacle, Over):
            self._go_on(record, message, by)
        else:
            self._aside().aside(*message)

    def _wait_or_drop(
        self,
        record: logging.LogRecord,
        message: tuple[int, float, bytes],
        congested: Congested,
        by: logging.Handler,
    ) -> None:
        while True:
            # While the log itself refuses lines, to wait might be for good.
            if record.levelno < self._drop_below or congested.is_refused:
                name = record.processName or multiprocessing.current_process().name
                self.drops.add(record.created, congested.is_refused, name)
                self.queue.speak_first()
                return
            self.queue.wait()
            try:
                self.queue.send(*message)
                return
            except Congested as again:
                congested = again
            except Over:
                self._go_on(record, message, by)
                return
            except Unsent:
                self._aside().aside(*message)
                return

    def hand_over(self) -> bool:
        """The session is over: read what waits in its journal, and append no more to it.

        Returns:
            True if all that this process has sent stands in the log.
        """
        if isinstance(self.queue, JournalWriter):
            self.queue.look_first()  # for a thread that is about to send by it
        writer = self._direct_writer()
        return writer.take_over() and not writer.is_behind()

    def _go_on(
        self, record: logging.LogRecord, message: tuple[int, float, bytes], by: logging.Handler
    ) -> None:
        if not self.onward.go_on(record, by):
            self._direct_writer().send(*message)

    def _direct_writer(self) -> DirectWriter:
        """What sends once nobody reads any more."""
        # Two threads that came here together would read the journal against each other.
        with self._change:
            if isinstance(self.queue, ProvisionalWriter):
                return self.queue.direct
            if isinstance(self.queue, DirectWriter):
                return self.queue
            direct = self._direct()
            self.queue = ProvisionalWriter(direct, self.onward)
            for note in self._foreword():
                direct.send(note.kind, note.created, note.payload)
            return direct

    def _aside(self) -> DirectWriter:
        """What takes messages that the journal does not take."""
        with self._change:
            if self._aside_writer is None:
                self._aside_writer = self._direct()
            return self._aside_writer
