"""What of a batch already stands in a log file, when nobody lived to say so.

Other programs may have appended before and after, cut off half a line at its end,
or compressed the file. So the noted end is where the search begins, and the
longest run of the batch's first lines, whole, is what was written. (Lines that
another program writes byte for byte alike can't be told apart.)
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import IO, Any

from .compression import ALGORITHMS, opener_of

_BLOCK_BYTES = 1 << 20


def lines_found(
    path: str, identity: tuple[int, int], end: int, lines: Sequence[bytes], terminator: bytes
) -> int | None:
    """How many of the lines, from the first on, stand in the file; None if it is gone.

    Args:
        identity: Its device and inode.
        end: Where it ended before they were written.
    """
    with contextlib.ExitStack() as opened:
        file: IO[bytes] | None = None
        with contextlib.suppress(OSError):
            plain = opened.enter_context(open(path, "rb"))
            status = os.fstat(plain.fileno())
            if (status.st_dev, status.st_ino) == identity:
                file = plain
                end = end if end <= status.st_size else 0  # it was cut since
                file.seek(_line_start(file, end, terminator))
        if file is None:
            file = _compressed(path, end, opened)
        return None if file is None else _longest_run(file, lines, terminator)


def _line_start(file: IO[bytes], end: int, terminator: bytes) -> int:
    """The last beginning of a line at or before `end`."""
    start = max(0, end - _BLOCK_BYTES)
    file.seek(start)
    found = file.read(end - start).rfind(terminator)
    return start + found + len(terminator) if found >= 0 else start


def _compressed(path: str, end: int, opened: contextlib.ExitStack) -> IO[bytes] | None:
    for algorithm in ALGORITHMS:
        with contextlib.suppress(Exception):  # each algorithm has its own for damaged data
            file: Any = opened.enter_context(opener_of(algorithm)(f"{path}.{algorithm}", "rb"))
            file.seek(end)
            return file  # type: ignore[no-any-return]
    return None


def _longest_run(file: IO[bytes], lines: Sequence[bytes], terminator: bytes) -> int:
    size = sum(map(len, lines))
    longest = 0
    buffer = terminator  # what the search begins at is a line's beginning
    while longest < len(lines):
        block = file.read(_BLOCK_BYTES + size)
        buffer += block
        searched = len(buffer) - (size if block else 0)
        begin = buffer.find(terminator + lines[0])
        while 0 <= begin < searched:
            at = begin + len(terminator)
            longest = max(longest, _matching(buffer, at, lines))
            begin = buffer.find(terminator + lines[0], begin + 1)
        if not block:
            break
        buffer = buffer[max(0, searched) :]
    return longest


def _matching(data: bytes, at: int, lines: Sequence[bytes]) -> int:
    for count, line in enumerate(lines):
        if not data.startswith(line, at):
            return count
        at += len(line)
    return len(lines)


def has_grown(path: str, identity: tuple[int, int], size: int) -> bool:
    """True if this file is that large by now."""
    with contextlib.suppress(OSError):
        status = os.stat(path)
        return (status.st_dev, status.st_ino) == identity and status.st_size >= size
    return False
