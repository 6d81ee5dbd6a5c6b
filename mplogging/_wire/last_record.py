"""When a process made its last record, as the journal shows it."""

from __future__ import annotations

import contextlib
import os
import struct

from .._closing import close
from .frames import HEADER_BYTES, LINE, MARK_BYTES, RECORD, ROUTED, Framing
from .place import Place

_CHUNK_BYTES = 1 << 18
_MOST_BYTES = 16 << 20  # so far back it is looked for
_PID, _CREATED = struct.Struct("<I"), struct.Struct("<d")
# In a frame's header: mark, kind │ length │ pid │ created
_PID_AT = MARK_BYTES + 1 + 4


def last_record(place: Place, pid: int) -> float | None:
    """The time of the last record of this process that the journal still has."""
    searched = 0
    with contextlib.suppress(OSError, ValueError):
        for number in reversed(place.segments()):
            descriptor = place.open_segment(number, os.O_RDONLY)
            try:
                created = _last_in(descriptor, pid, _MOST_BYTES - searched)
                searched += os.fstat(descriptor).st_size
            finally:
                close(descriptor)
            if created is not None or searched >= _MOST_BYTES:
                return created
    return None


def _last_in(descriptor: int, pid: int, most: int) -> float | None:
    mark = Framing.of_segment(os.pread(descriptor, MARK_BYTES, 0)).mark
    end = os.fstat(descriptor).st_size
    least = max(0, end - most)
    while end > least:
        start = max(0, end - _CHUNK_BYTES)
        # A header may go on behind the chunk.
        found = _last_of(os.pread(descriptor, end - start + HEADER_BYTES, start), mark, pid)
        if found is not None:
            return found
        end = start
    return None


def _last_of(data: bytes, mark: bytes, pid: int) -> float | None:
    wanted, at = _PID.pack(pid), len(data)
    while (at := data.rfind(wanted, 0, at)) >= 0:
        start = at - _PID_AT
        is_header = start >= 0 and data.startswith(mark, start)
        if is_header and data[start + MARK_BYTES] in (LINE, RECORD, ROUTED):
            if len(data) >= start + HEADER_BYTES:
                created: float = _CREATED.unpack_from(data, at + _PID.size)[0]
                return created
        at += _PID.size - 1  # one that overlaps
    return None
