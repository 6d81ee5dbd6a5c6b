"""Lines that wait in memory for a disk that is full, or otherwise refuses them.

    write() ─┬─ the newest file, or the series ── the disk
             └─ waiting: refused, or come ──────┘  as soon as it takes them again
                in the midst of a write
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Callable

from ._appending import Failed, Unwritten
from ._series import FileSeries

# Seconds between two attempts while writing fails.
_RETRY_INTERVAL = 0.5


class Backlog:
    """Writes lines in their order, and keeps what can't be written yet.

    Its user sees to it that one thread at a time is in it.

    Args:
        series: The files, for lines of any time.
        report: Is told, once an incident, that writing fails.
        write_loss: Writes, to the series, how many lines were lost and why.
        limit_bytes: How much may wait while writing fails. What comes beyond it
            is lost, and counted.

    Attributes:
        is_writing: This thread is in the midst of a write: who comes now is a
            signal handler, or a finalizer.
        lost_in_all: Lines that were given up.
    """

    def __init__(
        self,
        series: FileSeries,
        report: Callable[[str], None],
        write_loss: Callable[[int, BaseException | None], None],
        limit_bytes: int,
    ) -> None:
        self._series = series
        self._report = report
        self._write_loss = write_loss
        self._limit_bytes = limit_bytes
        self.lost_in_all = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything: it belongs to another process."""
        self._waiting: deque[tuple[float, Sequence[bytes]]] = deque()
        self._waiting_bytes = 0  # kept only while writing fails
        self._cause: BaseException | None = None  # why writing fails, None if it doesn't
        self._lost = 0  # lines of the present incident
        self._retry_at = 0.0
        self.is_writing = False

    def count(self) -> int:
        """How many lines wait."""
        # Of a copy, as another thread or a signal handler may add to them.
        return sum(len(chunks) for _, chunks in list(self._waiting))

    def write(self, created: float, chunks: Sequence[bytes]) -> None:
        """Write the lines after all that wait, or let them wait too."""
        if self.is_writing:
            # What was interrupted sees to these lines when it is done.
            self._keep(created, chunks)
            return
        self.is_writing = True
        try:
            # The short way, which nearly all lines go: a log call takes 1 % less
            # past the series, which has something to do once a file only.
            file = self._series.newest_file
            if file is not None and file.start <= created < file.end and self._cause is None:
                file.append(chunks)
            else:
                self._append(created, chunks)
        except Unwritten as unwritten:
            self._append(created, unwritten.chunks)
        finally:
            self.is_writing = False
            # After that mark: whoever interrupts from here on writes by itself.
            if self._waiting and self._cause is None:
                self.flush()

    def _append(self, created: float, chunks: Sequence[bytes]) -> None:
        if self._cause is not None and time.monotonic() >= self._retry_at:
            self._catch_up()
        if self._cause is not None:
            self._keep(created, chunks)
            return
        try:
            self._series.append(created, chunks)
        except Failed as failed:
            self._waiting.appendleft((created, failed.chunks))
            self._note_failure(failed)

    def flush(self) -> None:
        """Try to write what waits."""
        while not self.is_writing and (self._waiting or self._lost):
            self.is_writing = True
            try:
                self._catch_up()
            finally:
                self.is_writing = False
            if self._cause is not None:
                return
            # Again, if a signal handler has logged since the last look.

    def give_up(self) -> int:
        """Lose what waits; returns how many lines that were."""
        count = self.count()
        self._waiting.clear()
        self._waiting_bytes = 0
        self._lost += count
        self.lost_in_all += count
        return count

    def _catch_up(self) -> None:
        """The first line after an incident says what it cost; then all in their order."""
        waiting = self._waiting
        try:
            if self._lost:
                self._write_loss(self._lost, self._cause)
                self._lost = 0
            while waiting:
                created, chunks = waiting[0]
                try:
                    self._series.append(created, chunks)
                except Failed as failed:
                    self._written(failed.chunks)
                    raise
                except Exception as error:  # not the disk's fault: nor would it end
                    self.lost_in_all += len(chunks)
                    self._report(f"a line of time {created!r} can't be written: {error!r}")
                self._written()
        except Failed as failed:
            self._note_failure(failed)
        else:
            self._cause = None

    def _written(self, rest: Sequence[bytes] = ()) -> None:
        created, chunks = self._waiting.popleft()
        self._waiting_bytes -= sum(map(len, chunks)) - sum(map(len, rest))
        if rest:
            self._waiting.appendleft((created, rest))

    def _note_failure(self, failed: Failed) -> None:
        is_new = self._cause is None
        self._cause = failed.__cause__ or failed
        self._retry_at = time.monotonic() + _RETRY_INTERVAL
        if is_new:
            self._waiting_bytes = 0
            waiting, self._waiting = self._waiting, deque()
            for created, chunks in waiting:
                self._keep(created, chunks)
            self._report(f"can't be written, lines wait in memory: {self._cause}")

    def _keep(self, created: float, chunks: Sequence[bytes]) -> None:
        kept = chunks if self._cause is None else self._fitting(chunks)
        self._lost += len(chunks) - len(kept)
        self.lost_in_all += len(chunks) - len(kept)
        if kept:
            self._waiting.append((created, kept))

    def _fitting(self, chunks: Sequence[bytes]) -> Sequence[bytes]:
        for count, chunk in enumerate(chunks):
            if self._waiting_bytes + len(chunk) > self._limit_bytes:
                return chunks[:count]
            self._waiting_bytes += len(chunk)
        return chunks
