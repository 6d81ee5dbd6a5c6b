"""How a log file is opened, or made with its directories: no more than was asked for,
and no trap that others have set."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import NamedTuple

from .._closing import close

_FLAGS = os.O_RDWR | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


class Access(NamedTuple):
    """How files and directories are made, and what a file begins and ends with."""

    mode: int | None = None
    dir_mode: int | None = None
    header: bytes = b""
    terminator: bytes = b"\n"
    unit_bytes: int = 1  # every character takes a multiple of it


def open_for_append(path: str, access: Access) -> tuple[int, bool]:
    """Open, or make, a regular file; says whether it was made."""
    while True:
        try:
            descriptor = os.open(path, _FLAGS | _nofollow(path))
            break
        except FileNotFoundError:
            pass
        try:
            descriptor = os.open(
                path, _FLAGS | os.O_CREAT | os.O_EXCL,
                0o666 if access.mode is None else access.mode,
            )
        except FileNotFoundError:
            make_directories(os.path.dirname(path), access.dir_mode)
        except FileExistsError:
            if os.path.islink(path) and not os.path.exists(path):
                raise  # a link to nowhere: neither open nor create can work
        else:
            if access.mode is not None:
                os.fchmod(descriptor, access.mode)
            return descriptor, True
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor, False


def reopen(path: str, descriptor: int) -> None:
    """Let the descriptor be of the file that has this name now; if that can't be, it stays."""
    with contextlib.suppress(OSError):
        other = os.open(path, _FLAGS | _nofollow(path))
        try:
            os.dup2(other, descriptor, inheritable=False)
        finally:
            close(other)


def make_directories(path: str, mode: int | None) -> None:
    """`os.makedirs`, where `mode` holds for every directory made, whatever the umask."""
    if os.path.isdir(path):
        return
    make_directories(os.path.dirname(path), mode)
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise  # a file, or a link to nowhere: another try would end here too
        return
    if mode is not None:
        os.chmod(path, mode)


def _nofollow(path: str) -> int:
    """In a directory that others write to, a link may be their trap."""
    try:
        others_write = os.stat(os.path.dirname(path)).st_mode & 0o022
    except OSError:
        return 0
    return getattr(os, "O_NOFOLLOW", 0) if others_write else 0
