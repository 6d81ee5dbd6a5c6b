"""What is done with each message: its line goes to the file, its record to the handlers.

Nothing in a message can stop the delivery: what goes wrong is counted, reported
once, and the next message is taken.
"""

from __future__ import annotations

import collections
import itertools
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Callable, Protocol

from .._file.handler import DatedFileHandler
from .._records import load_record, own_record
from .._wire.drops import Dropped
from .._wire.frames import (
    DROPPED,
    HELLO,
    INCOMPLETE,
    LINE,
    MARK,
    RECORD,
    Batch,
    Message,
    split_record,
)


class RecordTaker(Protocol):
    """What a record can be offered to; a `Sideline`, usually."""

    @property
    def dropped(self) -> int: ...

    @property
    def failed(self) -> int: ...

    @property
    def handler(self) -> logging.Handler | None: ...

    def offer(self, record: logging.LogRecord) -> None: ...


class LastResort:
    """What logging itself does where there is no handler."""

    handler = logging.lastResort
    dropped = failed = 0

    def offer(self, record: logging.LogRecord) -> None:
        """Write the record to stderr, from level WARNING on."""
        handler = logging.lastResort
        if handler is not None and record.levelno >= handler.level:
            handler.handle(record)


class Delivery:
    """Hands messages on.

    Args:
        file: Gets the lines; None if there is no file.
        sidelines: Get the records.
        on_mark: Is called with a mark's payload once all before it is handed on.
    """

    def __init__(
        self,
        file: DatedFileHandler | None,
        sidelines: Sequence[RecordTaker] = (),
        on_mark: Callable[[bytes], None] = lambda payload: None,
    ) -> None:
        self._file = file
        self._sidelines = sidelines
        self._on_mark = on_mark
        self._strays: list[tuple[float, bytes]] = []
        self._names: dict[int, str] = {}
        self._dropped: collections.Counter[int] = collections.Counter()  # by pid, as reported
        self.counts: collections.Counter[str] = collections.Counter()
        self._take_by_kind = {
            LINE: self._take_line,
            RECORD: self._take_record,
            HELLO: self._take_hello,
            DROPPED: self._take_dropped,
            INCOMPLETE: self._take_incomplete,
        }
        # The newest period seen: the decoder returns its lines in one go.
        self.start, self.end = file.bounds(time.time()) if file else (0, 0)

    @property
    def pids(self) -> set[int]:
        """The processes that have sent something."""
        return set(self._names)

    def deliver(self, batch: Batch) -> None:
        """Hand on a batch, in its order."""
        if batch.lines:
            self._write(self.start, batch.lines)
        for message in batch.events:
            if message.kind == MARK:
                self._write_strays()
                self._on_mark(message.payload)
                continue
            try:
                self._take_by_kind[message.kind](message)
            except Exception as error:
                self.mishap("failed", f"a record of process {message.pid} is of no use: {error!r}")
        self._write_strays()
        if batch.corrupt:
            self.mishap("corrupt", "bytes came through the pipe that are no record", batch.corrupt)

    def warn(self, text: str, *args: object) -> None:
        """Log a warning of mplogging's own, to the file and the handlers."""
        record = own_record(logging.WARNING, text, *args)
        self._write_strays()
        if self._file is not None:
            try:
                self._file.write(record.created, [self._file.line(record)])
            except Exception:
                self._file.handleError(record)
        for sideline in self._sidelines:
            sideline.offer(record)

    def mishap(self, what: str, text: str, count: int = 1) -> None:
        """Count a mishap, and warn of the first of its kind."""
        self.counts[what] += count
        if self.counts[what] == count:
            self.warn("%s (further ones are counted)", text)

    def sum_up(self) -> None:
        """Say at the end how often what happened more than once."""
        for what in ("failed", "corrupt"):
            if self.counts[what] > 1:
                self.warn("%d in all: %s", self.counts[what], what)

    def sum_up_handlers(self, unfinished: Mapping[str, int]) -> None:
        """Say what the handlers failed to do, when they are at their end."""
        for sideline in self._sidelines:
            if sideline.dropped:
                self.warn(
                    "%d records were dropped because %r was too slow",
                    sideline.dropped, sideline.handler,
                )  # fmt: skip
            if sideline.failed:
                self.warn("%r raised on %d records", sideline.handler, sideline.failed)
        for handler, count in unfinished.items():
            self.warn("%s did not finish in time: %d records are left", handler, count)

    def settle_drops(self, pid: int, whole: Dropped) -> None:
        """Report what a process dropped and did not live to report."""
        told = min(whole.records, self._dropped[pid])
        self._dropped[pid] -= told  # a second process may have had this pid
        if told < whole.records:
            self._report_dropped(pid, whole._replace(records=whole.records - told))

    # -- one kind of message each ---------------------------------------------------

    def _take_line(self, message: Message) -> None:
        self._strays.append((message.created, message.payload))

    def _take_record(self, message: Message) -> None:
        line, pickled = split_record(message.payload)
        if line:
            self._strays.append((message.created, line))
        if self._file is None:
            self.counts["records"] += 1
        if line is not None and not self._sidelines:
            return
        record, problem = load_record(pickled)
        if line is None:
            self._handle_here(record)
        for sideline in self._sidelines:
            sideline.offer(record)
        if problem is not None:
            self.mishap("failed", f"extra fields of a record could not be unpickled: {problem!r}")

    def _take_hello(self, message: Message) -> None:
        self._names[message.pid] = message.payload.decode("utf-8", "replace")

    def _take_dropped(self, message: Message) -> None:
        dropped = Dropped.load(message.payload)
        self._dropped[message.pid] += dropped.records
        self._report_dropped(message.pid, dropped)

    def _take_incomplete(self, message: Message) -> None:
        self.counts["incomplete"] += 1
        self.warn(
            "process %d (%s) left a large record unfinished, which is dropped: %s parts came",
            message.pid, self._names.get(message.pid, "unnamed"), message.payload.decode(),
        )  # fmt: skip

    # -- the ways out -----------------------------------------------------------------

    def _report_dropped(self, pid: int, dropped: Dropped) -> None:
        self.counts["dropped"] += dropped.records
        first, last = (
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
            for moment in (dropped.first, dropped.last)
        )
        self.warn(
            "process %d (%s) dropped %d records between %s and %s: the pipe was full",
            pid, dropped.process_name, dropped.records, first, last,
        )  # fmt: skip

    def _handle_here(self, record: logging.LogRecord) -> None:
        """The worker could not make the line: the file's handler makes it."""
        if self._file is not None:
            self._write_strays()
            if record.levelno >= self._file.level and self._file.handle(record):
                self.counts["records"] += 1

    def _write_strays(self) -> None:
        """Write the lines of other periods than the newest, run by run."""
        if not self._strays:
            return
        strays, self._strays = self._strays, []
        if self._file is None:
            return
        for bounds, run in itertools.groupby(strays, key=self._bounds_of):
            self._write(bounds[0], [line for _, line in run])
            if self.start < bounds[0] <= time.time():  # later would be a clock gone wild
                self.start, self.end = bounds

    def _bounds_of(self, stray: tuple[float, bytes]) -> tuple[int, int]:
        assert self._file is not None
        try:
            return self._file.bounds(stray[0])
        except ValueError:  # a time beyond the calendar: better here than nowhere
            return self._file.bounds(time.time())

    def _write(self, created: float, lines: list[bytes]) -> None:
        assert self._file is not None
        try:
            self._file.write(created, lines)
        except Exception as error:
            if len(lines) == 1:
                self.mishap("failed", f"a line could not be written: {error!r}")
                return
            for line in lines:  # one of them is at fault, its neighbours are not
                self._write(created, [line])
            return
        self.counts["records"] += len(lines)
        self.counts["bytes"] += sum(map(len, lines))
