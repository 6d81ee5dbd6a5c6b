"""Gives back the room that the beginning of a file takes, which others are appending to."""

from __future__ import annotations

import errno
import os

_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # FALLOC_FL_…
_failed = False


def punch(descriptor: int, stop: int) -> bool:
    """Let what stands before that offset be a hole; False if the system has no such thing."""
    global _failed
    if _failed or not stop:
        return False
    try:
        import ctypes  # for processes that write much only

        library = ctypes.CDLL(None, use_errno=True)
        fallocate = getattr(library, "fallocate64", None) or library.fallocate
        fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        while fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, 0, stop):
            code = ctypes.get_errno()
            if code != errno.EINTR:
                raise OSError(code, os.strerror(code))
    except (ImportError, AttributeError, OSError, ValueError):
        _failed = True
    return not _failed
