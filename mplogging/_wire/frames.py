"""The wire format, pure: messages become frames, and a stretch of the journal messages.

A frame is a header and its payload, appended by one write:

    mark, kind │ payload length │ sender's pid │ created │ payload
    8 bytes    │ 4              │ 4            │ 8       │ …

The mark holds four bytes that each session draws by lot, so that nothing in a
payload can pass for a frame. Frames follow each other without a gap, but for one
thing: a writer that dies in its write leaves the beginning of a frame. Then the
mark of the next stands where that one should go on. So a frame is whole if all
its bytes are there and no mark is among them.
"""

from __future__ import annotations

import collections
import contextlib
import re
import struct
from typing import NamedTuple

_MAGIC = b"\xf7\xfe\x02"  # not found in UTF-8 text; the last is the format's version
COOKIE_BYTES = 4
MARK_BYTES = len(_MAGIC) + COOKIE_BYTES
_ANY_MARK = re.compile(re.escape(_MAGIC) + b".{%d}" % COOKIE_BYTES, re.DOTALL)
_HEADER = struct.Struct("<QIId")
HEADER_BYTES = _HEADER.size
_QUICK_HEADER = struct.Struct("<QI4xd")  # all that a mere line is asked for
pack_header = _HEADER.pack
# As the bounds of `decode`: lines of any time, also of none (nan, inf).
EVER = (float("-inf"), float("inf"))

LINE, RECORD, HELLO, DROPPED, MARK = KINDS = range(1, 6)
START = 6  # the first frame of a segment, which shows its cookie
ROUTED = 7  # a record for one handler that stands elsewhere than on the root logger


class Message(NamedTuple):
    """What one process sent, whole."""

    kind: int
    pid: int
    created: float
    payload: bytes


class Batch(NamedTuple):
    """Messages on their way to the delivery."""

    events: list[Message]  # in order
    corrupt: int = 0  # how many there were besides that are no message


class Run(NamedTuple):
    """What a stretch of the journal holds, up to a line that belongs elsewhere."""

    lines: list[bytes]  # of the period that was asked for, in order
    events: list[Message]  # all else, in order
    stop: int  # where it ends, in what was decoded
    stray: float | None = None  # `created` of the line of another period that stopped it
    foreign: Message | None = None  # the RECORD, alone, whose line its reader is to make
    torn: int = 0  # beginnings of frames that were passed over


class Framing:
    """The frames of one session.

    Args:
        cookie: Its four bytes.
    """

    def __init__(self, cookie: bytes) -> None:
        self.cookie = cookie
        self.mark = _MAGIC + cookie
        self.tags = {
            kind: int.from_bytes(self.mark + bytes([kind]), "little")
            for kind in (*KINDS, START, ROUTED)
        }
        self.line_tag = self.tags[LINE]
        self._kinds = {tag: kind for kind, tag in self.tags.items()}

    @classmethod
    def of_segment(cls, beginning: bytes) -> Framing:
        """As the first bytes of a segment show it.

        Raises:
            ValueError: No segment begins like that.
        """
        cookie = beginning[len(_MAGIC) : MARK_BYTES]
        if beginning[: len(_MAGIC)] != _MAGIC or len(cookie) != COOKIE_BYTES:
            raise ValueError(f"no segment of a journal of this version begins {beginning[:8]!r}")
        return cls(cookie)

    @classmethod
    def found_in(cls, data: bytes) -> Framing:
        """As most marks in a segment show it whose beginning is lost.

        Raises:
            ValueError: There are none.
        """
        marks = collections.Counter(_ANY_MARK.findall(data)).most_common(1)
        return cls.of_segment(marks[0][0] if marks else b"")

    def frame(self, kind: int, pid: int, created: float, payload: bytes) -> bytes:
        """The message as one frame."""
        return pack_header(self.tags[kind], len(payload), pid, created) + payload

    def stop_of_lines(self, data: bytes, at: int, stop: int, count: int) -> int:
        """Where so many of the lines of a stretch of whole frames end."""
        while count and at < stop:
            # Not by the length that a frame tells, which may have been cut short.
            following = data.find(self.mark, at + 1, stop)
            following = stop if following < 0 else following
            count -= len(self.decode(data[at:following], *EVER).lines)
            at = following
        return at

    def frame_bytes(self, header: bytes) -> int | None:
        """How long the frame with this header says that it is; None if it is none."""
        if len(header) < HEADER_BYTES:
            return None
        tag, length = _HEADER.unpack_from(header)[:2]
        return HEADER_BYTES + length if tag in self._kinds else None

    def decode(
        self,
        data: bytes,
        start: float,
        end: float,
        at: int = 0,
        is_final: bool = False,
        makes_lines: bool = False,
    ) -> Run:
        """The messages from a position in `data` on.

        Args:
            start, end: It stops at the first line whose `created` is not in [start, end);
                with `EVER` at none.
            is_final: Nobody is writing to it any more: what is cut short stays so.
            makes_lines: Records whose lines their worker could not make as asked are
                wanted one by one; else they are lines like any other.
        """
        run, frames = self._walk(data, start, end, at, is_final, makes_lines, False)
        if not is_final and run.stop > len(data) - MARK_BYTES + 1:
            cut = self._begun_mark(data, at, run.stop)
            if cut is not None:
                return self.decode(data[:cut], start, end, at, False, makes_lines)
        # As many marks begin there as frames, or one that was cut short has swallowed others.
        if data.count(self.mark, at, run.stop + MARK_BYTES - 1) != frames:
            run, _ = self._walk(data, start, end, at, is_final, makes_lines, True)
        return run

    def _begun_mark(self, data: bytes, at: int, stop: int) -> int | None:
        """Where the data end with the beginning of a mark, if that is in a frame's midst."""
        size = len(data)
        for begin in range(max(at, size - MARK_BYTES + 1), stop):
            if self.mark.startswith(data[begin:size]):
                return begin
        return None

    def _walk(
        self,
        data: bytes,
        start: float,
        end: float,
        position: int,
        is_final: bool,
        makes_lines: bool,
        is_careful: bool,
    ) -> tuple[Run, int]:
        lines: list[bytes] = []
        events: list[Message] = []
        unpack, add_line, kinds = _QUICK_HEADER.unpack_from, lines.append, self._kinds
        quick_tag = -1 if is_careful else self.line_tag
        start, end = float(start), float(end)  # to compare with an int costs 0.06 µs a line
        is_ever = (start, end) == EVER
        size, last_header = len(data), len(data) - HEADER_BYTES
        others = torn = 0
        while position <= last_header:
            tag, length, created = unpack(data, position)
            body = position + HEADER_BYTES
            stop = body + length
            if tag == quick_tag and stop <= size and start <= created < end:
                add_line(data[body:stop])
                position = stop
                continue
            inside = self._cut(data, position, stop if tag in kinds else -1, is_final, is_careful)
            if inside is not None:
                torn += 1
                position = inside
                continue
            if stop > size or tag not in kinds:
                break
            pid = _HEADER.unpack_from(data, position)[2]
            message = Message(kinds[tag], pid, created, data[body:stop])
            line, is_for_reader = _line_of(message)
            if is_for_reader and makes_lines:
                if not (lines or events):
                    return Run([], [], stop, foreign=message, torn=torn), others + 1
                break
            if line is None:
                others += 1
            elif is_ever or start <= created < end:
                add_line(line)
            else:
                run = Run(lines, events, position, created, torn=torn)
                return run, len(lines) + others
            if message.kind not in (LINE, START):
                events.append(message)
            position = stop
        if is_final and position < size:
            torn += 1
            position = size
        return Run(lines, events, position, torn=torn), len(lines) + others

    def _cut(
        self, data: bytes, position: int, stop: int, is_final: bool, is_careful: bool
    ) -> int | None:
        """Where to go on, if what begins at this position was cut short; -1 is no frame's end."""
        size = len(data)
        if 0 <= stop <= size and not is_careful:
            return None
        # A mark that begins before that frame's end, and may itself end behind it.
        found = data.find(self.mark, position + 1, size if stop < 0 else stop + MARK_BYTES - 1)
        if found >= 0:
            return found
        if is_final and not 0 <= stop <= size:
            return size
        return None  # whole, or being written


def _line_of(message: Message) -> tuple[bytes | None, bool]:
    """The line that a message brings, if any; and whether its reader would make another."""
    if message.kind == LINE:
        return message.payload, False
    if message.kind == RECORD:
        with contextlib.suppress(ValueError):  # whoever takes the event says so
            line, is_stand_in, _ = split_record(message.payload)
            return line or None, is_stand_in
    return None, False


# -- the payload of a RECORD ----------------------------------------------------

_LENGTH = struct.Struct("<I")
_STAND_IN = 1 << 31


def join_record(line: bytes, pickled: bytes, is_stand_in: bool = False) -> bytes:
    """A line and the record; b"" is no line.

    Args:
        is_stand_in: The line will do only where the session's own process, which
            would make a better one, is gone.
    """
    return _LENGTH.pack(len(line) | (_STAND_IN if is_stand_in else 0)) + line + pickled


def split_record(payload: bytes) -> tuple[bytes, bool, bytes]:
    """What `join_record` was given: line, whether it is a stand-in, record.

    Raises:
        ValueError: The payload is none of its.
    """
    if len(payload) < _LENGTH.size:
        raise ValueError(f"no record, in {len(payload)} bytes")
    (word,) = _LENGTH.unpack_from(payload)
    stop = _LENGTH.size + (word & ~_STAND_IN)
    if stop > len(payload):
        raise ValueError(f"no record: its line ends at {stop} of {len(payload)} bytes")
    return payload[_LENGTH.size : stop], bool(word & _STAND_IN), payload[stop:]


# -- the payload of a ROUTED ----------------------------------------------------


def join_routed(number: int, pickled: bytes) -> bytes:
    """A handler's number, and the record."""
    return _LENGTH.pack(number) + pickled


def split_routed(payload: bytes) -> tuple[int, bytes]:
    """What `join_routed` was given.

    Raises:
        ValueError: The payload is none of its.
    """
    if len(payload) < _LENGTH.size:
        raise ValueError(f"no record for a handler, in {len(payload)} bytes")
    return _LENGTH.unpack_from(payload)[0], payload[_LENGTH.size :]
