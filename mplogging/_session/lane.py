"""One way of records through a session: a file with a journal of its own, and what reads it.

The first lane of a session has the root logger's file and the handlers beside it. Each
further `DatedFileHandler` has a lane for itself, so that all that is promised of the first
one's lines is true of its too.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Iterator, Sequence
from time import monotonic

from .._delivery.delivery import Delivery
from .._delivery.sidelines import Sideline
from .._file.handler import DatedFileHandler
from .._levels import NEVER, Levels
from .._wire.place import Place
from .._wire.processes import this_process
from .._wire.requests import Request
from .._worker.channels import Channel, QueueAddress, QueueChannel
from .._worker.config import Config, pickled
from .._worker.formatting import changes
from .alone import Alone
from .journal import SessionJournal
from .listener import ListenerSideHandler, SessionListener
from .queue_source import QueueSource
from .settings import Settings
from .sources import Source
from .undo import Undo


class Lane:
    """A file, its journal, the thread that reads it, and the handler that leads there.

    Args:
        file: None for a session whose records go to handlers only.
        sidelines: The handlers beside it.
        undo: Gets what takes it all down again.

    Raises:
        SessionError: There can be no directory for its journal.
    """

    address: str | QueueAddress
    handler: ListenerSideHandler
    config: Config

    def __init__(
        self,
        file: DatedFileHandler | None,
        sidelines: Sequence[Sideline],
        settings: Settings,
        undo: Undo,
    ) -> None:
        self.file = file
        self.delivery = Delivery(file, sidelines)
        self.listener: SessionListener | None = None
        self.is_abandoned = False
        self._sidelines = sidelines
        self._settings = settings
        self._undo = undo
        self._journal: SessionJournal | None = None
        self._alone: Alone | None = None
        self._token = os.urandom(8).hex()
        self.channel: Channel
        if settings.has_queue:
            self.channel = QueueChannel(_queue(settings))
        else:
            self._journal = SessionJournal(file, settings.journal_dir, self.delivery, undo)
            self.channel = self._journal.channel

    def first_config(self, record_level: int = NEVER) -> Config:
        """What a worker is to know of this lane.

        Args:
            record_level: From which on a handler beside the file wants the record itself.
        """
        file, journal = self.file, self._journal
        return Config(
            file=None if file is None else pickled(file),
            bare_file=None if file is None else pickle.dumps(file._bare_copy()),
            line_level=self.line_level(),
            record_level=record_level,
            drop_below=self._settings.drop_below,
            capacity_bytes=0 if journal is None else journal.capacity_bytes,
            bell="" if journal is None else journal.bell,
            process=this_process(),
            captures_warnings=self._settings.captures_warnings,
            levels=Levels({}, {}, 0),
            formatting=changes(),
        )

    def open(self, config: Config) -> None:
        """Let there be a handler that leads there, and what is to read it, not yet started."""
        self.config = config
        self.address = self.publish(config)
        handler = ListenerSideHandler(self.channel, config)
        self.handler = handler
        if self.file is not None:
            handler.use(self.file)
        self._undo.push(self._close_alone)
        source = self._make_source(handler)
        handler.listener = self.listener = SessionListener(source, self.delivery, self._sidelines)

    def _make_source(self, handler: ListenerSideHandler) -> Source:
        if isinstance(self.channel, QueueChannel):
            return QueueSource(self.channel.queue, self.delivery)
        assert self._journal is not None
        source = self._journal.source()
        if self.file is not None:
            self._alone = handler.alone = Alone(source, self.delivery, self.file, self._sidelines)
        return source

    def publish(self, config: Config) -> str | QueueAddress:
        """Let processes that start from now on find it so; returns its address.

        Raises:
            OSError, SessionError: There can be no directory any more.
        """
        if self._journal is None:
            assert isinstance(self.channel, QueueChannel)
            return QueueAddress(self.channel.queue, pickle.dumps(config), self._token)
        return self._journal.publish(config)

    def line_level(self) -> int:
        """From which on the file wants lines."""
        return NEVER if self.file is None else self.file.level

    def is_there(self) -> bool:
        """False if the journal's directory was removed underneath."""
        return self._journal is None or self._journal.is_there()

    def wake(self) -> None:
        """Let the listener not wait any longer."""
        if self._journal is not None and self.listener is not None:
            self.listener.queue.wake()

    def requests(self) -> Iterator[Request]:
        """What other processes ask for at present."""
        return iter(()) if self._journal is None else self._journal.requests()

    def places(self) -> list[Place]:
        """Where its journal stands, and has stood; none over a queue."""
        return [] if self._journal is None else self._journal.places()

    # -- the end ----------------------------------------------------------------------------

    def end_listener(self, deadline: float) -> bool:
        """Read to the end; False if that is not reached by the deadline."""
        if self.listener is None:
            return True
        remaining = deadline - monotonic()
        return self.listener.stop_at(deadline - remaining / 2) or self.listener.stop_at(
            deadline, is_patient=False
        )

    def sum_up(self) -> None:
        """Say what there is to tell of its lines."""
        for pid, dropped in self._journal.drops() if self._journal is not None else ():
            self.delivery.settle_drops(pid, dropped)
        self.delivery.sum_up()

    def abandon(self) -> None:
        """Let the listener end when it can."""
        self.is_abandoned = True
        if self.listener is not None:
            self.listener.abandon()

    def left(self, is_ended: bool) -> int:
        """How many records have not come into the file."""
        return 0 if self.listener is None else self.listener.queue.left(is_ended)

    def _close_alone(self) -> None:
        if self._alone is not None:
            self._alone.close()


def _queue(settings: Settings) -> object:
    return multiprocessing.Queue() if settings.queue is None else settings.queue
