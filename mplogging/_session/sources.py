"""Where a listener's messages come from: the journal of a place. (Or a queue: `queue_source`.)"""

from __future__ import annotations

from time import monotonic, sleep
from typing import Callable, Protocol

from .._delivery.delivery import Delivery
from .._delivery.reading import Reader
from .._event import Event
from .._wire.bell import Bell
from .._wire.frames import LINE
from .._wire.place import Place
from .._wire.writer import LOOK_SECONDS, JournalWriter, Unsent

# While data comes, the reader looks so often, so that frames collect: to wake for each
# record would halve the speed of all. It sleeps only when the next record is sure to ring.
_PAUSE = 0.005
# Where little comes, as of processes that live for a moment: a look costs more than to read
# that, and still more in a process that forks, since it copies what the look touches.
_LONG_PAUSE, _LITTLE_BYTES = 0.01, 1 << 14
_AWAKE_SECONDS = 2 * LOOK_SECONDS
_SLEEP_SECONDS = 1.0
_DRAINING_SECONDS = 2.0


class Source(Protocol):
    """Where messages come from, and what hands them on."""

    sleep_seconds: float  # for which it may let the listener do nothing

    def turn(self) -> None:
        """Hand on what is there, or wait a moment for more."""

    def finish(self, deadline: Callable[[], float]) -> None:
        """Hand on all that is left, at the end; give up what the log refuses by then."""

    def expect(self) -> Callable[[], bool]:
        """What is True once all that was sent before this call is in the file."""

    def wake(self) -> None:
        """Let `turn` not wait any longer."""

    def left(self, is_read: bool) -> int:
        """How many records are left; with `is_read`, of those that were read."""

    def close(self) -> None: ...


class JournalSource:
    """Messages out of the journal of a session, which may come to have several places.

    Args:
        bell: Wakes it.
        writer: What this process sends with.
        when_lost: Is called if another process has come to read a place.
    """

    def __init__(
        self,
        bell: Bell,
        delivery: Delivery,
        writer: Callable[[], JournalWriter],
        when_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._bell = bell
        self._delivery = delivery
        self._writer = writer
        self._when_lost = when_lost
        self._places: list[Place] = []
        self._readers: list[Reader] = []
        delivery.write_own = self._write_own
        self._awake_until = 0.0
        self._woken = Event()
        self.sleep_seconds = _SLEEP_SECONDS  # at most

    def add(
        self, place: Place, writer: Callable[[], JournalWriter | None] = lambda: None
    ) -> None:
        """Read this one too, of which we have the reader's lock.

        Args:
            writer: What this process sends with, if it goes there.
        """
        reader = Reader(place, self._delivery, makes_lines=True, writer=writer)
        reader.take_up()
        self._places.append(place)
        self._readers.append(reader)
        self._bell.ring()

    def turn(self) -> None:
        if self._turn():
            self._awake_until = monotonic() + _AWAKE_SECONDS
            if not any(reader.has_more for reader in self._readers):
                self._pause()
        elif monotonic() < self._awake_until:
            self._pause()
        elif self._bell.wait(self._sleep_seconds()):
            self._awake_until = monotonic() + _AWAKE_SECONDS

    def _pause(self) -> None:
        much = any(reader.last_bytes > _LITTLE_BYTES for reader in self._readers)
        if self._woken.wait(_PAUSE if much else _LONG_PAUSE):
            self._woken = Event()

    def _turn(self) -> bool:
        has_moved = False
        for place, reader in zip(self._places[:], self._readers[:]):
            if reader.note.is_over or _is_ours(place):
                has_moved |= reader.turn()
            else:
                self._step_down(place, reader)
        return has_moved

    def _step_down(self, place: Place, reader: Reader) -> None:
        """Another process has taken the lock meanwhile, and reads on."""
        self._places.remove(place)
        self._readers.remove(reader)
        reader.close()
        self._when_lost()
        self._delivery.mishap("failed", f"another process reads {place.path} on")

    def _sleep_seconds(self) -> float:
        is_troubled = any(
            reader.note.passed_over or reader.note.next != reader.note.segment
            for reader in self._readers
        )
        return LOOK_SECONDS if is_troubled else self.sleep_seconds

    def finish(self, deadline: Callable[[], float]) -> None:
        self._turn()  # which sees whose they are
        for reader in self._readers:  # not to the end: while others log on, it might never come
            reader.read_up_to(reader.targets())
        while self.is_refused() and monotonic() < deadline():
            sleep(_PAUSE)
            self._turn()
        for reader in self._readers:
            reader.end()
        # What comes until all have seen that.
        limit = monotonic() + _DRAINING_SECONDS
        while self._turn() and monotonic() < limit:
            pass
        for place, reader in zip(self._places, self._readers):
            reader.is_final = not place.is_held()
        self._turn()

    def is_refused(self) -> bool:
        """True if the log takes no lines at present."""
        return any(reader.note.passed_over for reader in self._readers)

    def expect(self) -> Callable[[], bool]:
        targets = [(reader, reader.targets()) for reader in self._readers]
        self.wake()
        return lambda: all(reader.has_reached(target) for reader, target in targets)

    def is_at_end(self) -> bool:
        """True if nothing waits; for any thread."""
        return bool(self._readers) and all(reader.is_at_end() for reader in self._readers)

    def is_attached_to(self) -> bool:
        """True if another process is attached."""
        return any(place.is_held() for place in self._places)

    def is_all_read(self) -> bool:
        """True if nothing waits, at the end."""
        try:
            return bool(self._readers) and not any(reader.unread() for reader in self._readers)
        except (OSError, ValueError):
            return False

    def wake(self) -> None:
        self._woken.set()
        self._bell.ring()

    def left(self, is_read: bool) -> int:
        # What still comes after that, others see to.
        return sum(reader.count_unread(is_read) for reader in self._readers)

    def close(self) -> None:
        for reader in self._readers:
            reader.close()

    def _write_own(self, created: float, line: bytes) -> None:
        """By way of the journal, so that this too is written once, whoever dies."""
        try:
            if self._readers and not self._readers[0].note.is_over:
                self._writer().append(LINE, created, line)
                # Read like the program's own records, of which it is none.
                self._delivery.counts["records"] -= 1
                self._delivery.counts["bytes"] -= len(line)
                return
        except Unsent:
            pass
        assert self._delivery.file is not None
        self._delivery.file._write(created, [line])


def _is_ours(place: Place) -> bool:
    """Have the reader's lock, which goes if the program reads through our files, to copy them."""
    deadline = monotonic() + LOOK_SECONDS
    while not place.try_reader_lock():  # whoever looks who has it has it for a moment
        if monotonic() >= deadline:
            return False
        sleep(_PAUSE)
    return place.is_as_saved()
