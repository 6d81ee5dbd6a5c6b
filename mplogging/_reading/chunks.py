"""Stretches of whole entries of one file: forwards as it grows, or backwards from its end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import IO, Callable, NamedTuple

from .opening import Opened, go_to
from .shapes import Shape

# So much stays in the processor's caches, which makes a search twice as fast as with 1 MiB.
_READ_BYTES = 1 << 16
_MOST_BYTES = 1 << 20
# An entry that is larger is handed out in pieces.
_LARGEST_ENTRY = 64 << 20
# A record is written by one `write`, of which for a moment a part may be seen. What ends
# a file counts as whole once nothing has come after it for so many seconds.
_QUIET_SECONDS = 0.02


class Chunk(NamedTuple):
    """Whole entries, one after the other."""

    offset: int  # of the file's plain form
    data: bytes


def chunks_from(
    opened: Opened, offset: int, shape_of: Callable[[bytes], Shape]
) -> Iterator[Chunk]:
    """All that is there now, from this offset on.

    What has no line end yet is left, except in a file to which nothing is added.
    """
    go_to(opened, offset)
    pending = b""
    shape: Shape | None = None
    # As much again of a large entry, so that to look through it takes no square of its size.
    while block := opened.file.read(max(_READ_BYTES, len(pending))):
        pending += block
        shape = shape or shape_of(pending)
        whole = pending.rfind(b"\n") + 1
        end = shape.last(pending, whole)
        if end == 0 and len(pending) >= _LARGEST_ENTRY:
            end = whole
        if end:
            yield Chunk(offset, pending[:end])
            offset, pending = offset + end, pending[end:]
    if shape is None:
        return
    if not opened.is_sealed:
        pending = _settled(opened.file, pending, shape)
    if pending:
        yield Chunk(offset, pending)


def _settled(file: IO[bytes], pending: bytes, shape: Shape) -> bytes:
    """The whole lines of this end of the file that are sure to be whole entries."""
    status = os.fstat(file.fileno())
    if time.time() - status.st_mtime < _QUIET_SECONDS:
        time.sleep(_QUIET_SECONDS)
        if more := file.read(_MOST_BYTES):
            # The next entry has begun, or else the rest of this one is still to come.
            pending += more
            return pending[: shape.last(pending, pending.rfind(b"\n") + 1)]
    return pending[: pending.rfind(b"\n") + 1]


def chunks_before(
    file: IO[bytes], end: int, shape_of: Callable[[bytes], Shape]
) -> Iterator[Chunk]:
    """The same of a plain file, from this end of a line on back to its beginning."""
    size = _READ_BYTES
    rest = b""  # what begins no entry as far as that is known
    shape: Shape | None = None
    while end > 0:
        begin = max(0, end - size)
        size = min(2 * size, _MOST_BYTES)
        data = read_at(file, begin, end - begin) + rest
        shape = shape or shape_of(data)
        first = 0 if begin == 0 else shape.first(data)
        if first < 0:
            rest = data
        else:
            yield Chunk(begin + first, data[first:])
            rest = data[:first]
        end = begin


def last_line_end(file: IO[bytes]) -> int:
    """Where the last whole line of a plain file ends, 0 if there is none."""
    end = os.fstat(file.fileno()).st_size
    while end > 0:
        begin = max(0, end - _READ_BYTES)
        found = read_at(file, begin, end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def read_at(file: IO[bytes], offset: int, size: int) -> bytes:
    """So many bytes of a plain file from there, or fewer at its end."""
    return os.pread(file.fileno(), size, offset)
