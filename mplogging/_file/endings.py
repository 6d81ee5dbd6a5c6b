"""How an open log file begins and ends: its header, its last whole line. Changes nothing."""

from __future__ import annotations

import errno
import os

from .opening import Access

_BLOCK_BYTES = 65536


def position(descriptor: int) -> int:
    """Where the last write ended; -1 if that can't be had."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_CUR)
    except OSError:
        return -1


def is_readable(descriptor: int) -> bool:
    """Whether the file may be read, and not only written."""
    try:
        os.pread(descriptor, 1, 0)
    except OSError as error:
        return error.errno != errno.EBADF
    return True


def ends_whole(descriptor: int, end: int, access: Access) -> bool:
    """True if a line ends here."""
    ending = access.terminator
    last = os.pread(descriptor, len(ending), max(0, end - len(ending)))
    return last == ending and not end % access.unit_bytes


def header_end(descriptor: int, access: Access) -> int:
    """Where the first line begins."""
    header = access.header
    return len(header) if os.pread(descriptor, len(header), 0) == header else 0


def last_line_end(descriptor: int, end: int, access: Access) -> int:
    """Where the last whole line before `end` ends; where the first begins if there is none."""
    ending, unit_bytes = access.terminator, access.unit_bytes
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        block = os.pread(descriptor, end - start, start)
        found = block.rfind(ending)
        while found >= 0 and (start + found) % unit_bytes:  # it is in two characters
            found = block.rfind(ending, 0, found + len(ending) - 1)
        if found >= 0:
            return start + found + len(ending)
        end = start if start == 0 else start + len(ending) - 1
    return header_end(descriptor, access)


def kept_end(descriptor: int, end: int, access: Access) -> int:
    """Where what a crashed machine has left ends: without half a character, or lost pages."""
    end -= end % access.unit_bytes
    while end > 0 and access.unit_bytes == 1:  # else zeros are characters' parts
        start = max(0, end - _BLOCK_BYTES)
        kept = len(os.pread(descriptor, end - start, start).rstrip(b"\0"))
        if kept:
            return start + kept
        end = start
    return end
