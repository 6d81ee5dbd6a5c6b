"""Where in a log to begin: at the last so many entries, or at those since a time."""

from __future__ import annotations

import collections
import os
from typing import Callable

from .chunks import chunks_before, chunks_from, last_line_end, read_at
from .files import Source
from .opening import opened
from .selecting import DISORDER_SECONDS, Selection
from .shapes import Shape

_PROBE_BYTES = 1 << 16

ShapeOf = Callable[[bytes], Shape]


def last_offsets(
    source: Source, count: int, shape_of: ShapeOf, selection: Selection
) -> list[int]:
    """Where the last so many entries of a file begin, or fewer if it has not so many.

    Raises:
        OSError: It can't be read.
    """
    with opened(source) as found:
        if found is None:
            return []
        path = found.path
        if found.is_sealed:
            chunks = chunks_from(found, 0, shape_of)
            return list(collections.deque(
                (
                    entry.offset
                    for chunk in chunks
                    for entry in selection.entries_in(path, chunk, shape_of(chunk.data))
                ),
                count,
            ))  # fmt: skip
        offsets: list[int] = []
        for chunk in chunks_before(found.file, last_line_end(found.file), shape_of):
            entries = selection.entries_in(path, chunk, shape_of(chunk.data))
            offsets[:0] = [entry.offset for entry in entries]
            if len(offsets) >= count:
                break
        return offsets[-count:]


def offset_since(source: Source, since: float, shape_of: ShapeOf, selection: Selection) -> int:
    """Up to where in a plain file all entries are older than that, by bisection.

    Raises:
        OSError: It can't be read.
    """
    with opened(source) as found:
        if found is None or found.is_sealed:
            return 0
        begin, end = 0, os.fstat(found.file.fileno()).st_size
        while end - begin > _PROBE_BYTES:
            middle = (begin + end) // 2
            data = read_at(found.file, middle, min(_PROBE_BYTES, end - middle))
            shape = shape_of(data)
            first = shape.first(data)
            whole = data[first : data.rfind(b"\n") + 1] if first >= 0 else b""
            times = selection.times_in(whole, shape)
            if times and max(times) < since - DISORDER_SECONDS:
                begin = middle + first + shape.last(whole, len(whole))
            else:
                end = middle
        return begin
