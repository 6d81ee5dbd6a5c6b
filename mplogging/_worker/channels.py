"""What a worker sends its messages through: the journal of a place, or a queue."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue as queues
from collections.abc import Iterator
from time import sleep
from typing import Any, Callable, NamedTuple, Protocol

from .._delivery.direct import DirectWriter
from .._errors import SessionClosedError, is_foreign
from .._file.handler import DatedFileHandler
from .._wire.bell import Bell
from .._wire.drops import DropCount
from .._wire.frames import HELLO, Message
from .._wire.place import Place
from .._wire.writer import Congested, JournalWriter, Over
from .config import Config
from .reading_process import ReadingProcess


class QueueAddress(NamedTuple):
    """The address of a session over a queue; it travels where the queue does."""

    queue: Any
    config: bytes
    token: str  # of the session

    def __eq__(self, other: object) -> bool:
        """Whether it is the same session's: its queue is another object each time it travels."""
        return isinstance(other, QueueAddress) and self.token == other.token

    def __hash__(self) -> int:
        return hash(self.token)


def is_for_forks_only(queue: Any) -> bool:
    """True if no spawned process can have the queue: its semaphores have no name."""
    semaphore = getattr(getattr(queue, "_rlock", None), "_semlock", None)
    return os.name == "posix" and semaphore is not None and semaphore.name is None


class Sender(Protocol):
    """Sends one process's messages; `JournalWriter` says what each method does."""

    def send(self, kind: int, created: float, payload: bytes) -> None: ...

    def wait(self, timeout: float | None = None) -> None: ...

    def speak_first(self) -> None: ...


class Channel(Protocol):
    """The way from a worker to its session, in one process."""

    def sender(self, foreword: Callable[[], Iterator[Message]]) -> Sender: ...

    def spare_sender(self, foreword: Callable[[], Iterator[Message]]) -> Sender:
        """One for a child that may be forked, which calls `succeed` with it."""

    def succeed(self, sender: Sender) -> None:
        """In a forked child: it sends with this from now on."""

    def direct(self, file: DatedFileHandler | None) -> DirectWriter:
        """What to send with once nobody reads any more."""

    def is_over(self) -> bool:
        """True if nobody reads any more."""

    def leave(self, file: DatedFileHandler | None) -> None:
        """This process is about to end: what nobody reads any more, it writes."""

    def drop_count(self) -> DropCount: ...

    def new_config(self) -> Config | None:
        """What the session wants by now, if that is something else than before."""

    def know_config(self) -> None:
        """In the session's process: what stands there by now is no news here, or in forks."""

    def forget_config(self) -> None:
        """In a forked child: whatever stands there is news."""

    def close(self) -> None: ...


class JournalChannel:
    """Through the journal of a place.

    Args:
        owns_place: It closes the place with itself.
    """

    def __init__(
        self,
        place: Place,
        bell: Bell,
        capacity_bytes: int,
        process: str,
        owns_place: bool = False,
    ) -> None:
        self.place = place
        self._owns_place = owns_place
        self._bell = bell
        self._capacity_bytes = capacity_bytes
        self._reader = ReadingProcess(process, place, bell)
        self._is_read_here = self._is_read_elsewhere = False
        self._writer: JournalWriter | None = None
        self._config_identity = (0, 0)

    @classmethod
    def open(cls, address: str) -> tuple[JournalChannel, Config]:
        """To the session at this address; and its configuration.

        Raises:
            SessionClosedError: It is over.
            UnsafeSessionError: Somebody else could have written to it.
        """
        place = Place.open(address)
        try:
            identity = place.config_identity()  # first: what comes then is another one
            config: Config = pickle.loads(place.read_config())
            channel = cls(
                place, Bell(config.bell), config.capacity_bytes, config.process, owns_place=True
            )
            channel._config_identity = identity
            if not channel._is_read():
                raise SessionClosedError(f"the session at {address!r} is over: nobody reads it")
            place.hold()
            return channel, config
        except (OSError, ValueError) as error:
            place.close()
            raise SessionClosedError(
                f"the session at {address!r} has no reader any more: {error}"
            ) from None
        except BaseException:
            place.close()
            raise

    def _is_read(self) -> bool:
        if self.place.read_head().is_over:
            return False
        self._is_read_here = self._reader.is_this()
        return (
            self._is_read_here or not self.place.is_reader_gone() or self._is_reader_seen()
        )

    def _is_reader_seen(self) -> bool:
        return not self._is_read_elsewhere and self._reader.is_seen()

    def read_elsewhere(self) -> None:
        """In the session's process: another has come to read the journal."""
        self._is_read_here, self._is_read_elsewhere = False, True

    def sender(self, foreword: Callable[[], Iterator[Message]]) -> Sender:
        self._is_read_here = self._reader.is_this()
        pid = os.getpid()
        self._writer = JournalWriter(
            self.place, self._bell, self._capacity_bytes, foreword,
            lambda: self._is_read_here and os.getpid() == pid, self._is_reader_seen,
        )  # fmt: skip
        self._writer.get_ready()
        return self._writer

    def spare_sender(self, foreword: Callable[[], Iterator[Message]]) -> Sender:
        return JournalWriter(
            self.place, self._bell, self._capacity_bytes, foreword,
            is_reader_seen=self._is_reader_seen,
        )  # fmt: skip

    def succeed(self, sender: Sender) -> None:
        assert isinstance(sender, JournalWriter)
        self._is_read_here = False  # but by the parent, if at all
        if self._writer is not None:
            sender.succeed(self._writer)
        self._writer = sender

    def direct(self, file: DatedFileHandler | None) -> DirectWriter:
        return DirectWriter(file, self.place, self._writer)

    def writer(self) -> JournalWriter:
        """What this process sends with, once it has a sender."""
        assert self._writer is not None
        return self._writer

    def is_over(self) -> bool:
        return not self._is_read()

    def leave(self, file: DatedFileHandler | None) -> None:
        if not self._is_read_here and (not self._is_read() or self._reader.is_dying()):
            writer = self.direct(file)
            is_all_read = writer.take_over()
            self.place.let_go()  # of two that leave at once, one finds the other gone
            # Once more: one who was killed meanwhile may have appended at the very last.
            if is_all_read and not self.place.is_held() and writer.take_over():
                writer.bring_the_rest()
                self._bell.remove()  # the last one does that
                self.place.remove()

    def drop_count(self) -> DropCount:
        return DropCount(self.place)

    def new_config(self) -> Config | None:
        try:
            identity = self.place.config_identity()
            if identity == self._config_identity:
                return None
            self._config_identity = identity
            config: Config = pickle.loads(self.place.read_config())
            return config
        except Exception as error:
            if is_foreign(error):
                raise
            return None  # all goes on as it was

    def know_config(self) -> None:
        with contextlib.suppress(OSError):  # the directory was removed underneath
            self._config_identity = self.place.config_identity()

    def forget_config(self) -> None:
        self._config_identity = (0, 0)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._owns_place:
            self.place.close()
            self._bell.close()


class QueueChannel:
    """Through a `multiprocessing.Queue`, or another that travels to the workers.

    It has that queue's guarantees instead of the journal's: a worker that is killed
    may take along what its feeder thread had not sent yet, or the queue's lock.
    """

    def __init__(self, queue: Any) -> None:
        self.queue = queue

    def sender(self, foreword: Callable[[], Iterator[Message]]) -> Sender:
        return QueueWriter(self.queue, foreword)

    def spare_sender(self, foreword: Callable[[], Iterator[Message]]) -> Sender:
        return QueueWriter(self.queue, foreword)

    def succeed(self, sender: Sender) -> None:
        assert isinstance(sender, QueueWriter)
        sender.begin()

    def direct(self, file: DatedFileHandler | None) -> DirectWriter:
        return DirectWriter(file)

    def is_over(self) -> bool:
        return False

    def leave(self, file: DatedFileHandler | None) -> None:
        pass

    def drop_count(self) -> DropCount:
        return DropCount(None)

    def new_config(self) -> Config | None:
        return None

    def know_config(self) -> None:
        pass

    def forget_config(self) -> None:
        pass

    def close(self) -> None:
        pass


class QueueWriter:
    """`JournalWriter`'s counterpart for a queue."""

    def __init__(self, queue: Any, foreword: Callable[[], Iterator[Message]]) -> None:
        self._queue = queue
        self._foreword = foreword
        self._has_to_speak = True
        self.begin()

    def begin(self) -> None:
        """This process is the one that sends with it."""
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
        sleep(0.01)

    def _put(self, message: Message) -> None:
        try:
            self._queue.put_nowait(tuple(message))
        except queues.Full:
            raise Congested(is_refused=False) from None
        except (OSError, EOFError, ValueError) as error:
            raise Over from error  # its other end is gone, or it was closed


def hello(process_name: str) -> Message:
    """How a process introduces itself."""
    return Message(HELLO, os.getpid(), 0.0, process_name.encode("utf-8", "replace")[:256])
