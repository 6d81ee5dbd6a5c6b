"""The named pipe: the only module that knows of it.

Any number of writers, no lock: a write of at most `select.PIPE_BUF` bytes is
atomic. What has been written lives in the kernel as long as one process has
either end open, so it outlives its writer, and its reader too.

Writers hold the writing end alone. So the kernel itself tells them, at once and
at no cost, that nobody reads any more: the write fails (`BrokenPipeError`), and
a writer that waits for room wakes up. Then the pipe is sealed by that, and
whoever opens it for reading finds what was left in it (`drain`).
"""

from __future__ import annotations

import itertools
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Iterator
from typing import Callable

from .frames import HEADER_BYTES, LINE, LINE_TAG, Message, frame, frames, pack_header
from .place import Place, no_fork

try:
    import fcntl
    import termios
except ImportError:  # no POSIX system: a queue stands in for the pipe
    pass

FRAME_BYTES = getattr(select, "PIPE_BUF", 512)
# More than the default lets writers go on while the reader is at the disk.
_CAPACITY_BYTES = 1 << 20
# What the parent has read and not written yet is lost if it is killed. Larger reads
# make that more, and are no faster.
_READ_BYTES = 1 << 16
_NAME = "pipe"
# Elsewhere only the reading end can tell, and an empty read must do for an answer.
_TELLS_BYTES_LEFT = sys.platform == "linux"
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_WRITE = os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | _CLOEXEC
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _CLOEXEC
# How long to wait for a forked child to close its copy of the reading end.
_SEALING_SECONDS = 2.0
_SEALING_PAUSE = 0.001
# The reading ends that are open. A child that kept one would keep all writers
# believing for as long as it lives.
_readers: set[int] = set()


def make(place: Place) -> tuple[PipeReader, int]:
    """Make a place's pipe; returns its reader, and a descriptor to write with."""
    os.mkfifo(os.path.join(place.path, _NAME), 0o600)
    reader = _open_reader(place)
    try:
        writer = open_writer(place)
    except BaseException:
        _close_reader(reader)
        raise
    try:
        fcntl.fcntl(writer, getattr(fcntl, "F_SETPIPE_SZ", 1031), _CAPACITY_BYTES)
    except OSError:
        pass  # over the user's limit, or not Linux: the default does, more slowly
    return PipeReader(reader), writer


def open_writer(place: Place) -> int:
    """A descriptor for writing.

    Raises:
        OSError: There is no pipe, or nobody reads it (ENXIO).
    """
    return place.open_file(_NAME, _WRITE)


def needs_name() -> bool:
    """True if the pipe can't be opened any more once its name is gone."""
    return not os.path.isdir("/proc/self/fd")


def _open_reader(place: Place, writer: int = -1) -> int:
    with no_fork:
        try:
            reader = place.open_file(_NAME, _READ)
        except FileNotFoundError:
            # The directory was cleared away; on Linux the writing end leads to the pipe.
            reader = os.open(f"/proc/self/fd/{writer}", _READ)
        _readers.add(reader)
        return reader


def _close_reader(reader: int) -> None:
    with no_fork:
        if reader in _readers:  # else a fork has closed it
            _readers.remove(reader)
            os.close(reader)


def drain(place: Place, writer: int, reader: int = -1) -> Iterator[bytes]:
    """All that is in the pipe, until it is empty and nobody can write to it any more.

    While the reading end is open, other writers believe themselves heard. So it
    is open for one read at a time, and closed while the caller deals with what
    that brought: every writer learns meanwhile that it must not go on, however
    fast it is, and this comes to its end. A child that was forked an instant ago
    may have it open too, until it gets to closing it: that is waited for.

    Args:
        writer: A descriptor of the writing end.
        reader: The reading end, if it is open already. It gets closed.
    """
    data = b"?"
    deadline = time.monotonic() + _SEALING_SECONDS
    while True:
        if reader < 0:
            if not (bytes_left(writer) if _TELLS_BYTES_LEFT else data):
                if not _TELLS_BYTES_LEFT or not is_read(writer) or time.monotonic() >= deadline:
                    return
                time.sleep(_SEALING_PAUSE)
                continue
            reader = _open_reader(place, writer)
        try:
            data = _read(reader)
        finally:
            _close_reader(reader)
            reader = -1
        if data:
            yield data


def _read(reader: int, limit: int = 0) -> bytes:
    try:
        return os.read(reader, limit or _READ_BYTES)
    except BlockingIOError:
        return b""


def is_read(writer: int) -> bool:
    """True if somebody has the reading end open."""
    poll = select.poll()
    poll.register(writer, 0)
    return not poll.poll(0)


def may_hold_something(writer: int) -> bool:
    """False if the pipe is certainly empty."""
    return not _TELLS_BYTES_LEFT or bytes_left(writer) > 0


def bytes_left(writer: int) -> int:
    """How much stands in the pipe, as far as the system tells."""
    left: int = struct.unpack("i", fcntl.ioctl(writer, termios.FIONREAD, bytes(4)))[0]
    return left


class PipeReader:
    """The reading end, as the listener has it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def read(self, timeout: float | None = None) -> bytes:
        """What is in the pipe, up to a limit; b"" if `timeout` seconds bring nothing."""
        if not (data := _read(self._descriptor)):
            self._poll.poll(None if timeout is None else 1000 * timeout)
            data = _read(self._descriptor)
        return data

    def read_more(self, limit: int) -> bytes:
        """So many bytes, as far as they are in the pipe."""
        return _read(self._descriptor, limit)

    def drain(self, place: Place, writer: int) -> Iterator[bytes]:
        """As `drain`, beginning with the open end."""
        descriptor, self._descriptor = self._descriptor, -1
        return drain(place, writer, descriptor)

    def close(self) -> None:
        """Close the reading end; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        _close_reader(descriptor)


class PipeWriter:
    """Sends one process's messages.

    Args:
        descriptor: The writing end, which stays the caller's.
        foreword: What is to be said before the next message; see `speak_first`.
    """

    def __init__(self, descriptor: int, foreword: Callable[[], Iterator[Message]]) -> None:
        self.descriptor = descriptor
        self._foreword = foreword
        self._pid = os.getpid()
        self._numbers = itertools.count()  # its next() is atomic
        self._longest = FRAME_BYTES - HEADER_BYTES
        # What a line may measure to take the short way; -1: none may.
        self._has_to_speak, self._short = True, -1
        # A default SIGPIPE would end the process when the session is over. The
        # user's choice stays; the write is only shielded from it.
        self._is_shielded = signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL

    def speak_first(self) -> None:
        """Before the next message, send what `foreword` has to say by then."""
        self._has_to_speak, self._short = True, -1

    def send(self, kind: int, created: float, payload: bytes) -> None:
        """Send a message without waiting for room.

        Raises:
            BlockingIOError: The pipe is full; nothing was sent.
            BrokenPipeError: Nobody reads any more; what was sent of it does not count.
        """
        length = len(payload)
        if kind == LINE and length <= self._short:
            os.write(self.descriptor, pack_header(LINE_TAG, length, self._pid, created) + payload)
        else:
            self._send_long(Message(kind, self._pid, created, payload))

    def wait(self, timeout: float | None = None) -> None:
        """Wait until there may be room, or nobody reads any more."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        poll.poll(None if timeout is None else 1000 * timeout)

    def _send_long(self, message: Message) -> None:
        if self._has_to_speak:
            self._speak()
        number = next(self._numbers) % (1 << 32)
        is_begun = False
        for part in frames(message, number, FRAME_BYTES):
            while True:
                try:
                    self._write(part)
                    break
                except BlockingIOError:
                    if not is_begun:
                        raise
                    self.wait()  # what has begun is not given up
            is_begun = True

    def _speak(self) -> None:
        # Marked as done first, since another thread may want something said meanwhile.
        self._has_to_speak = False
        try:
            for note in self._foreword():
                self._write(frame(*note))
        except BaseException:
            self._has_to_speak = True
            raise
        if not self._is_shielded:
            self._short = self._longest
        if self._has_to_speak:  # again, meanwhile: looked at last, so that it is not missed
            self._short = -1

    def _write(self, data: bytes) -> None:
        if not self._is_shielded:
            os.write(self.descriptor, data)
            return
        old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
        try:
            os.write(self.descriptor, data)
        except BrokenPipeError:
            if signal.SIGPIPE in signal.sigpending():
                signal.sigwait({signal.SIGPIPE})
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, old)


def _after_fork() -> None:
    while _readers:
        os.close(_readers.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
