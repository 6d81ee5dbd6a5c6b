"""Lines that wait in memory for a file that is full, or otherwise refuses them.

    write() ─┬─ the newest file, or the series ── the disk
             ├─ refused lines, by file ─────────┘  as soon as it takes them again
             └─ interrupting lines ─────────────┘  once the present write is over

Whoever comes while a write is on the stack of its own thread is a signal handler, or
a finalizer. An exception can end a write without its mark being taken away (of a
signal handler, on Python 3.9 before any instruction); so the mark only says that it
is worth to look at the stack.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections import deque
from collections.abc import Sequence
from time import monotonic
from types import FrameType
from typing import Callable

from .appending import Announce
from .periods import Period
from .series import FileSeries
from .unwritten import Failed, Unwritten

# Seconds between two attempts while writing fails.
_RETRY_INTERVAL = 0.5
# What waits is written in pieces, lest all of it be there twice.
_PIECE_LINES = 1000
_PIECE_BYTES = 1 << 20


class _Refusal:
    """What one file does not take for the time being, and why."""

    def __init__(self, created: float, cause: BaseException | None) -> None:
        self.created = created  # when the first line was: after `time.tzset` it may tell
        self.cause = cause
        self.waiting: list[bytes] = []  # lines, in order
        self.lost = 0  # lines that there was no memory for

    @property
    def reason(self) -> str:
        """The cause, in words."""
        return str(self.cause) or repr(self.cause)

    def is_like(self, other: _Refusal) -> bool:
        """True if the error is the same, perhaps of another file."""
        return getattr(self.cause, "errno", None) == getattr(other.cause, "errno", None)


def _piece(lines: list[bytes]) -> list[bytes]:
    """The first of the lines: one at least, and no more than a piece has."""
    size = 0
    for count, line in enumerate(lines[:_PIECE_LINES]):
        size += len(line)
        if count and size > _PIECE_BYTES:
            return lines[:count]
    return lines[:_PIECE_LINES]


class Backlog:
    """Writes the lines of each file in their order, and keeps what can't be written yet.

    A file that refuses its lines holds up no other. Its user sees to it that one
    thread at a time is in it.

    Args:
        series: The files, for lines of any time.
        report: Is told, once an incident, that writing fails.
        write_loss: Writes, to the series, how many lines were lost and why.
        limit_bytes: How much may wait for files that refuse. What comes beyond it
            is lost, and counted.
        see_to_it: Is called when lines have begun to wait: `retry` is to be called
            now and then.

    Attributes:
        is_writing: A write is under way, unless an exception has ended it.
        lost_in_all: Lines that were given up.
    """

    def __init__(
        self,
        series: FileSeries,
        report: Callable[[str], None],
        write_loss: Callable[[int, BaseException | None], None],
        limit_bytes: int,
        see_to_it: Callable[[], None] = lambda: None,
    ) -> None:
        self._series = series
        self._report = report
        self._write_loss = write_loss
        self._limit_bytes = limit_bytes
        self._see_to_it = see_to_it
        self.clear()

    def clear(self) -> None:
        """Have nothing."""
        self._refusals: dict[Period, _Refusal] = {}
        self._refused_bytes = 0
        self._retry_at = 0.0
        self._interrupting: deque[tuple[float, Sequence[bytes]]] = deque()
        self.is_writing = False
        self.lost_in_all = 0

    def forget(self) -> None:
        """In a forked child: all of it is the parent's."""
        if self._refusals or self._interrupting or self.is_writing or self.lost_in_all:
            self.clear()

    def count(self) -> int:
        """How many lines wait."""
        # Of copies, as another thread or a signal handler may add to them.
        refused = sum(len(refusal.waiting) for refusal in list(self._refusals.values()))
        return refused + sum(len(chunks) for _, chunks in list(self._interrupting))

    def write(self, created: float, chunks: Sequence[bytes]) -> None:
        """Write the lines after all of their file that wait, or let them wait too."""
        if self.is_writing and self._is_below(sys._getframe()):
            # What was interrupted sees to these lines when it is done.
            self._interrupting.append((created, chunks))
            return
        self.is_writing = True
        try:
            # The short way, which nearly all lines go: a log call takes 1 % less
            # past the series, which has something to do once a file only.
            file = self._series.newest_file
            if (
                file is not None
                and file.start <= created < file.end
                and time.tzname is file.zone
                and not self._refusals
            ):
                file.append(chunks)
            else:
                self._append(created, chunks)
        except Unwritten as unwritten:
            self._append(created, unwritten.chunks)
        finally:
            self.is_writing = False
            # After that mark: whoever interrupts from here on writes by itself.
            if self._interrupting:
                self._write_interrupting()

    def append(
        self, created: float, chunks: Sequence[bytes], announce: Announce | None
    ) -> None:
        """Write the lines now, or say that it can't be done; none is kept.

        Raises:
            Failed: with the lines that are not in a file, since it refuses them, others
                wait before them, or this interrupts a write.
        """
        self.flush()
        if self.is_busy() or self._refusals:
            raise Failed(chunks)
        self.is_writing = True
        try:
            self._series.append(created, chunks, announce)
        finally:
            self.is_writing = False
            if self._interrupting:
                self._write_interrupting()

    def flush(self) -> None:
        """Try to write what waits."""
        if not (self._refusals or self._interrupting) or self.is_busy():
            return
        self.is_writing = True
        try:
            self._retry()
        finally:
            self.is_writing = False
            self._write_interrupting()

    def retry(self) -> bool:
        """Try again what can't be written, if it is time; True if nothing is left to try."""
        if monotonic() >= self._retry_at:
            self.flush()
        return not self._refusals

    def is_busy(self) -> bool:
        """True if the caller has interrupted a write."""
        return self.is_writing and self._is_below(sys._getframe())

    def _is_below(self, frame: FrameType) -> bool:
        caller = frame.f_back
        while caller is not None:
            if caller.f_code in _WRITING and caller.f_locals.get("self") is self:
                return True
            caller = caller.f_back
        return False

    def give_up(self) -> int:
        """Lose what waits; returns how many lines that were."""
        count = 0
        for refusal in self._refusals.values():
            count += len(refusal.waiting)
            refusal.lost += len(refusal.waiting)
            refusal.waiting.clear()
        self._refused_bytes = 0
        self.lost_in_all += count
        if count:
            self.flush()  # another file may take the word of it
        return count

    def _append(self, created: float, chunks: Sequence[bytes]) -> None:
        if self._refusals and monotonic() >= self._retry_at:
            self._retry()
        period = self._series.period_of(created)
        refusal = self._refusals.get(period)
        if refusal is not None:
            self._keep(refusal, chunks)
            return
        try:
            self._series.append(created, chunks)
        except Failed as failed:
            self._begin_refusal(created, period, failed)

    def _begin_refusal(self, created: float, period: Period, failed: Failed) -> None:
        refusal = _Refusal(created, failed.__cause__)
        is_news = not any(map(refusal.is_like, self._refusals.values()))
        self._refusals[period] = refusal
        self._retry_at = monotonic() + _RETRY_INTERVAL
        self._keep(refusal, failed.chunks)
        if is_news:
            self._report(f"can't be written, lines wait in memory: {refusal.reason}")

    def _keep(self, refusal: _Refusal, chunks: Sequence[bytes]) -> None:
        self._see_to_it()
        for count, chunk in enumerate(chunks):
            if self._refused_bytes + len(chunk) > self._limit_bytes:
                refusal.lost += len(chunks) - count
                self.lost_in_all += len(chunks) - count
                return
            self._refused_bytes += len(chunk)
            refusal.waiting.append(chunk)

    def _retry(self) -> None:
        for period, refusal in list(self._refusals.items()):
            try:
                self._catch_up(refusal)
            except Failed:
                continue
            if not refusal.lost:
                del self._refusals[period]
        self._retry_at = monotonic() + _RETRY_INTERVAL

    def _catch_up(self, refusal: _Refusal) -> None:
        """The first line after an incident says what it cost; then all in their order."""
        if refusal.lost:
            with contextlib.suppress(Failed):  # it goes to the present file, perhaps another
                self._write_loss(refusal.lost, refusal.cause)
                refusal.lost = 0
        while piece := _piece(refusal.waiting):
            try:
                self._series.append(refusal.created, piece)
            except Failed as failed:
                self._release(refusal, len(piece) - len(failed.chunks))
                raise
            self._release(refusal, len(piece))

    def _release(self, refusal: _Refusal, written: int) -> None:
        self._refused_bytes -= sum(map(len, refusal.waiting[:written]))
        del refusal.waiting[:written]

    def _write_interrupting(self) -> None:
        lines = self._interrupting
        while lines and not self.is_writing:  # again, if one comes at the very end
            self.is_writing = True
            try:
                while lines:
                    created, chunks = lines[0]
                    try:
                        self._append(created, chunks)
                        lines.popleft()
                    except ValueError as error:  # there is no file for that time
                        lines.popleft()
                        self.lost_in_all += len(chunks)
                        self._report(f"a line of time {created!r} can't be written: {error}")
            finally:
                self.is_writing = False


# The code of what marks itself as writing.
_WRITING = frozenset(
    function.__code__
    for function in (Backlog.write, Backlog.append, Backlog.flush, Backlog._write_interrupting)
)
