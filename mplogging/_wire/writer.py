"""How one process appends to the journal.

One `write` a message, to a file opened with O_APPEND: the kernel keeps all writers
apart and in order, threads, signal handlers and forks among them. So nothing is
locked, and nothing that a write has taken can be lost with its writer.

Before a write that comes more than `LOOK_SECONDS` after the last look, it looks at
the reader's note: which segment all are to write to, whether anybody reads at all,
and how much waits. When another segment has been announced, it glances at the note
before each write, until all have gone there: so nobody is behind, and what was logged
before something that caused another record stands before it, in whatever segments.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from os import write
from threading import RLock
from time import monotonic, sleep
from typing import Callable, NoReturn

from .._closing import close
from .._errors import UnsafeSessionError, is_foreign
from .bell import Bell
from .descriptors import leads_to
from .frames import Framing, Message, pack_header
from .note import Head
from .place import Place

LOOK_SECONDS = 0.05
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05
_NOT_YET = float("-inf")
_LONGEST_TURN = 1.0  # seconds
_FAILURES = (OSError, ValueError, UnsafeSessionError)


class Over(Exception):
    """Nobody reads the journal any more."""


class Congested(Exception):
    """More waits in the journal than may."""

    def __init__(self, is_refused: bool) -> None:
        super().__init__(is_refused)
        self.is_refused = is_refused  # the log takes no lines at present


class Unsent(Exception):
    """The journal did not take the message; `__cause__` is the system's error, if any."""


class JournalWriter:
    """Sends one process's messages.

    Args:
        place: Of the journal.
        bell: Wakes its reader.
        capacity_bytes: How much may wait in the journal.
        foreword: What is to be said before the next message; see `speak_first`.
        is_read_here: True if the reader lives in this very process.
        is_reader_seen: True if it is seen to live, though it has lost its lock.
    """

    def __init__(
        self,
        place: Place,
        bell: Bell,
        capacity_bytes: int,
        foreword: Callable[[], Iterator[Message]],
        is_read_here: Callable[[], bool] = lambda: False,
        is_reader_seen: Callable[[], bool] = lambda: False,
    ) -> None:
        self._place = place
        self._bell = bell
        self._capacity_bytes = capacity_bytes
        self._foreword = foreword
        self.is_read_here = is_read_here
        self.is_reader_seen = is_reader_seen
        self._pid = os.getpid()
        # For one thread at a time to change segments. Reentrant, since a signal handler may
        # log; and not waited for for ever, as C code may have forked while it was taken.
        self._turn = RLock()
        self._look_due = self._glances_until = _NOT_YET
        self._has_to_speak = True
        self.when_looking: Callable[[], object] = lambda: None
        self._pause = 0.0
        self.descriptor, self.segment, self._identity = -1, 0, (0, 0)
        self._tags: dict[int, int] = {}

    def succeed(self, before: JournalWriter) -> None:
        """In a forked child: go on where the parent's was."""
        self.descriptor, self.segment = before.descriptor, before.segment
        self._identity, self._tags = before._identity, before._tags

    def get_ready(self) -> None:
        """Open what is needed while that can be had: later there may be no descriptor left."""
        with contextlib.suppress(*_FAILURES):
            self._be_ready()

    def speak_first(self) -> None:
        """Before a message soon, send what `foreword` has to say by then."""
        self._has_to_speak = True
        self.look_first()

    def send(self, kind: int, created: float, payload: bytes) -> None:
        """Send a message without waiting for room.

        Raises:
            Over, Congested, Unsent: It was not sent.
        """
        if monotonic() >= self._look_due:
            self._look()
        data = pack_header(self._tags[kind], len(payload), self._pid, created) + payload
        try:
            if write(self.descriptor, data) == len(data):
                return
        except OSError as error:
            self._fail(error)
        self._fail(None)

    def look_first(self) -> None:
        """Before the next message, look where it is to go."""
        self._look_due = self._glances_until = _NOT_YET

    def append(self, kind: int, created: float, payload: bytes) -> None:
        """Send a message, whatever the reader is doing.

        Raises:
            Unsent: It was not sent.
        """
        data = b""
        try:
            if self._look_due == _NOT_YET:
                self._be_ready()
            data = pack_header(self._tags[kind], len(payload), self._pid, created) + payload
            if write(self.descriptor, data) == len(data):
                return
        except _FAILURES as error:
            self._fail(error)
        self._fail(None)

    def _fail(self, error: Exception | None) -> NoReturn:
        """The system refused a message, or took the beginning of it, which does not count."""
        if error is not None and is_foreign(error):
            raise error  # by a signal handler, after the message was written
        self.look_first()
        raise Unsent from error

    def wait(self, timeout: float | None = None) -> None:
        """Wait a moment for room, each time for longer."""
        self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE)
        sleep(self._pause if timeout is None else min(timeout, self._pause))

    def descriptor_of(self, number: int) -> int:
        """The descriptor of this segment, if it is the one that is open; else -1."""
        is_it = number == self.segment and leads_to(self.descriptor, self._identity)
        return self.descriptor if is_it else -1

    def close(self) -> None:
        """Close the segment, if the descriptor is still ours."""
        descriptor, self.descriptor = self.descriptor, -1
        if leads_to(descriptor, self._identity):
            close(descriptor)

    def unread(self, head: Head) -> int:
        """How many bytes wait in the journal."""
        if self._descriptor_is_behind(head):
            head = self._be_ready()
        number, offset = head.place
        if number == head.segment == self.segment:
            return max(0, self._size(number) - offset) + head.passed_over
        places = self._place.load()[0].places.items()
        waiting = sum(max(0, self._size(number) - offset) for number, offset in places)
        return waiting + head.passed_over

    def _size(self, number: int) -> int:
        if number == self.segment:
            return os.fstat(self.descriptor).st_size
        try:
            return self._place.segment_bytes(number)
        except FileNotFoundError:
            return 0

    def _descriptor_is_behind(self, head: Head) -> bool:
        return head.segment != self.segment or not leads_to(self.descriptor, self._identity)

    # -- looking ------------------------------------------------------------------------

    def _look(self) -> None:
        now = monotonic()
        place = self._place
        try:
            if now < self._glances_until and self._is_still_announced():
                return
            if not place.is_open():
                place.reopen()
            self._pid = os.getpid()
            # Each time: the lock goes if the program reads through our files, to copy them say.
            place.hold()
            if place.read_head().is_over:
                raise Over
            head = self._be_ready()
            if not self.is_read_here() and place.is_reader_gone() and not self.is_reader_seen():
                raise Over
            self._bell.ring()
            if self.unread(head) > self._capacity_bytes:
                raise Congested(head.is_refused)
        except _FAILURES as error:
            if is_foreign(error):
                raise
            raise Unsent from error
        self._pause = 0.0
        if self._has_to_speak:
            self._speak()
        if head.next == head.segment:
            self._look_due = now + LOOK_SECONDS
        else:
            self._look_due, self._glances_until = _NOT_YET, now + LOOK_SECONDS
        self.when_looking()

    def _is_still_announced(self) -> bool:
        """A glance, at 1 µs instead of 30: True if the segment is still the one to write to."""
        try:
            head = self._place.read_head()
        except _FAILURES as error:
            if is_foreign(error):
                raise
            return False
        return head.segment == self.segment != head.next and not head.is_over

    def _be_ready(self) -> Head:
        """Have the segment open that all are to write to; returns the note's head."""
        is_alone = self._turn.acquire(timeout=_LONGEST_TURN)
        try:
            while True:
                # Held before the note is read: if that names it, it stays from then on.
                if self.segment:
                    self._place.hold_segment(self.segment)
                head = self._place.read_head()
                if not self._descriptor_is_behind(head):
                    return head
                try:
                    self._go_to(head.segment)
                except OSError as error:
                    # No descriptor is left, or no right to open it (privileges were
                    # dropped): what is open serves on, as long as it is held.
                    if is_foreign(error) or not self._may_stay():
                        raise
                    return head
        finally:
            if is_alone:
                self._turn.release()

    def _may_stay(self) -> bool:
        return (
            leads_to(self.descriptor, self._identity)
            and self.segment in self._place.load()[0].places  # it is read, and stays so
        )

    def _go_to(self, number: int) -> None:
        self._place.hold_segment(number)
        try:
            opened = self._place.open_segment(number, os.O_RDWR | os.O_APPEND)
        except BaseException:
            if number != self.segment:
                self._place.let_go_segment(number)
            raise
        try:
            if number < self.segment:
                self._place.let_go_segment(number)
                return  # a signal handler has gone further meanwhile
            framing = Framing.of_segment(os.pread(opened, 8, 0))
            status = os.fstat(opened)
            if leads_to(self.descriptor, self._identity):
                # The number stays: a thread that is about to write to it writes to either.
                os.dup2(opened, self.descriptor, inheritable=False)
            else:
                self.descriptor, opened = opened, -1
        finally:
            if opened >= 0:
                close(opened)
        old, self.segment = self.segment, number
        self._identity = status.st_dev, status.st_ino
        self._tags = framing.tags
        if old and old != number:
            self._place.let_go_segment(old)

    def _speak(self) -> None:
        # Marked as done first, since another thread may want something said meanwhile.
        self._has_to_speak = False
        try:
            for note in self._foreword():
                self.append(note.kind, note.created, note.payload)
        except BaseException:
            self._has_to_speak = True
            raise
