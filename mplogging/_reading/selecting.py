"""Which entries of a chunk are asked for; chunks that have none are passed over whole."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from typing import Callable

from .._errors import ConfigError
from .chunks import Chunk
from .entry import Entry
from .formats import LineParser
from .shapes import Shape

# Entries stand in a file by when they were written. A record that was made earlier than
# one that stands before it was made no more than so many seconds earlier.
DISORDER_SECONDS = 60.0
# What is looked at of a chunk to learn its time.
_LOOK_BYTES = 1 << 14
# What looks beyond an entry can't be looked for in many at once.
_LOOKS_AROUND = re.compile(r"\\[AZ]|\(\?[=!<]")
_ERRORS = "backslashreplace"


class Selection:
    """Finds the entries that are asked for.

    Args:
        since, until: Unix seconds.
        grep: "^" and "$" match at each line.

    Raises:
        ConfigError: `grep` is no regular expression.
    """

    def __init__(
        self,
        parser: LineParser,
        encoding: str,
        since: float | None,
        until: float | None,
        where: Callable[[Entry], bool] | None,
        grep: str | re.Pattern[str] | None,
    ) -> None:
        self.parser = parser
        self._encoding = encoding
        self._since, self._until = since, until
        self._where = where
        self._grep: re.Pattern[str] | None = None
        if grep is not None:
            self._grep = _compiled(grep)
            self._greps_at_once = not _LOOKS_AROUND.search(self._grep.pattern)
        self._time: float | None = None  # of the entry before

    def entries_in(self, path: str, chunk: Chunk, shape: Shape) -> Iterator[Entry]:
        """Those of this chunk."""
        data = chunk.data
        if self._is_too_old(data, shape):
            return
        for begin, end in self._bounds_in(data, shape):
            text = data[begin:end].decode(self._encoding, _ERRORS)
            if text.endswith("\n"):
                text = text[:-2] if text.endswith("\r\n") else text[:-1]
            entry = Entry(text, path, chunk.offset + begin, chunk.offset + end, self.parser.fields)
            if self._is_wanted(entry):
                yield entry

    def is_over(self, chunk: Chunk, shape: Shape) -> bool:
        """True if nothing from there on is as old as is asked for."""
        if self._until is None:
            return False
        head = chunk.data[:_LOOK_BYTES]
        times = self.times_in(head[: head.rfind(b"\n") + 1], shape)
        return min(times, default=self._until) > self._until + DISORDER_SECONDS

    def times_in(self, data: bytes, shape: Shape) -> list[float]:
        """The times that whole entries tell."""
        if not data:
            return []
        starts = shape.starts(data)
        times = (
            self.parser.created(data[begin:end].decode(self._encoding, _ERRORS))
            for begin, end in zip(starts, [*starts[1:], len(data)])
        )
        return [time for time in times if time is not None]

    def _is_too_old(self, data: bytes, shape: Shape) -> bool:
        if self._since is None or len(data) < 2 * _LOOK_BYTES:
            return False
        tail = data[-_LOOK_BYTES:]
        first = shape.first(tail)
        times = self.times_in(tail[first:], shape) if first >= 0 else []
        return max(times, default=self._since) < self._since - DISORDER_SECONDS

    def _bounds_in(self, data: bytes, shape: Shape) -> Iterator[tuple[int, int]]:
        grep = self._grep
        text = ""
        if grep is not None and self._greps_at_once:
            text = data.decode(self._encoding, _ERRORS)
            if grep.search(text) is None:
                return
        starts = shape.starts(data)
        ends = [*starts[1:], len(data)]
        if grep is None or len(text) != len(data):  # else each character is a byte
            yield from zip(starts, ends)
            return
        position = 0
        while (found := grep.search(text, position)) is not None:
            number = bisect.bisect_right(starts, found.start()) - 1
            yield starts[number], ends[number]
            position = ends[number]
            if position == len(data):
                return

    def _is_wanted(self, entry: Entry) -> bool:
        if self._grep is not None and self._grep.search(entry.text) is None:
            return False
        if self._since is not None or self._until is not None:
            created = self.parser.created(entry.text)
            self._time = time = self._time if created is None else created
            if time is not None and not _is_between(time, self._since, self._until):
                return False
        return self._where is None or bool(self._where(entry))


def _compiled(grep: str | re.Pattern[str]) -> re.Pattern[str]:
    try:
        pattern, flags = (grep, 0) if isinstance(grep, str) else (grep.pattern, grep.flags)
        return re.compile(pattern, flags | re.MULTILINE)
    except (AttributeError, TypeError, re.error) as error:
        raise ConfigError(f"grep must be a regular expression, got {grep!r}: {error}") from error


def _is_between(time: float, since: float | None, until: float | None) -> bool:
    return (since is None or time >= since) and (until is None or time < until)
