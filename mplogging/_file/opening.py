"""How a log file is opened, or made with its directories: no more than was asked for,
and no trap that others have set."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from time import monotonic, sleep
from typing import NamedTuple

from .._closing import close

# Neither a pipe that nobody reads nor a terminal may have its way with us.
_FLAGS = os.O_APPEND | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
# Seconds after which a file or directory has the mode that its maker gives it.
_MAKING = 1.0
_MAKING_PAUSE = 0.001


class Access(NamedTuple):
    """How files and directories are made, and what a file begins and ends with."""

    mode: int | None = None
    dir_mode: int | None = None
    header: bytes = b""
    terminator: bytes = b"\n"
    unit_bytes: int = 1  # every character takes a multiple of it


def open_for_append(path: str, access: Access) -> tuple[int, bool]:
    """Open, or make, a regular file; says whether it was made."""
    deadline = monotonic() + _MAKING
    while True:
        try:
            descriptor = _open(path)
            break
        except FileNotFoundError:
            pass
        except PermissionError:
            if monotonic() >= deadline or not _is_being_made(path, access):
                raise
            sleep(_MAKING_PAUSE)
            continue
        try:
            return _make(path, access.mode), True
        except FileNotFoundError:
            make_directories(os.path.dirname(path), access.dir_mode)
        except FileExistsError:
            if os.path.islink(path) and not os.path.exists(path):
                raise  # a link to nowhere: neither open nor create can work
    try:
        _check(descriptor, path, access.mode)
    except BaseException:
        close(descriptor)
        raise
    return descriptor, False


def reopen(path: str, descriptor: int) -> None:
    """Let the descriptor be of the file that has this name now; if that can't be, it stays."""
    with contextlib.suppress(OSError):
        other = _open(path)
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
        os.mkdir(path, 0o777 if mode is None else mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise  # a file, or a link to nowhere: another try would end here too
        return
    if mode is not None:
        # By descriptor: another user may have put something else in its place.
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            os.fchmod(directory, mode)
        finally:
            os.close(directory)


def others_write(directory: str) -> bool:
    """Can any user at all put files there?"""
    try:
        return bool(os.stat(directory).st_mode & stat.S_IWOTH)
    except OSError:
        return False


def _open(path: str) -> int:
    flags = _FLAGS | _nofollow(path)
    try:
        return os.open(path, flags | os.O_RDWR)
    except PermissionError:
        descriptor = os.open(path, flags | os.O_WRONLY)  # one that may only be written
    try:
        better = os.open(path, flags | os.O_RDWR)  # its maker may have been at it
    except OSError:
        return descriptor
    os.close(descriptor)
    return better


def _make(path: str, mode: int | None) -> int:
    flags = _FLAGS | os.O_RDWR | os.O_CREAT | os.O_EXCL
    if mode is None:
        return os.open(path, flags, 0o666)
    descriptor = os.open(path, flags, mode)
    os.fchmod(descriptor, mode)  # whatever the umask
    return descriptor


def _is_being_made(path: str, access: Access) -> bool:
    """It lets us not in, but its maker has not yet said whom it lets in."""
    try:
        directory = os.stat(os.path.dirname(path))
        if access.dir_mode not in (None, stat.S_IMODE(directory.st_mode)):
            return abs(time.time() - directory.st_ctime) < _MAKING
        status = os.lstat(path)
    except OSError:
        return False
    is_fresh = abs(time.time() - status.st_ctime) < _MAKING
    return stat.S_ISREG(status.st_mode) and status.st_size == 0 and is_fresh


def _check(descriptor: int, path: str, mode: int | None) -> None:
    """Refuse what is no log file of ours, or could be a trap."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", path)
    user = os.geteuid()
    if mode is not None and status.st_size == 0 and status.st_uid == user:
        if stat.S_IMODE(status.st_mode) != mode:
            os.fchmod(descriptor, mode)  # its maker did not come to it
    directory = os.path.dirname(path)
    if not others_write(directory):
        return
    if status.st_nlink > 1:
        raise PermissionError(
            errno.EPERM, "has a second name, in a directory that anybody can write to", path
        )
    # Who lets others write to the log shares it with them. Of the directory's owner, and
    # of root, we depend anyway.
    is_shared = mode is not None and mode & 0o022
    if not is_shared and status.st_uid not in (user, 0, os.stat(directory).st_uid):
        raise PermissionError(
            errno.EPERM,
            f"belongs to another user (uid {status.st_uid}), in a directory that anybody can"
            " write to: remove it, or share the log with other users by mode=0o666",
            path,
        )


def _nofollow(path: str) -> int:
    """In a directory that others write to, a link may be their trap."""
    try:
        directory = os.stat(os.path.dirname(path))
    except OSError:
        return 0
    is_ours = directory.st_uid in (0, os.geteuid()) and not directory.st_mode & 0o022
    return 0 if is_ours else getattr(os, "O_NOFOLLOW", 0)
