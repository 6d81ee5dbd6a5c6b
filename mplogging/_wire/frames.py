"""The wire format, pure: messages become frames, and bytes read become messages.

A frame is a header and its payload, at most as long as one atomic write to a
pipe (`select.PIPE_BUF`):

    magic, version, kind │ payload length │ sender's pid │ created │ payload
    4 bytes              │ 2              │ 4            │ 8       │ …

A longer message is several frames of kind PART, put together again by sender
and message number. Nothing is allocated by a length that a frame claims, and
after bytes that are no frame the next good one is found.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

# Not found in UTF-8 text; the version is in it, so that no frame of another
# version can be taken for one of ours.
_MAGIC = b"\xf7\xfe\x01"
_HEADER = struct.Struct("<IHId")
HEADER_BYTES = _HEADER.size
_QUICK_HEADER = struct.Struct("<IH4xd")  # all that a mere line is asked for
_PART = struct.Struct("<BIII")  # kind of the message, its number, part, parts

LINE, RECORD, HELLO, DROPPED, MARK, PART = range(1, 7)
INCOMPLETE = 7  # never on the wire: what a decoder says of a message that stopped midway

_TAGS = {int.from_bytes(_MAGIC + bytes([kind]), "little"): kind for kind in range(LINE, PART + 1)}
_TAG_OF = {kind: tag for tag, kind in _TAGS.items()}
LINE_TAG = _TAG_OF[LINE]
_LAST_PID = 0x7FFFFFFF  # no system call takes a larger one

pack_header = _HEADER.pack


class Message(NamedTuple):
    """What one process sent, whole."""

    kind: int
    pid: int
    created: float
    payload: bytes


class Batch(NamedTuple):
    """What a stretch of bytes held."""

    lines: list[bytes]  # the lines of the period that was asked for, in order
    events: list[Message]  # all else, in order
    corrupt: int  # stretches that were no frame


class _Partial(NamedTuple):
    kind: int
    parts: int
    created: float
    pieces: list[bytes]


def frame(kind: int, pid: int, created: float, payload: bytes) -> bytes:
    """The message as one frame; its payload must fit."""
    return _HEADER.pack(_TAG_OF[kind], len(payload), pid, created) + payload


def frames(message: Message, number: int, frame_bytes: int) -> Iterator[bytes]:
    """The message as frames of at most `frame_bytes` each.

    Args:
        number: Tells this message from the sender's others.
    """
    kind, pid, created, payload = message
    if len(payload) <= frame_bytes - HEADER_BYTES:
        yield frame(kind, pid, created, payload)
        return
    room = frame_bytes - HEADER_BYTES - _PART.size
    parts = -(-len(payload) // room)
    for part in range(parts):
        piece = payload[part * room : (part + 1) * room]
        yield frame(PART, pid, created, _PART.pack(kind, number, part, parts) + piece)


class Decoder:
    """Turns bytes, cut anywhere, into messages.

    Garbage costs no good frame before or after it. Only a header with a false
    length can swallow frames: those up to its claimed end, if another frame
    begins just there, or the bytes that have been read end within a header of it.

    Args:
        frame_bytes: The longest frame that a sender makes.
    """

    def __init__(self, frame_bytes: int) -> None:
        self._longest = frame_bytes - HEADER_BYTES
        self._carry = b""  # the beginning of a frame whose rest is to come
        self._partials: dict[tuple[int, int], _Partial] = {}

    def decode(self, data: bytes, start: float, end: float) -> Batch:
        """All messages that are complete with these bytes.

        Args:
            start, end: Lines whose `created` is in [start, end) are returned as
                lines, all others as events.
        """
        if self._carry:
            data = self._carry + data
        lines: list[bytes] = []
        events: list[Message] = []
        corrupt = 0
        unpack, add_line, line_tag = _QUICK_HEADER.unpack_from, lines.append, LINE_TAG
        start, end = float(start), float(end)  # to compare with an int costs 0.06 µs a line
        size, last_header = len(data), len(data) - HEADER_BYTES
        position = previous = 0
        while position <= last_header:
            tag, length, created = unpack(data, position)
            body = position + HEADER_BYTES
            stop = body + length
            if tag == line_tag and start <= created < end and stop <= size:
                add_line(data[body:stop])
            elif self._is_frame_at(data, position):
                if stop > size:
                    break
                inside = stop
                if not self._is_frame_at(data, stop):
                    inside = self._next_header(data, position + 1)
                if inside < stop:  # a header in its midst, none at its end: a false length
                    corrupt += 1
                    stop = inside
                else:
                    pid = _HEADER.unpack_from(data, position)[2]
                    message = self._message(tag, pid, created, data[body:stop], events)
                    if message is not None:
                        _sort_in(message, start, end, lines, events)
            else:
                # No frame begins here: garbage, or the frame before claimed too great a
                # length and ended within another, whose header stands inside it. Only
                # a line can have, as the short way above does not look ahead: then it
                # was none, and decoding goes on at that header.
                corrupt += 1
                stop = self._next_header(data, position)
                inside = self._next_header(data, previous + 1) if position else stop
                if inside < position:
                    lines.pop()
                    stop = inside
            previous, position = position, stop
        self._carry = data[position:]
        return Batch(lines, events, corrupt)

    def finish(self) -> Batch:
        """No more bytes will come: what is incomplete stays so."""
        events: list[Message] = []
        corrupt = 0
        while data := self._carry:  # what seemed the beginning of a frame had a false length
            self._carry = b""
            found = self.decode(data[self._next_header(data, 1) :], 0.0, 0.0)
            events += found.events
            corrupt += 1 + found.corrupt
        for pid in self.waiting_for():
            events += self.give_up(pid)
        return Batch([], events, corrupt)

    def missing_bytes(self) -> int:
        """How many bytes the frame that was cut in two lacks, or its header; 0 if none was."""
        present = len(self._carry)
        if not present:
            return 0
        if present < HEADER_BYTES:
            return HEADER_BYTES - present
        length: int = _HEADER.unpack_from(self._carry)[1]
        return max(0, HEADER_BYTES + length - present)

    def waiting_for(self) -> set[int]:
        """The pids of which a message has begun and not ended."""
        return {pid for pid, _ in self._partials}

    def give_up(self, pid: int) -> list[Message]:
        """This sender is dead: what it began will not be completed."""
        numbers = [key for key in self._partials if key[0] == pid]
        return [_incomplete(key, self._partials.pop(key)) for key in numbers]

    def _is_header(self, tag: int, length: int, pid: int) -> bool:
        return tag in _TAGS and length <= self._longest and 0 < pid <= _LAST_PID

    def _is_frame_at(self, data: bytes, position: int) -> bool:
        if position + HEADER_BYTES > len(data):
            return data[position : position + len(_MAGIC)] == _MAGIC[: len(data) - position]
        return self._is_header(*_HEADER.unpack_from(data, position)[:3])

    def _next_header(self, data: bytes, position: int) -> int:
        """Where the next good header begins, or may begin; the end if nowhere."""
        while (found := data.find(_MAGIC[:1], position)) >= 0:
            if self._is_frame_at(data, found):
                return found
            position = found + 1
        return len(data)

    def _message(
        self, tag: int, pid: int, created: float, payload: bytes, events: list[Message]
    ) -> Message | None:
        kind = _TAGS[tag]
        if kind != PART:
            return Message(kind, pid, created, payload)
        if len(payload) < _PART.size:
            return None
        kind, number, part, parts = _PART.unpack_from(payload)
        key = pid, number
        partial = self._partials.get(key)
        if partial and (part != len(partial.pieces) or (kind, parts) != partial[:2]):
            events.append(_incomplete(key, self._partials.pop(key)))
            partial = None
        if partial is None:
            if part != 0 or kind not in _TAG_OF or kind == PART:
                return None
            partial = self._partials[key] = _Partial(kind, parts, created, [])
        partial.pieces.append(payload[_PART.size :])
        if len(partial.pieces) < parts:
            return None
        del self._partials[key]
        return Message(kind, pid, partial.created, b"".join(partial.pieces))


def _incomplete(key: tuple[int, int], partial: _Partial) -> Message:
    told = f"{len(partial.pieces)} of {partial.parts}"
    return Message(INCOMPLETE, key[0], partial.created, told.encode())


def _sort_in(
    message: Message, start: float, end: float, lines: list[bytes], events: list[Message]
) -> None:
    if message.kind == LINE and start <= message.created < end:
        lines.append(message.payload)
    elif message.kind == RECORD and start <= message.created < end and is_record(message.payload):
        line, rest = split_record(message.payload)
        if line:
            lines.append(line)
            message = message._replace(payload=join_record(b"", rest))
        events.append(message)
    else:
        events.append(message)


# -- the payload of a RECORD ----------------------------------------------------

_LENGTH = struct.Struct("<I")
_NO_LINE = 0xFFFFFFFF


def join_record(line: bytes | None, pickled: bytes) -> bytes:
    """A line, b"" if none is wanted, None if the reader is to make it, and the record."""
    if line is None:
        return _LENGTH.pack(_NO_LINE) + pickled
    return _LENGTH.pack(len(line)) + line + pickled


def is_record(payload: bytes) -> bool:
    """True if `split_record` takes it."""
    if len(payload) < _LENGTH.size:
        return False
    length: int = _LENGTH.unpack_from(payload)[0]
    return length == _NO_LINE or _LENGTH.size + length <= len(payload)


def split_record(payload: bytes) -> tuple[bytes | None, bytes]:
    """What `join_record` was given.

    Raises:
        ValueError: The payload is none of its.
    """
    if not is_record(payload):
        raise ValueError(f"no record, in {len(payload)} bytes")
    (length,) = _LENGTH.unpack_from(payload)
    stop = _LENGTH.size + (0 if length == _NO_LINE else length)
    return None if length == _NO_LINE else payload[_LENGTH.size : stop], payload[stop:]
