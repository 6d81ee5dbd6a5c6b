"""The layout of a ring, pure: so many slots of one size, of which the oldest is written over.

    head: whose it is, how far it came into the log │ slot │ slot │ …
    512 bytes                                       │ 2048 │ 2048 │

An entry is written at once, into the slot that its number names: two threads, or a signal
handler and what it interrupts, have numbers of their own, and so slots of their own. What a
death leaves of an entry has another check than it says, or another place than its number.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Iterator
from typing import NamedTuple

_MAGIC = b"mplring1"
_HEAD = struct.Struct("<8sQ?3xII256s")  # magic, taken, is_settled, slots, pid, name
_NAME_BYTES = 256
HEAD_BYTES = 512
# Where these stand, which change.
TAKEN_AT, SETTLED_AT, NAME_AT = 8, 16, 28
_TAKEN = struct.Struct("<Q")

SLOT_BYTES = 2048
_ENTRY = struct.Struct("<QdII")  # number, created, length, check
_CHECKED = struct.Struct("<QdI")
ROOM_BYTES = SLOT_BYTES - _ENTRY.size  # for a line


class Head(NamedTuple):
    """What a ring says of itself."""

    slots: int
    pid: int  # whose it is
    name: str  # of that process
    taken: int = 0  # the number of the last entry that has come into the log
    is_settled: bool = False  # whatever becomes of its process, nobody wants it

    def dump(self) -> bytes:
        data = _HEAD.pack(
            _MAGIC, self.taken, self.is_settled, self.slots, self.pid, dump_name(self.name)
        )
        return data.ljust(HEAD_BYTES, b"\0")

    @classmethod
    def load(cls, data: bytes) -> Head:
        """What `dump` made.

        Raises:
            ValueError: It is no head; of a ring that is just being made, say.
        """
        if len(data) < _HEAD.size or data[: len(_MAGIC)] != _MAGIC:
            raise ValueError(f"no ring of this version begins {data[: len(_MAGIC)]!r}")
        _, taken, is_settled, slots, pid, name = _HEAD.unpack_from(data)
        name = name.rstrip(b"\0").decode("utf-8", "replace")
        return cls(slots, pid, name, taken, is_settled)


class Entry(NamedTuple):
    """A line in a ring."""

    number: int  # from 1 on
    created: float
    line: bytes  # with its end


def ring_bytes(slots: int) -> int:
    """How large the file is."""
    return HEAD_BYTES + slots * SLOT_BYTES


def offset(number: int, slots: int) -> int:
    """Where the entry of this number stands."""
    return HEAD_BYTES + (number - 1) % slots * SLOT_BYTES


def spans(first: int, last: int, slots: int) -> Iterator[tuple[int, int]]:
    """Where these entries stand, as far as they still do: offset and size of each stretch."""
    first = max(first, last - slots + 1)
    count = last - first + 1
    if count > 0:
        until_end = min(count, slots - (first - 1) % slots)
        yield offset(first, slots), until_end * SLOT_BYTES
        if count > until_end:
            yield HEAD_BYTES, (count - until_end) * SLOT_BYTES


def dump_name(name: str) -> bytes:
    """What is to be written at `NAME_AT`."""
    return name.encode("utf-8", "replace")[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0")


def dump_taken(number: int) -> bytes:
    """What is to be written at `TAKEN_AT`."""
    return _TAKEN.pack(number)


def load_taken(data: bytes) -> int:
    """What stands there."""
    (number,) = _TAKEN.unpack(data)
    return int(number)


def dump_entry(number: int, created: float, line: bytes) -> bytes:
    """The entry as it stands in its slot.

    Raises:
        ValueError: The line is longer than `ROOM_BYTES`.
    """
    if len(line) > ROOM_BYTES:
        raise ValueError(f"a line of {len(line)} bytes, where {ROOM_BYTES} have room")
    return _ENTRY.pack(number, created, len(line), _check(number, created, line)) + line


def entries(data: bytes, start: int, slots: int, taken: int = 0) -> Iterator[Entry]:
    """The whole entries in a stretch of a ring, in the order in which they stand there.

    Args:
        data: The stretch.
        start: Its offset.
        taken: Up to this number, they are in the log already.
    """
    for at in range(0, len(data) - _ENTRY.size + 1, SLOT_BYTES):
        number, created, length, check = _ENTRY.unpack_from(data, at)
        if number <= taken or length > ROOM_BYTES or offset(number, slots) != start + at:
            continue
        line = data[at + _ENTRY.size : at + _ENTRY.size + length]
        if len(line) == length and _check(number, created, line) == check:
            yield Entry(number, created, line)


def _check(number: int, created: float, line: bytes) -> int:
    return binascii.crc32(line, binascii.crc32(_CHECKED.pack(number, created, len(line))))
