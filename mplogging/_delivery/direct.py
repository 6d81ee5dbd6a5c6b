"""How a process logs when nobody reads the journal: straight into the dated file.

That is so once the parent is dead, or its session is over. Whoever comes first takes
the reader's lock, reads the journal to its end, and marks it as over; all go on in
the file then, each as soon as it has looked. Before each line it is made sure that
nothing waits in the journal. If it does, and can't be read just now (the one who
does it was stopped, or the log refuses lines), the line is appended there, after it.
"""

from __future__ import annotations

import os
from threading import RLock
from time import monotonic, sleep

from .._errors import is_foreign
from .._file.handler import DatedFileHandler
from .._file.unwritten import Failed
from .._wire.frames import LINE, RECORD, Batch, Message, split_record
from .._wire.place import Place
from .._wire.writer import JournalWriter, Unsent
from .deaths import tell_of_the_dead
from .delivery import Delivery, LastResort
from .output import bring_output
from .reading import Reader

# Seconds between two attempts to read what waits.
_RETRY_SECONDS = 0.2
# One that reads, and gets no further in this time, is not waited for.
_STUCK_SECONDS = 0.1
_LEAVING_SECONDS = 1.0
_PAUSE, _SHORT_PAUSE = 0.005, 0.001


class DirectWriter:
    """Takes a process's messages as `JournalWriter` does, and never refuses one.

    Args:
        file: Where the lines go; with None, records go where logging itself
            sends them when it has no handler.
        place: The place of the journal to be read to its end; None if there is none.
        writer: Its writer, in this process.
    """

    def __init__(
        self,
        file: DatedFileHandler | None,
        place: Place | None = None,
        writer: JournalWriter | None = None,
    ) -> None:
        self._file = file
        self._place = place
        self._writer = writer
        self._delivery = Delivery(file, [] if file else [LastResort()])
        self._lock = RLock()
        self._is_busy = False  # this thread is at it: who comes now is a signal handler
        self._retry_due = 0.0
        self._waited_at: object = None  # where the journal's reader was, when it was in vain
        if file is not None:
            file._cut_half_lines()

    def send(self, kind: int, created: float, payload: bytes) -> None:
        """Write the message's line, after all that stands in the journal."""
        with self._lock:
            if not self._is_busy:
                self._is_busy = True
                try:
                    if self._is_caught_up() and self._write(kind, created, payload):
                        return
                finally:
                    self._is_busy = False
        self._put_off(kind, created, payload)

    def aside(self, kind: int, created: float, payload: bytes) -> None:
        """Write the message's line, since the journal does not take it."""
        with self._lock:
            if not self.is_behind():
                # Once more: there, it stands after what this process sent before.
                if self._has_put_off(kind, created, payload):
                    return
                if not self._is_busy:
                    self._wait_for_reader()
            self._keep(kind, created, payload)

    def is_behind(self) -> bool:
        """True if lines wait in memory: what comes now has to come after them."""
        return self._file is not None and self._file.waiting > 0

    def take_over(self) -> bool:
        """At the end of the process: read what waits, unless somebody else is about to.

        Returns:
            True if nothing waits any more.
        """
        deadline = monotonic() + _LEAVING_SECONDS
        with self._lock:
            while not self._is_caught_up():
                if monotonic() >= deadline:
                    return False
                sleep(_PAUSE)
                self._retry_due = 0.0
        return True

    def bring_the_rest(self) -> None:
        """The last process leaves: what others have written to their descriptors comes into
        the log, and who has died since the session's own has."""
        if self._place is not None:
            bring_output(self._place, self._delivery)
            tell_of_the_dead(self._place, self._delivery)

    def wait(self, timeout: float | None = None) -> None:
        """There is always room."""

    def speak_first(self) -> None:
        """Nothing has to be said: there is nobody to hear it."""

    # -- after the journal ------------------------------------------------------------

    def _is_caught_up(self) -> bool:
        """True if nothing waits in the journal, which is read for that."""
        place, writer = self._place, self._writer
        if place is None or writer is None:
            return True
        try:
            head = place.read_head()
            if head.is_over and not writer.unread(head):
                return True
            if monotonic() < self._retry_due:
                return False
            if self._read(place, writer) or (
                head.is_over and self._is_read_by_another(place, writer)
            ):
                return True
            self._retry_due = monotonic() + _RETRY_SECONDS
            return False
        except (OSError, ValueError) as error:
            if is_foreign(error):
                raise
            self._retry_due = monotonic() + _RETRY_SECONDS
            self._delivery.mishap("failed", f"the journal could not be read to its end: {error}")
            return False

    def _read(self, place: Place, writer: JournalWriter) -> bool:
        is_over = place.read_head().is_over
        if not (is_over or (place.is_reader_gone() and not writer.is_reader_seen())):
            return False
        if place.reading_here.locked():
            return False  # by another thread, or an interrupted call of this one's
        with place.reading_here:
            place.wait_for_lookers()
            return place.try_reader_lock() and self._read_locked(place, writer)

    def _read_locked(self, place: Place, writer: JournalWriter) -> bool:
        reader = Reader(place, self._delivery, writer=lambda: writer)
        try:
            reader.take_up()
            # Not to the end: while others log on, that might never come.
            reader.read_up_to(reader.targets())
            reader.end()
            reader.read_up_to(reader.targets())
            tell_of_the_dead(place, self._delivery)
            return reader.unread() == 0
        finally:
            reader.close()
            place.release_reader_lock()

    def _is_read_by_another(self, place: Place, writer: JournalWriter) -> bool:
        """True once another has read it: as long as that one gets on, it is waited for.

        Were all to append to the journal instead, it would never be read to its end.
        """
        before, deadline = None, 0.0
        while True:
            head = place.read_head()
            if not writer.unread(head):
                return True
            if head != before:
                before, deadline = head, monotonic() + _STUCK_SECONDS
            elif monotonic() >= deadline:
                return False
            elif self._read(place, writer):  # it has gone, one way or another
                return True
            sleep(_SHORT_PAUSE)

    def _wait_for_reader(self) -> None:
        """What this process sent before is to stand in the log before what it writes now."""
        place, writer = self._place, self._writer
        if place is None or writer is None:
            return
        deadline = monotonic() + _LEAVING_SECONDS
        while True:
            try:
                head = place.read_head()
                if not writer.unread(head) or head.place == self._waited_at:
                    return
                if not writer.is_read_here() and self._read(place, writer):
                    return  # the reader is dead
            except (OSError, ValueError) as error:
                if is_foreign(error):
                    raise
                return
            if monotonic() >= deadline:
                # Stopped, or at a record that was cut short: not again for each line.
                self._waited_at = head.place
                return
            sleep(_PAUSE)

    # -- writing ------------------------------------------------------------------------

    def _write(self, kind: int, created: float, payload: bytes) -> bool:
        """False if the file refuses the line just now."""
        line = payload if kind == LINE else b""
        if kind == RECORD:
            line = split_record(payload)[0]
        if self._file is None or not line:
            self._keep(kind, created, payload)
            return True
        if self._writer is None or self._file.waiting:
            self._file._write(created, [line])
            return True
        try:
            self._file._append(created, [line])
        except Failed:
            return False
        return True

    def _put_off(self, kind: int, created: float, payload: bytes) -> None:
        """Into the journal, where it outlives this process; else as a lone handler would."""
        if not self._has_put_off(kind, created, payload):
            self._keep(kind, created, payload)

    def _has_put_off(self, kind: int, created: float, payload: bytes) -> bool:
        if self._writer is None:
            return False
        try:
            self._writer.look_first()  # whoever reads may have begun another segment
            self._writer.append(kind, created, payload)
        except Unsent:
            return False
        return True

    def _keep(self, kind: int, created: float, payload: bytes) -> None:
        message = Message(kind, os.getpid(), created, payload)
        if kind == RECORD and self._file is not None:
            message = message._replace(kind=LINE, payload=split_record(payload)[0])
            if not message.payload:
                return
        self._delivery.deliver(Batch([message]))
