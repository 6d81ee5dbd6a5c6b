"""The bell: a FIFO that wakes a reader who sleeps, and tells nothing else.

It stands in the runtime or temporary directory, since a FIFO beside the log stops
whoever copies that directory. Without it the reader looks by itself, 50 times a second.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import sys
from time import sleep
from typing import Any

from .._closing import close
from .._errors import is_foreign
from .descriptors import leads_to

# Open for both, so that a ring never meets a FIFO without a reader: that would be SIGPIPE.
_FLAGS = (
    os.O_RDWR | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)  # fmt: skip
# How long to sleep where there is none.
_BLIND_SECONDS = 0.02
# As they are now: what patches them later, in the midst of a session, is not for us.
# eventlet takes `poll` away, and has an `os.write` that waits for room where a FIFO is full.
poll = getattr(select, "poll", None)
_POLLIN = getattr(select, "POLLIN", 1)
_system: Any = sys.modules.get("posix", os)
read, write = _system.read, _system.write


class Bell:
    """A bell, opened; "" is none at all."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = -1
        self._identity = (0, 0)
        if path:
            with contextlib.suppress(OSError):
                self._open()

    @classmethod
    def make(cls, paths: list[str]) -> Bell:
        """A new one, at the first of these that can be made."""
        for path in paths:
            try:
                os.mkfifo(path, 0o600)
            except OSError:
                continue
            return cls(path)
        return cls("")

    def _open(self) -> None:
        descriptor = os.open(self.path, _FLAGS)
        status = os.fstat(descriptor)
        if not _is_bell(status):
            close(descriptor)
            raise OSError(errno.EINVAL, "no bell of ours", self.path)
        self._descriptor, self._identity = descriptor, (status.st_dev, status.st_ino)

    def _is_ours(self) -> bool:
        """False if the program has closed it; the number may be another file's by now."""
        return leads_to(self._descriptor, self._identity)

    def ring(self) -> None:
        """Wake the reader, now or as soon as it wants to sleep."""
        if self._is_ours():
            try:
                write(self._descriptor, b"!")
            except OSError as error:  # it is rung already
                if is_foreign(error):
                    raise

    def wait(self, timeout: float) -> bool:
        """Sleep until it rings, for so many seconds at most; True if it may have."""
        if poll is None or not self._is_ours():
            sleep(min(timeout, _BLIND_SECONDS))
            self._empty()
            return False
        waiting = poll()
        waiting.register(self._descriptor, _POLLIN)
        if not waiting.poll(1000 * timeout):
            return False
        self._empty()
        return True

    def _empty(self) -> None:
        if self._is_ours():
            with contextlib.suppress(OSError):
                read(self._descriptor, 1 << 16)

    def remove(self) -> None:
        """Remove it, which those who have it open don't notice."""
        if self.path:
            remove_bell(self.path)

    def close(self) -> None:
        """Close the descriptor; a second time does nothing."""
        if self._is_ours():
            close(self._descriptor)
        self._descriptor = -1

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # it was not even begun
            self.close()  # as of `Segments`


def remove_bell(path: str) -> None:
    """Remove this one, of a session that is over, if it is still there."""
    with contextlib.suppress(OSError):
        if _is_bell(os.lstat(path)):
            os.unlink(path)


def _is_bell(status: os.stat_result) -> bool:
    return stat.S_ISFIFO(status.st_mode) and status.st_uid == os.geteuid()
