"""What a worker sends its messages through: the pipe of a place, or a queue."""

from __future__ import annotations

import os
import queue as queues
import time
import weakref
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, Protocol

from .._delivery.direct import DirectWriter
from .._errors import SessionClosedError
from .._file.handler import DatedFileHandler
from .._wire import pipe
from .._wire.drops import DropCount
from .._wire.frames import HELLO, Message
from .._wire.place import Place


class QueueAddress(NamedTuple):
    """The address of a session over a queue; it travels where the queue does."""

    queue: Any
    config: bytes


class Sender(Protocol):
    """Sends one process's messages; `PipeWriter` says what each method does."""

    def send(self, kind: int, created: float, payload: bytes) -> None: ...

    def wait(self, timeout: float | None = None) -> None: ...

    def speak_first(self) -> None: ...


class Channel(Protocol):
    """The way from a worker to its session, in one process."""

    def sender(self, foreword: Callable[[], Iterator[Message]]) -> Sender: ...

    def direct(self, file: DatedFileHandler | None) -> DirectWriter:
        """What to send with once nobody reads any more."""

    def is_forsaken(self) -> bool:
        """True if something stands there that nobody reads any more."""

    def drop_count(self) -> DropCount: ...

    def publish(self, config: bytes) -> str | QueueAddress:
        """Let processes that attach from now on have this configuration; returns the address."""

    def close(self) -> None: ...


class PipeChannel:
    """Through the pipe of a place, which it closes with itself."""

    def __init__(self, place: Place, descriptor: int) -> None:
        self.place = place
        self.descriptor = descriptor
        self._sender: Callable[[], pipe.PipeWriter | None] = lambda: None

    @classmethod
    def open(cls, address: str) -> tuple[PipeChannel, bytes]:
        """To the session at this address; and its configuration.

        Raises:
            SessionClosedError: It is over.
            UnsafeSessionError: Somebody else could have written to it.
        """
        place = Place.open(address)
        try:
            config = place.read_config()
            return cls(place, pipe.open_writer(place)), config
        except OSError as error:
            place.close()
            raise SessionClosedError(
                f"the session at {address!r} has no reader any more: {error}"
            ) from None

    def sender(self, foreword: Callable[[], Iterator[Message]]) -> Sender:
        sender = pipe.PipeWriter(self.descriptor, foreword)
        self._sender = weakref.ref(sender)
        return sender

    def direct(self, file: DatedFileHandler | None) -> DirectWriter:
        return DirectWriter(file, self.place, self.descriptor)

    def is_forsaken(self) -> bool:
        try:
            return not pipe.is_read(self.descriptor) and pipe.may_hold_something(self.descriptor)
        except OSError:
            return False  # the program has closed all descriptors

    def drop_count(self) -> DropCount:
        return DropCount(self.place)

    def publish(self, config: bytes) -> str | QueueAddress:
        self.place.write_config(config)
        return self.place.path

    def close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            sender = self._sender()
            if sender is None:
                os.close(descriptor)
            else:
                # A thread is sending: it must not write to what gets this number next.
                weakref.finalize(sender, os.close, descriptor).atexit = False
        self.place.close()


class QueueChannel:
    """Through a `multiprocessing.Queue`, or another that travels to the workers.

    It has that queue's guarantees instead of the pipe's: a worker that is killed
    may take along what its feeder thread had not sent yet, or the queue's lock.
    """

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def sender(self, foreword: Callable[[], Iterator[Message]]) -> Sender:
        return QueueWriter(self._queue, foreword)

    def direct(self, file: DatedFileHandler | None) -> DirectWriter:
        return DirectWriter(file)

    def is_forsaken(self) -> bool:
        return False

    def drop_count(self) -> DropCount:
        return DropCount(None)

    def publish(self, config: bytes) -> str | QueueAddress:
        return QueueAddress(self._queue, config)

    def close(self) -> None:
        pass


class QueueWriter:
    """`PipeWriter`'s counterpart for a queue."""

    def __init__(self, queue: Any, foreword: Callable[[], Iterator[Message]]) -> None:
        self._queue = queue
        self._foreword = foreword
        self._has_to_speak = True
        self._pid = os.getpid()

    def speak_first(self) -> None:
        self._has_to_speak = True

    def send(self, kind: int, created: float, payload: bytes) -> None:
        if self._has_to_speak:
            self._has_to_speak = False  # first: it may be said that more is to come
            try:
                for note in self._foreword():
                    self._put(note)
            except BaseException:
                self._has_to_speak = True
                raise
        self._put(Message(kind, self._pid, created, payload))

    def wait(self, timeout: float | None = None) -> None:
        # A queue doesn't tell when there is room; it is asked again.
        time.sleep(0.01)

    def _put(self, message: Message) -> None:
        try:
            self._queue.put_nowait(tuple(message))
        except queues.Full:
            raise BlockingIOError from None
        except (OSError, EOFError, ValueError) as error:
            raise BrokenPipeError from error  # its other end is gone, or it was closed


def hello(process_name: str) -> Message:
    """How a process introduces itself."""
    return Message(HELLO, os.getpid(), 0.0, process_name.encode("utf-8", "replace")[:256])
