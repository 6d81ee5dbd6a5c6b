"""Whose a file is, where compression works: nobody's prepared names get a log's content.

Where anybody may put files, somebody may have put one under a name that we are about
to use: a file of his own, which he could read, or a link that leads to another's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from typing import IO

from .._lock import try_lock, unlock
from .opening import others_write

# Seconds without a change after which another user's temporary file is nobody's any more.
_ABANDONED = 600.0


def is_others(path: str) -> bool:
    """Another user's log file, which he alone can finish: it could not be removed, or read.

    Raises:
        PermissionError: It has a second name where anybody may put files: it may be any file.
    """
    try:
        status = os.lstat(path)
        directory = os.stat(os.path.dirname(path))
    except FileNotFoundError:
        return False
    if directory.st_mode & stat.S_IWOTH and status.st_nlink > 1:
        raise PermissionError(errno.EPERM, "has a second name (a hard link)", path)
    user = os.geteuid()
    if user in (0, status.st_uid):
        return False
    is_kept = directory.st_mode & stat.S_ISVTX and user != directory.st_uid
    return bool(is_kept) or not os.access(path, os.R_OK)


@contextlib.contextmanager
def own_file(path: str) -> Iterator[IO[bytes] | None]:
    """The temporary file of that name, locked; None if another process is at it.

    Raises:
        PermissionError: It is another user's, and can't be removed.
    """
    try:
        file = _opened(path)
    except OSError:
        if _is_in_use(path):
            yield None
            return
        os.unlink(path)
        file = _opened(path)
    with file:
        if not try_lock(file.fileno()):
            yield None
            return
        try:
            if not _is_own(file):
                os.unlink(path)  # so that the next pass makes it
                raise PermissionError(errno.EPERM, "was not made by this user", path)
            yield file
        finally:
            # Said, not left to close(): a forked child may hold a copy.
            unlock(file.fileno())


def check_form(form: IO[bytes], log: IO[bytes], path: str) -> None:
    """Refuse a compressed form that somebody may have prepared.

    Raises:
        PermissionError: It is another user's than the log file.
    """
    if not others_write(os.path.dirname(path)):
        return
    status, owner = os.fstat(form.fileno()), os.fstat(log.fileno()).st_uid
    if status.st_nlink > 1 or status.st_uid not in (os.geteuid(), 0, owner):
        raise PermissionError(errno.EPERM, "was not made by the log file's owner", path)


def is_at(file: IO[bytes], path: str) -> bool:
    """Does the file stand under this name, itself and no link to it?"""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    except FileNotFoundError:
        return False


def no_link(path: str, flags: int) -> int:
    """An opener that follows no link, and waits for no pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _made(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CREAT, 0o600)


def _opened(path: str) -> IO[bytes]:
    return open(path, "r+b", opener=_made)


def _is_own(file: IO[bytes]) -> bool:
    status = os.fstat(file.fileno())
    if not others_write(os.path.dirname(os.path.abspath(file.name))):
        return stat.S_ISREG(status.st_mode)
    is_ours = status.st_uid == os.geteuid() and status.st_nlink == 1
    return stat.S_ISREG(status.st_mode) and is_ours


def _is_in_use(path: str) -> bool:
    """Another user's process may be at it."""
    status = os.lstat(path)
    is_fresh = abs(time.time() - status.st_mtime) < _ABANDONED
    return stat.S_ISREG(status.st_mode) and status.st_uid != os.geteuid() and is_fresh
