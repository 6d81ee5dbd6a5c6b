"""Where an entry of a log begins. Pure.

An entry is a line that a record began, with those that belong to it: of a traceback, or of
a message with line breaks. Where lines begin with a time, or as the log's format says, each
that does not belongs to the one before. Elsewhere those do that are indented, and tracebacks.
"""

from __future__ import annotations

import re

# What an entry begins with where nothing is said of the format: a time, or a JSON object.
TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d"
_USUAL = rb"\[?" + TIME.encode() + rb'|\{\s*"'
_USUAL_START = re.compile(rb"(?:\A|\n)(?:" + _USUAL + rb")")
_TRACEBACK = b"Traceback (most recent call last):"
_BETWEEN = (
    b"During handling of the above exception",
    b"The above exception was the direct cause",
)


class Shape:
    """Tells beginnings of entries by a pattern.

    Args:
        pattern: Of bytes; what the first line of an entry begins with.
    """

    def __init__(self, pattern: bytes) -> None:
        self._at = re.compile(pattern)
        # To look for the line's end is what `re` is quick at.
        self._after_line = re.compile(rb"\n(?=" + pattern + rb")")

    def starts(self, data: bytes) -> list[int]:
        """Where entries begin in whole lines, of which the first begins one."""
        return [0, *(found.end() for found in self._after_line.finditer(data))]

    def first(self, data: bytes) -> int:
        """The first beginning after the first line, -1 if there is none."""
        found = self._after_line.search(data)
        return found.end() if found else -1

    def last(self, data: bytes, end: int) -> int:
        """The last beginning before this end of a line; 0 if only the first line is one."""
        while (end := data.rfind(b"\n", 0, end - 1) + 1) > 0:
            if self._at.match(data, end):
                return end
        return 0


class PlainShape(Shape):
    """Tells them where no line has a time: by indentation, and by how tracebacks look."""

    def __init__(self) -> None:
        super().__init__(rb"[^\s]")

    def starts(self, data: bytes) -> list[int]:
        found = []
        in_traceback = is_open = False
        position = 0
        for line in data.splitlines(keepends=True) if b"\r" not in data else _lines(data):
            is_start = False
            if not line.strip() or line[:1] in b" \t":
                is_open = in_traceback
            elif line.startswith((_TRACEBACK, *_BETWEEN)):
                in_traceback, is_open = True, not line.startswith(_TRACEBACK)
            elif in_traceback and is_open:
                in_traceback = False  # this one names the exception
            else:
                is_start, in_traceback = True, False
            if is_start or not position:
                found.append(position)
            position += len(line)
        return found

    def first(self, data: bytes) -> int:
        begin = data.find(b"\n") + 1
        if not begin:
            return -1
        starts = self.starts(data)
        return starts[1] if len(starts) > 1 else -1

    def last(self, data: bytes, end: int) -> int:
        return self.starts(data[:end])[-1] if end else 0


def _lines(data: bytes) -> list[bytes]:
    """Lines that end with a line feed and nothing else."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def usual_shape(sample: bytes) -> Shape:
    """What a log seems to have of whose format nothing is said."""
    return Shape(_USUAL) if _USUAL_START.search(sample) else PlainShape()
