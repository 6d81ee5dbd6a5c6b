"""The locks of a place, which tell who lives: POSIX locks on bytes of its note.

One byte is for who reads, one for all who are attached, one for each segment's writers.
They are a process's own, whatever it forks and whoever has copies of its descriptors,
and the kernel drops them when it dies. (It drops them too when the process closes any
descriptor of that file, so it is opened once.)
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from _thread import allocate_lock
from time import monotonic, sleep

try:
    import fcntl
except ImportError:  # no POSIX system: a queue stands in for the journal
    pass

from .._errors import is_foreign

# Far above what a note has: a lock needs no byte that exists.
_READER, _ATTACHED, _WRITERS = 1 << 32, (1 << 32) + 1, 1 << 33
_PATIENCE = 1.0  # seconds
_LOOKING = 0.1
# What F_GETLK takes and gives, on Linux: type, whence, start, length, pid.
_FLOCK = struct.Struct("hhqqi4x")


def try_lock(descriptor: int, byte: int) -> bool:
    """Have this byte of a file for this process alone; False if another has it.

    Raises:
        OSError: There are no such locks, or no more of them.
    """
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            raise
        return False
    return True


class Locks:
    """Those of an open note."""

    _note = -1  # its descriptor

    def __init__(self) -> None:
        self.forget_threads()

    def forget_threads(self) -> None:
        """In a forked child: those that hold these, or look, are not there."""
        # Held by the thread that reads here: a process's own threads don't exclude each other.
        self.reading_here = allocate_lock()
        self._lookers: list[None] = []

    def try_reader_lock(self) -> bool:
        """Be the one who reads, if nobody is."""
        return self._try_lock(_READER)

    def is_reader_gone(self) -> bool:
        """True if no other process has the reader's lock."""
        try:
            self._lookers.append(None)
            if self.reading_here.locked():
                return True  # it is us
            if not self._try_lock(_READER):
                return False
            self._unlock(_READER)
            return True
        finally:
            del self._lookers[-1:]

    def wait_for_lookers(self) -> None:
        """Once `reading_here` is held: until none that came before lets the lock go."""
        deadline = monotonic() + _LOOKING
        while self._lookers and monotonic() < deadline:
            sleep(0.0005)

    def release_reader_lock(self) -> None:
        """Let another read."""
        self._unlock(_READER)

    def hold(self) -> None:
        """Be attached: as long as this process lives, or `let_go`, it is no leftover."""
        self._share(_ATTACHED)

    def hold_segment(self, number: int) -> None:
        """Be one of those who write to this segment."""
        self._share(_WRITERS + number)

    def let_go_segment(self, number: int) -> None:
        """Be none of them any more."""
        self._unlock(_WRITERS + number)

    def is_held(self) -> bool:
        """True if another process is attached."""
        return self._is_shared(_ATTACHED)

    def is_segment_held(self, number: int) -> bool:
        """True if another process writes to this segment."""
        return self._is_shared(_WRITERS + number)

    def reader(self) -> int | None:
        """The process that has the reader's lock, as the kernel tells without giving it to us.

        0 for one of another pid namespace; None if no other process has it, or none can be
        told. For who only looks on.
        """
        return self._holder(_READER)

    def one_attached(self) -> int | None:
        """The same of a process that is attached."""
        return self._holder(_ATTACHED)

    def let_go(self) -> None:
        """Be attached no more."""
        self._unlock(_ATTACHED)

    def _holder(self, byte: int) -> int | None:
        if not sys.platform.startswith("linux"):
            return None
        wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
        kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(self._note, fcntl.F_GETLK, wanted))
        return None if kind == fcntl.F_UNLCK else max(0, pid)

    def _try_lock(self, byte: int) -> bool:
        return try_lock(self._note, byte)

    def _share(self, byte: int) -> None:
        # Whoever looks who has it has it alone for a moment. One that was stopped just
        # then is alive, and what it guards is safe.
        deadline = monotonic() + _PATIENCE
        while True:
            try:
                fcntl.lockf(self._note, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, byte)
                return
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise
                if monotonic() >= deadline:
                    return
                sleep(0.001)

    def _is_shared(self, byte: int) -> bool:
        """True if another process has it, or might have it; afterwards we have not."""
        try:
            if not self._try_lock(byte):
                return True
            self._unlock(byte)
        except OSError as error:
            if is_foreign(error):
                raise
            return True
        return False

    def _unlock(self, byte: int) -> None:
        fcntl.lockf(self._note, fcntl.LOCK_UN, 1, byte)
