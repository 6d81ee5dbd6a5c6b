"""What a process leaves in its session's place for the case that it dies there.

    process-4711-9f3a…   header │ what `faulthandler` writes if it crashes

The process holds a POSIX lock on its file, which the kernel drops when it dies, however it
dies. (The lock goes too when the process closes any descriptor of that file: so it is
opened once, and nobody opens its own.) The header comes after the lock: a file without
one is just being made.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections.abc import Iterator
from time import monotonic
from typing import NamedTuple

try:
    import fcntl
except ImportError:  # no POSIX system: a queue stands in for the journal
    pass

from .._closing import close
from .._errors import SessionError
from .descriptors import leads_to, lifted
from .locks import try_lock
from .place import Place

_PREFIX = "process-"
# state, status │ is it meant? │ begun, the session's own?, pid │ name │ doing
_HEADER = struct.Struct("<1sh1sd?I128s128s")
_END = struct.Struct("<1sh")  # at 0
_TEXT_BYTES = 128
_MEANT_AT, _DOING_AT = _END.size, _HEADER.size - _TEXT_BYTES
_NAME_AT = _DOING_AT - _TEXT_BYTES
HEADER_BYTES = 512
_RUNS, _LEFT, _TOLD = b"r", b"l", b"t"
_UNKNOWN = -1
_MOST_BYTES = 1 << 17  # of a trace
_LOOK_SECONDS = 0.05  # as a writer does, who has to look for the same reason

_own: set[str] = set()  # the names of this process's files


class Presence(NamedTuple):
    """What a process's file says."""

    has_left: bool  # in order, or for another program (`exec`)
    status: int | None  # with which it said that it was about to end
    is_told: bool  # of its death
    is_meant: bool  # the program has ended it on purpose
    begun: float  # when it came
    is_sessions: bool  # the session's own process?
    pid: int
    name: str
    doing: str  # the `@worker` function, "" if none
    trace: str  # of its crash

    @classmethod
    def load(cls, data: bytes) -> Presence:
        state, status, meant, begun, is_sessions, pid, *texts = _HEADER.unpack_from(data)
        name, doing = (_text(text.rstrip(b"\0")) for text in texts)
        return cls(
            state == _LEFT, None if status == _UNKNOWN else status, state == _TOLD,
            meant != b"\0", begun, is_sessions, pid, name, doing, _text(data[HEADER_BYTES:]),
        )  # fmt: skip


class OwnPresence:
    """This process's own file, which it has open for as long as it belongs to the session.

    Raises:
        OSError: It can't be made, or has no lock.
    """

    def __init__(self, place: Place, name: str, is_sessions: bool) -> None:
        self._place = place
        self._is_ours, self._look_due = False, 0.0
        self._identity = 0, 0
        self._name = ""
        self.descriptor = self.pid = -1
        self.is_sessions = is_sessions
        self._make(name)

    def go_on(self, name: str) -> bool:
        """In a forked child: have a file of its own, at the same descriptor.

        Returns:
            False if the program has closed that.

        Raises:
            OSError: As its parent's could not be made.
        """
        if not self.is_open():
            return False
        _own.discard(self._name)
        self.is_sessions = False
        self._make(name)
        return True

    def _make(self, name: str) -> None:
        self.pid = pid = os.getpid()
        self._name = f"{_PREFIX}{pid}-{os.urandom(4).hex()}"
        _own.add(self._name)  # first: from then on nobody here opens it
        opened = self._place.open_file(self._name, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            # Before there is a lock: closing the other would drop it.
            if self.descriptor < 0:
                self.descriptor = lifted(opened)
            else:
                os.dup2(opened, self.descriptor, inheritable=False)
                close(opened)
            status = os.fstat(self.descriptor)
            self._identity = status.st_dev, status.st_ino
            fcntl.lockf(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            header = _HEADER.pack(
                _RUNS, _UNKNOWN, b"\0", time.time(), self.is_sessions, pid, _bytes(name), b"",
            )  # fmt: skip
            # Not by `pwrite`: what `faulthandler` writes goes on where this ends.
            os.write(self.descriptor, header.ljust(HEADER_BYTES, b"\0"))
        except BaseException:
            self.close()
            with contextlib.suppress(OSError):
                self._place.unlink(self._name)
            raise

    def is_open(self) -> bool:
        """False if the program has closed our descriptors, as daemons do."""
        return leads_to(self.descriptor, self._identity)

    def rename(self, name: str) -> None:
        """A forked process gets its name after it has come."""
        if self.is_open():
            os.pwrite(self.descriptor, _bytes(name).ljust(_TEXT_BYTES, b"\0"), _NAME_AT)

    def do(self, doing: str) -> None:
        """Say what it is doing from now on, "" if nothing."""
        now = monotonic()
        if now >= self._look_due:
            self._look_due = now + _LOOK_SECONDS
            self._is_ours = self.is_open()
        if self._is_ours:
            with contextlib.suppress(OSError):
                data = _bytes(doing).ljust(_TEXT_BYTES, b"\0")
                os.pwrite(self.descriptor, data, _DOING_AT)

    def leave(self, status: int | None = None) -> None:
        """It ends in order, or leaves the session."""
        with contextlib.suppress(OSError, ValueError):
            if self.is_open():
                said = _UNKNOWN if status is None else status
                os.pwrite(self.descriptor, _END.pack(_LEFT, said), 0)
                if not self._place.read_head().is_over:
                    return  # the file goes when that is seen
        with contextlib.suppress(OSError, SessionError):
            if not self._place.is_open():
                self._place.reopen()
            self._place.unlink(self._name)

    def stay(self) -> None:
        """After `leave`: it did not, after all."""
        if self.is_open():
            os.pwrite(self.descriptor, _END.pack(_RUNS, _UNKNOWN), 0)

    def close(self) -> None:
        """Close the file, and with it the lock."""
        if leads_to(self.descriptor, self._identity):
            close(self.descriptor)
        self.descriptor = -1
        _own.discard(self._name)


def names(place: Place) -> list[str]:
    """The files of other processes in a place."""
    try:
        found = place.names()
    except OSError:  # it is gone
        return []
    return [name for name in found if name.startswith(_PREFIX) and name not in _own]


def look(place: Place, name: str) -> tuple[Presence | None, bool]:
    """What stands in a file, and whether its process has its lock.

    None if nothing does: it is just being made, or gone.
    """
    try:
        descriptor = place.open_file(name, os.O_RDWR)
    except OSError:
        return None, False
    try:
        if os.fstat(descriptor).st_size < HEADER_BYTES:
            return None, True
        # First the lock, then the text: who leaves in between has said so before it let go.
        is_held = not try_lock(descriptor, 0)
        data = os.pread(descriptor, HEADER_BYTES + _MOST_BYTES, 0)
        return Presence.load(data), is_held
    finally:
        close(descriptor)


def mark_as_meant(place: Place, pid: int) -> None:
    """The program is about to end that process on purpose."""
    for name in names(place):
        if name.startswith(f"{_PREFIX}{pid}-"):
            _write(place, name, b"m", _MEANT_AT)


def mark_as_told(place: Place, name: str) -> None:
    """The log says that this process has died."""
    _write(place, name, _END.pack(_TOLD, _UNKNOWN), 0)


def forget(place: Place, name: str) -> None:
    """There is nothing more to say of this process."""
    with contextlib.suppress(OSError):
        place.unlink(name)


def dead(place: Place) -> Iterator[tuple[str, Presence]]:
    """The files whose processes have let go of them, with what stands there."""
    for name in names(place):
        presence, is_held = look(place, name)
        if presence is not None and not is_held:
            yield name, presence


def _write(place: Place, name: str, data: bytes, at: int) -> None:
    with contextlib.suppress(OSError):
        descriptor = place.open_file(name, os.O_WRONLY)
        try:
            os.pwrite(descriptor, data, at)
        finally:
            close(descriptor)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")[:_TEXT_BYTES]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
