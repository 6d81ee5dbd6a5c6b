"""What is done with each message: its line goes to the file, its record to the handlers.

Nothing in a message can stop the delivery: what goes wrong is counted, reported
once, and the next message is taken. (What comes through the journal has its lines
written by `reading`, which keeps account of them; the rest is taken here.)
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Protocol

from .._file.handler import DatedFileHandler
from .._file.line_handler import own_line
from .._records import load_record, own_record
from .._wire.drops import Dropped
from .._wire.frames import (
    DROPPED,
    HELLO,
    LINE,
    MARK,
    RECORD,
    ROUTED,
    Batch,
    Message,
    split_record,
    split_routed,
)


class RecordTaker(Protocol):
    """What a record can be offered to; a `Sideline`, usually."""

    @property
    def dropped(self) -> int: ...

    @property
    def failed(self) -> int: ...

    @property
    def handler(self) -> logging.Handler | None: ...

    def offer(self, record: logging.LogRecord, may_wait: bool = True) -> None: ...


class LastResort:
    """What logging itself does where there is no handler."""

    handler = logging.lastResort
    dropped = failed = 0

    def offer(self, record: logging.LogRecord, may_wait: bool = True) -> None:
        """Write the record to stderr, from level WARNING on."""
        handler = logging.lastResort
        if handler is not None and record.levelno >= handler.level:
            handler.handle(record)


class Delivery:
    """Hands messages on.

    Args:
        file: Gets the lines; None if there is no file.
        sidelines: Get the records.

    Attributes:
        routes: Handlers of named loggers, by number; each gets only what is sent to it.
        on_mark: Is called with a mark's payload once all before it is handed on.
        write_own: Writes a line of our own, instead of straight to the file.
        lead: Hands a record of our own to the handlers of named loggers, where these are, and
            returns what comes to the root logger, too.
    """

    def __init__(
        self, file: DatedFileHandler | None, sidelines: Sequence[RecordTaker] = ()
    ) -> None:
        self.file = file
        self._sidelines = sidelines
        self.routes: Sequence[RecordTaker] = ()
        self.on_mark: Callable[[bytes], None] = lambda payload: None
        self.write_own: Callable[[float, bytes], None] = self._write_own
        self.lead: Callable[[logging.LogRecord], logging.LogRecord | None] = lambda record: record
        self._lines: list[tuple[float, bytes]] = []
        self._written: collections.deque[int] = collections.deque()
        self._names: dict[int, str] = {}
        self._dropped: collections.Counter[int] = collections.Counter()  # by pid, as reported
        self.counts: collections.Counter[str] = collections.Counter()
        self._take_by_kind = {
            LINE: self._take_line,
            RECORD: self._take_record,
            ROUTED: self._take_routed,
            HELLO: self._take_hello,
            DROPPED: self._take_dropped,
        }

    @property
    def pids(self) -> set[int]:
        """The processes that have sent something."""
        return set(self._names)

    def deliver(self, batch: Batch) -> None:
        """Hand on a batch, in its order."""
        for message in batch.events:
            if message.kind == MARK:
                self._write_lines()
                self.on_mark(message.payload)
            else:
                self.take(message)
        self._write_lines()
        if batch.corrupt:
            self.mishap("corrupt", "something came that is no record", batch.corrupt)

    def take(self, message: Message) -> None:
        """Hand on one message; its line waits for `deliver`'s end."""
        try:
            self._take_by_kind[message.kind](message)
        except Exception as error:
            self.mishap("failed", f"a record of process {message.pid} is of no use: {error!r}")

    def offer(self, message: Message, may_wait: bool = True) -> None:
        """Hand on the record of a RECORD whose line has been seen to; see `Sideline.offer`."""
        if not self._sidelines:
            return  # to unpickle it for nobody might run code of the program's
        try:
            self._offer(split_record(message.payload)[2], may_wait)
        except Exception as error:
            self.mishap("failed", f"a record of process {message.pid} is of no use: {error!r}")

    def line_of(self, message: Message) -> bytes:
        """The line of a RECORD that its worker could not make as the file has it.

        b"" if the file does not want it.
        """
        stand_in, _, pickled = split_record(message.payload)
        record, problem = load_record(pickled)
        file = self.file
        assert file is not None
        self._tell(problem)
        if record.levelno < file.level:
            return b""
        if not file._emits_lines:
            return file._handled(record)
        verdict: Any = file.filter(record)
        if not verdict:
            return b""
        try:
            return file.line(verdict if isinstance(verdict, logging.LogRecord) else record)
        except Exception:
            file.handleError(record)
            self.counts["failed"] += 1
            return stand_in

    def warn(self, text: str, *args: object) -> None:
        """Log a warning of mplogging's own, to the file and the handlers."""
        self.tell(own_record(logging.WARNING, text, *args))

    def tell(self, record: logging.LogRecord) -> None:
        """The same of any record of our own."""
        led: logging.LogRecord | None = record
        with contextlib.suppress(Exception):  # a filter that raises holds nothing back
            led = self.lead(record)
        if led is not None:
            self._write_record(led)
            for sideline in self._sidelines:
                sideline.offer(led)

    def _write_record(self, record: logging.LogRecord) -> None:
        """Write one of our own, as far as the file's level and filters let it pass."""
        file = self.file
        if file is None or record.levelno < file.level:
            return
        verdict: Any = True
        with contextlib.suppress(Exception):
            verdict = file.filter(record)
        if verdict:
            passed = verdict if isinstance(verdict, logging.LogRecord) else record
            try:
                self.write_own(passed.created, own_line(file, passed))
            except Exception:
                file.handleError(record)

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
        self._lines.append((message.created, message.payload))

    def _take_record(self, message: Message) -> None:
        line, is_stand_in, pickled = split_record(message.payload)
        if self.file is None:
            self.counts["records"] += 1
        elif is_stand_in:
            line = self.line_of(message)
        if line:
            self._lines.append((message.created, line))
        if self._sidelines:
            self._offer(pickled)

    def _take_routed(self, message: Message) -> None:
        number, pickled = split_routed(message.payload)
        if self.file is None:
            self.counts["records"] += 1
        if number < len(self.routes):
            record, problem = load_record(pickled)
            self.routes[number].offer(record)
            self._tell(problem)

    def _take_hello(self, message: Message) -> None:
        self._names[message.pid] = message.payload.decode("utf-8", "replace")

    def _take_dropped(self, message: Message) -> None:
        dropped = Dropped.load(message.payload)
        self._dropped[message.pid] += dropped.records
        self._report_dropped(message.pid, dropped)

    # -- the ways out -----------------------------------------------------------------

    def _offer(self, pickled: bytes, may_wait: bool = True) -> None:
        record, problem = load_record(pickled)
        for sideline in self._sidelines:
            sideline.offer(record, may_wait)
        self._tell(problem)

    def _tell(self, problem: BaseException | None) -> None:
        if problem is not None:
            self.mishap("failed", f"extra fields of a record could not be unpickled: {problem!r}")

    def _report_dropped(self, pid: int, dropped: Dropped) -> None:
        self.counts["lost" if dropped.is_refused else "dropped"] += dropped.records
        first, last = (
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
            for moment in (dropped.first, dropped.last)
        )
        self.warn(
            "process %d (%s) dropped %d records between %s and %s: %s",
            pid, dropped.process_name, dropped.records, first, last,
            "the log could not be written" if dropped.is_refused else "the journal was full",
        )  # fmt: skip

    def _write_lines(self) -> None:
        """Write the lines that wait, run by run."""
        lines, self._lines = self._lines, []
        if self.file is None:
            return
        for bounds, run in itertools.groupby(lines, key=lambda line: self.bounds(line[0])):
            self._write(bounds[0], [line for _, line in run])

    def bounds(self, created: float) -> tuple[float, float]:
        """Start and end of the period that a line of this time belongs to."""
        if self.file is None:
            return float("-inf"), float("inf")
        try:
            return self.file._bounds(created)
        except ValueError:  # a time beyond the calendar: better here than nowhere
            return self.file._bounds(time.time())

    def _write(self, created: float, lines: list[bytes]) -> None:
        assert self.file is not None
        try:
            self.file._write(created, lines)
        except Exception as error:
            if len(lines) == 1:
                self.mishap("failed", f"a line could not be written: {error!r}")
                return
            for line in lines:  # one of them is at fault, its neighbours are not
                self._write(created, [line])
            return
        self.count(lines)

    def _write_own(self, created: float, line: bytes) -> None:
        assert self.file is not None
        self._write_lines()
        self.file._write(created, [line])

    def add_written(self, size: int) -> None:
        """A line of this size is in the file; for any thread."""
        self._written.append(size)

    def absorb(self) -> None:
        """Count what `add_written` was told."""
        while self._written:
            self.counts["bytes"] += self._written.popleft()
            self.counts["records"] += 1

    def count(self, lines: Sequence[bytes]) -> None:
        """These lines are in the file."""
        self.counts["records"] += len(lines)
        self.counts["bytes"] += sum(map(len, lines))
