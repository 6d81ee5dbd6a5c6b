"""A private directory that is checked when it is entered, and reached by its descriptor.

So nobody can put another in its place from then on; and what is opened in it is a regular
file, whatever somebody has prepared there.
"""

from __future__ import annotations

import contextlib
import os
import stat
from time import time_ns

from .._closing import close
from .._errors import UnsafeSessionError
from .descriptors import lifted

_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
# Without waiting: a FIFO's opening would.
_SAFE = (
    getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
)


class Directory:
    """One of this user's own, which nobody else may enter.

    Args:
        path: As an absolute one.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = -1

    def _enter(self) -> None:
        """Open it.

        Raises:
            OSError, ValueError: It can't be opened.
        """
        self._descriptor = lifted(os.open(self.path, _DIRECTORY | _SAFE))

    def _check(self) -> None:
        """See that nobody else could have written to it.

        Raises:
            UnsafeSessionError: Somebody could.
        """
        status = os.fstat(self._descriptor)
        if status.st_uid != os.geteuid():
            raise UnsafeSessionError(
                f"{self.path!r} belongs to user {status.st_uid}, not {os.geteuid()}: refused"
            )
        if stat.S_IMODE(status.st_mode) != 0o700:
            raise UnsafeSessionError(
                f"{self.path!r} has mode {stat.S_IMODE(status.st_mode):04o}, not 0700: refused"
            )

    def is_there(self) -> bool:
        """True if its path leads to it: another process can enter it."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.fstat(self._descriptor), os.lstat(self.path))
        return False

    # -- the files in it ----------------------------------------------------------------

    def open_file(self, name: str, flags: int) -> int:
        """A descriptor for a regular file within."""
        descriptor = os.open(name, flags | _SAFE, 0o600, dir_fd=self._descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            close(descriptor)
            raise UnsafeSessionError(f"{name!r} in {self.path!r} is no regular file: refused")
        return descriptor

    def names(self) -> list[str]:
        """The files within."""
        # Our descriptor's position is shared with other threads and with forks: of two that
        # list by it at once, each misses what the other has got.
        descriptor = os.open(".", _DIRECTORY | _SAFE, dir_fd=self._descriptor)
        try:
            return os.listdir(descriptor)
        finally:
            close(descriptor)

    def status(self, name: str) -> os.stat_result:
        """Size, times and so on of one of them."""
        return os.stat(name, dir_fd=self._descriptor)

    def unlink(self, name: str) -> None:
        """Remove one of them."""
        os.unlink(name, dir_fd=self._descriptor)

    def made_at(self) -> float:
        """When something was last made in it, or removed."""
        return os.fstat(self._descriptor).st_mtime

    def replace(self, name: str, data: bytes) -> None:
        """Make, or replace, the file of this name at once."""
        temporary = f"{name}.new"
        descriptor = self.open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            now = time_ns()  # the system's own stamp may be one of some milliseconds ago
            os.utime(file.fileno(), ns=(now, now))
        os.rename(
            temporary, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor
        )

    def read(self, name: str) -> bytes:
        """What stands in that file."""
        with os.fdopen(self.open_file(name, os.O_RDONLY), "rb") as file:
            return file.read()
