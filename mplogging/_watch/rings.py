"""The rings of a session, as files of its place: a process's own, and those of others.

    ring-4711-8c1f…   of process 4711, which has a lock on it as long as it lives

Who brings a ring into the log has another lock on it for that time, so that no line comes
twice. A process must not open its own ring a second time: closing that would drop its locks.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from _thread import allocate_lock
from collections.abc import Iterator
from multiprocessing import current_process
from time import monotonic, sleep

try:
    import fcntl
except ImportError:  # no POSIX system: there are no places either
    pass

from .._closing import close
from .._errors import MPLoggingError
from .._wire.descriptors import leads_to, lifted
from .._wire.locks import try_lock
from .._wire.place import Place
from .ring import (
    HEAD_BYTES,
    NAME_AT,
    SETTLED_AT,
    TAKEN_AT,
    Entry,
    Head,
    dump_entry,
    dump_name,
    dump_taken,
    entries,
    load_taken,
    offset,
    ring_bytes,
    spans,
)

_PREFIX = "ring-"
# Bytes far above what a ring has.
_LIFE, _TAKING = 1 << 40, (1 << 40) + 1
_PATIENCE = 0.2  # seconds, for one who is just taking the same ring
_LOOK_SECONDS = 0.05


class OwnRing:
    """That of this process.

    Args:
        slots: How many entries it has room for.

    Raises:
        OSError: It can't be made: no descriptor is left, or no room on the disk.
    """

    def __init__(self, place: Place, slots: int) -> None:
        self._place = place
        self._slots = slots
        self.head = Head(slots, os.getpid(), current_process().name)
        self.file_name = f"{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
        self._numbers = itertools.count(1)  # in one step, whoever asks
        self._last = self._taken = 0
        self._is_being_taken = allocate_lock()
        self._look_due = 0.0
        opened = place.open_file(self.file_name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        self._descriptor = lifted(opened)  # before there is a lock: closing would drop it
        try:
            status = os.fstat(self._descriptor)
            self._identity = status.st_dev, status.st_ino
            _allocate(self._descriptor, ring_bytes(slots))
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _LIFE)
            # Last: a ring without a head is just being made.
            os.pwrite(self._descriptor, self.head.dump(), 0)
        except BaseException:
            self.remove()
            raise

    @property
    def is_empty(self) -> bool:
        """True if nothing has come since it was taken last."""
        return self._last == self._taken

    def add(self, created: float, line: bytes) -> None:
        """Keep a line, in place of the oldest.

        Raises:
            OSError: The descriptor is ours no more, or the disk is in trouble.
        """
        now = monotonic()
        if not 0.0 <= self._look_due - now <= _LOOK_SECONDS:
            self._look_due = now + _LOOK_SECONDS
            self._look()
        number = next(self._numbers)
        data = dump_entry(number, created, line)
        os.pwrite(self._descriptor, data, offset(number, self._slots))
        self._last = max(self._last, number)

    def _look(self) -> None:
        # A daemon closes all descriptors; the number may be another file's by now.
        if not leads_to(self._descriptor, self._identity):
            raise OSError(errno.EBADF, "the ring was closed")
        name = current_process().name
        if name != self.head.name:  # which a forked process gets after it has been attached
            self.head = self.head._replace(name=name)
            os.pwrite(self._descriptor, dump_name(name), NAME_AT)

    def settle(self, is_settled: bool = True) -> None:
        """Let nobody want it once this process is dead; or after all, let them."""
        with contextlib.suppress(OSError):
            if leads_to(self._descriptor, self._identity):
                os.pwrite(self._descriptor, bytes([is_settled]), SETTLED_AT)

    @contextlib.contextmanager
    def taking(self) -> Iterator[list[Entry]]:
        """Its entries, in order; once that is left, it is empty.

        None where they are taken already, be it by an interrupted call of this thread.
        """
        if not self._is_being_taken.acquire(False):
            yield []
            return
        try:
            with _taking(self._descriptor, self._slots, self._last) as found:
                self._taken = self._last
                yield found
        finally:
            self._is_being_taken.release()

    def remove(self) -> None:
        """The process leaves in order: nobody wants it any more."""
        with contextlib.suppress(OSError):
            self._place.unlink(self.file_name)
        self.close()

    def close(self) -> None:
        """Close it, if the descriptor is still ours."""
        descriptor, self._descriptor = self._descriptor, -1
        if leads_to(descriptor, self._identity):
            close(descriptor)


class FoundRing:
    """That of another process, opened.

    Raises:
        OSError, ValueError: It is gone, or just being made.
    """

    def __init__(self, place: Place, name: str) -> None:
        self._place = place
        self._name = name
        self._descriptor = place.open_file(name, os.O_RDWR)
        try:
            self.head = Head.load(os.pread(self._descriptor, HEAD_BYTES, 0))
        except BaseException:
            close(self._descriptor)
            raise

    def take_charge(self) -> bool:
        """True if its process is dead, and nobody else sees to it: until it is closed, we do."""
        if not try_lock(self._descriptor, _LIFE) or not os.fstat(self._descriptor).st_nlink:
            return False
        self.head = Head.load(os.pread(self._descriptor, HEAD_BYTES, 0))  # its last one
        return True

    def taking(self) -> contextlib.AbstractContextManager[list[Entry]]:
        """As that of `OwnRing`."""
        return _taking(self._descriptor, self.head.slots)

    def settle(self) -> None:
        """Let nobody want it once its process is dead."""
        os.pwrite(self._descriptor, b"\1", SETTLED_AT)

    def remove(self) -> None:
        """It is in the log."""
        with contextlib.suppress(FileNotFoundError):
            self._place.unlink(self._name)

    def close(self) -> None:
        """Close it."""
        close(self._descriptor)


def found_rings(place: Place, own: str = "", pid: int | None = None) -> Iterator[FoundRing]:
    """Those in a place, each open as long as it is looked at.

    Args:
        own: The name of this process's own.
        pid: Of whose process only.
    """
    prefix = _PREFIX if pid is None else f"{_PREFIX}{pid}-"
    try:
        names = [name for name in place.names() if name.startswith(prefix) and name != own]
    except OSError:  # the directory was closed
        return
    for name in sorted(names):
        try:
            ring = FoundRing(place, name)
        except (OSError, ValueError, MPLoggingError):
            continue
        try:
            yield ring
        finally:
            ring.close()


@contextlib.contextmanager
def _taking(descriptor: int, slots: int, last: int | None = None) -> Iterator[list[Entry]]:
    """Entries that have not been taken yet; up to a number, where it is known."""
    deadline = monotonic() + _PATIENCE
    while not try_lock(descriptor, _TAKING):
        if monotonic() >= deadline:
            yield []  # whoever has it brings the same lines
            return
        sleep(0.002)
    try:
        taken = load_taken(os.pread(descriptor, 8, TAKEN_AT))
        whole = [(HEAD_BYTES, ring_bytes(slots) - HEAD_BYTES)]
        found = [
            entry
            for start, size in (whole if last is None else spans(taken + 1, last, slots))
            for entry in entries(os.pread(descriptor, size, start), start, slots, taken)
        ]
        found.sort()
        yield found
        if found:
            os.pwrite(descriptor, dump_taken(found[-1].number), TAKEN_AT)
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, _TAKING)


def _allocate(descriptor: int, size: int) -> None:
    """Let there be room, so that a disk that is full later is no matter."""
    with contextlib.suppress(AttributeError):  # not everywhere
        try:
            os.posix_fallocate(descriptor, 0, size)
            return
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
    written = 0
    while written < size:
        written += os.pwrite(descriptor, bytes(min(size - written, 1 << 16)), written)
