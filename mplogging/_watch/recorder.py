"""The flight recorder: what is too low for the log is kept, and comes into it when it matters.

    low ─ keeping ─ rings.OwnRing          in each process
                        │ an ERROR of its own, its death, session.dump()
                      dumps ─ the session's journal

    died: found by `Recorder.look`, in the session's process every half second; when that one
    has died, in the others now and then; when all have, by the recovery
"""

from __future__ import annotations

import contextlib
import logging
import os
from _thread import allocate_lock, get_ident
from collections import deque
from collections.abc import Iterator
from threading import Thread
from time import monotonic, sleep
from typing import Callable, NamedTuple

from .._errors import SessionError, is_foreign, tell
from .._event import Event
from .._file.handler import DatedFileHandler
from .._records import own_record
from .._wire.frames import LINE
from .._wire.place import Place, opened
from .._wire.processes import is_exiting
from .._worker.attaching import attached
from .._worker.attachment import Attachment
from .._worker.channels import JournalChannel
from . import low
from .dumps import DIED, pieces
from .exits import Exits
from .keeping import kept_line
from .rings import FoundRing, OwnRing, found_rings
from .starts import Starts

_LOOK_SECONDS = 0.5
_LAST_LOOK_SECONDS = 0.005  # until one that is just dying has let go of its lock
_JOIN_SECONDS = 5.0
_NOWHERE = logging.NullHandler()  # stands on no logger: no other session serves it


class FlightRecorder(NamedTuple):
    """The companion."""

    records: int  # that each process keeps
    level: int  # from which on a record of its own brings them into the log

    def begin(self) -> Recorder:
        """See `Companion`.

        Raises:
            OSError: There is no descriptor or no room left for a ring.
            SessionError: This process has no journal, or no file.
        """
        attachment = attached()
        assert attachment is not None
        return Recorder(self, attachment)


class Recorder:
    """At work in one process.

    Args:
        attachment: How it belongs to the session.
    """

    def __init__(self, wanted: FlightRecorder, attachment: Attachment) -> None:
        channel, outlets = attachment.channel, attachment.handler.outlets()
        if not isinstance(channel, JournalChannel) or not outlets:
            raise SessionError("a flight recorder needs a journal, and a log")
        assert isinstance(outlets[0], DatedFileHandler)
        self._attachment, self._channel, self._handler = attachment, channel, attachment.handler
        self._file: DatedFileHandler = outlets[0]
        self._level = wanted.level
        self._looking = allocate_lock()
        self._looker: int | None = None  # the thread that has it
        self._look_due = 0.0
        self._asked: deque[Callable[[], object]] = deque()
        self._has_told = False
        self._is_over = Event()
        self._thread: Thread | None = None
        self._own = OwnRing(channel.place, wanted.records)
        self._ring: OwnRing | None = self._own  # None once it can't be written
        self._make_line = self._handler.line
        self._starts = Starts(self._settle)
        self._exits = Exits(self._leave, lambda: self._own.settle(False))
        try:
            self._handler.line = self._line
            self._starts.begin()
            self._exits.begin()
            low.begin(self)
            if attachment.session_pid == os.getpid():
                self._thread = Thread(target=self._watch, name="mplogging-recorder", daemon=True)
                self._thread.start()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """See `Escort`: this process leaves in order, and nobody wants its ring."""
        self._is_over.set()
        low.end(self)
        self._exits.end()
        if self._handler.line == self._line:
            self._handler.line = self._make_line
        try:
            if self._thread is not None:
                self._end_watch(self._thread)
            elif self._channel.is_over():
                self.look()
        finally:
            self._starts.end()  # after the thread, which looks for more
            self._own.remove()

    def disown(self) -> None:
        """See `Escort`: of the parent's, only the descriptor is ours."""
        self._is_over.set()
        low.end(self)
        self._exits.end()
        self._starts.end()
        self._own.close()

    def go_on(self) -> bool:
        """See `Escort`: a ring is one process's."""
        return False

    def _leave(self, status: int | None) -> None:
        """It is about to end without an exit handler: in order, unless with a status."""
        if not status:
            self._own.settle()

    # -- what is too low for the log ---------------------------------------------------

    def is_wanted(self) -> bool:
        """See `low.Keeper`."""
        return self._ring is not None and attached() is self._attachment

    def least(self) -> int:
        """See `low.Keeper`."""
        return self._attachment.config.line_level

    def keep(self, record: logging.LogRecord, logger: logging.Logger | None) -> None:
        """See `low.Keeper`."""
        ring = self._ring
        if ring is None:
            return
        try:
            kept = kept_line(record, logger, self._file, self._handler.makes_lines)
            if kept is not None:
                ring.add(*kept)
        except OSError as error:
            if is_foreign(error):
                raise
            self._ring = None
            self._tell(error)
        except Exception as error:  # a filter of the program's: nobody is to notice
            self._tell(error)
        self._see_to_orphans()

    # -- into the log ------------------------------------------------------------------

    def _line(self, record: logging.LogRecord) -> bytes:
        """In the handler's place: the line of a record that goes to the log."""
        line = self._make_line(record)
        self._see_to_orphans()
        if record.levelno >= self._level and not self._own.is_empty and self._may_send():
            try:
                self._bring(self._own, f"it logged at {record.levelname}")
            except Exception as error:  # that record has to come all the same
                self._tell(error)
        return line

    def dump(self, why: str) -> int:
        """Bring the rings of all processes into the log; returns how many lines that are."""
        if not self._may_send():
            self._asked.append(lambda: self.dump(why))
            return 0
        count = self._bring(self._own, why)
        for ring in self._others():
            if ring.take_charge():
                count += self._bring_dead(ring)
            else:
                count += self._bring(ring, why)
        return count

    def ask(self, why: str, answer: Callable[[int], object]) -> None:
        """As `dump`, in the session's process, but soon, and for the listener's thread."""
        self._asked.append(lambda: answer(self.dump(why)))

    def look(self) -> None:
        """Bring the rings of those that are dead into the log."""
        for ring in self._others():
            if ring.take_charge():
                self._bring_dead(ring)

    def _see_to_orphans(self) -> None:
        """Look now and then, once the session's process does not."""
        if self._thread is None and monotonic() >= self._look_due:
            self._look_due = monotonic() + _LOOK_SECONDS
            try:
                if self._channel.is_over():
                    self.look()
            except Exception as error:
                self._tell(error)

    def _bring(self, ring: OwnRing | FoundRing, why: str) -> int:
        with ring.taking() as found:
            for created, piece in pieces(found, ring.head, why, self._file):
                self._send(created, piece)
        return len(found)

    def _bring_dead(self, ring: FoundRing) -> int:
        count = 0 if ring.head.is_settled else self._bring(ring, DIED)
        ring.remove()
        return count

    def _send(self, created: float, piece: bytes) -> None:
        """As a record of ours would go, as the overflow policy says."""
        record = own_record(max(self._level, logging.WARNING), "")
        record.created = created
        self._handler.forward(record, lambda record: (LINE, created, piece), _NOWHERE)

    def _may_send(self) -> bool:
        # The session's own threads wait for no room in the journal.
        return get_ident() not in getattr(self._handler, "quiet_threads", ())

    # -- other processes' rings ---------------------------------------------------------

    def _others(self) -> Iterator[FoundRing]:
        """Each once; none to who interrupts another look of the same thread."""
        if self._looker == get_ident():
            return
        with self._looking:
            self._looker = get_ident()
            try:
                for place in self._places():
                    yield from found_rings(place, self._own.file_name)
            finally:
                self._looker = None

    def _places(self) -> list[Place]:
        paths = {self._channel.place.path, *self._attachment.addresses}
        return [place for place in map(opened, sorted(paths)) if place is not None]

    def _settle(self, pid: int | None = None) -> None:
        """Whatever becomes of this process, or of all that live, the program wants it."""
        for place in self._places():
            for ring in found_rings(place, self._own.file_name, pid):
                # An executor terminates also the one whose death it has just met with.
                if not (ring.take_charge() or is_exiting(ring.head.pid)):
                    ring.settle()

    # -- in the session's process ---------------------------------------------------------

    def _watch(self) -> None:
        while not self._is_over.is_set():
            self._is_over.wait(_LOOK_SECONDS)
            try:
                self.look()
                while self._asked:
                    self._asked.popleft()()
            except Exception as error:
                self._tell(error)

    def _end_watch(self, thread: Thread) -> None:
        if thread.ident is not None and thread.ident != get_ident():
            thread.join(_JOIN_SECONDS)
        self.look()
        deadline = monotonic() + _JOIN_SECONDS
        if any(True for _ in self._others()):
            sleep(_LAST_LOOK_SECONDS)
        while any(is_exiting(ring.head.pid) for ring in self._others()):
            if monotonic() >= deadline:
                break
            sleep(_LAST_LOOK_SECONDS)
        self.look()
        self._settle()

    def _tell(self, error: Exception) -> None:
        if not self._has_told:
            self._has_told = True  # first: a warning may be logged
            with contextlib.suppress(OSError, ValueError):  # stderr is closed too
                tell(f"the flight recorder of process {os.getpid()}: {error!r}", stacklevel=2)
