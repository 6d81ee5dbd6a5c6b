"""What a process writes to its descriptors 1 and 2, as files of its session's place.

    output-4711-…   made by process 4711 when the others are there: the level, its name
    stdout-4711-…   appended to by 4711, and by all that it starts
    stderr-4711-…
    read-4711-…     how far its reader is: 8 bytes for each of the two

Who writes holds a shared `flock` on them, which is that of the open file: programs that
have inherited the descriptor have it too, and the kernel drops it with the last of them.
There is one reader at a time: the session's process, or whoever has found that dead.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections.abc import Iterator
from typing import NamedTuple

from .._closing import close
from .descriptors import lifted
from .drops import NOTHING, Dropped, write_drops
from .holes import punch
from .place import Place

try:
    import fcntl
except ImportError:  # no POSIX system: a queue stands in for the journal
    pass

STREAMS = {"stdout": 1, "stderr": 2}  # with their descriptors
_ACCOUNT, _READ = "output-", "read-"
_OFFSET = struct.Struct("<Q")
_LONGEST = 1 << 16  # bytes; a longer line is taken in pieces
_SKIP_BYTES, _FREE_BYTES = 1 << 20, 1 << 20


class Writer(NamedTuple):
    """Whose output it is."""

    pid: int
    process_name: str
    level: int


def make_output(place: Place, writer: Writer) -> tuple[str, dict[str, int]]:
    """Files for what this process writes: their key, and a descriptor of each.

    Raises:
        OSError: They can't be made, or have no locks.
    """
    key = f"{writer.pid}-{time.time_ns()}"
    descriptors: dict[str, int] = {}
    try:
        for stream in STREAMS:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL
            descriptors[stream] = descriptor = lifted(place.open_file(f"{stream}-{key}", flags))
            os.set_blocking(descriptor, True)  # programs might look
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        describe_output(place, key, writer)
    except BaseException:
        for descriptor in descriptors.values():
            close(descriptor)
        raise
    return key, descriptors


def describe_output(place: Place, key: str, writer: Writer) -> None:
    """Say, from now on, whose it is."""
    account = f"{writer.level} {writer.process_name}"
    place.replace(_ACCOUNT + key, account.encode("utf-8", "backslashreplace"))


def output_keys(place: Place) -> list[str]:
    """Of what processes have written there, in the order of their start."""
    keys = [name[len(_ACCOUNT) :] for name in place.names() if name.startswith(_ACCOUNT)]
    return sorted(
        (key for key in keys if key.replace("-", "").isdecimal()),
        key=lambda key: int(key.split("-")[1]),
    )


class Chunk(NamedTuple):
    """Some whole lines."""

    lines: list[str]
    created: float  # when the last of them was written, at the latest
    stop: int  # where they end in the file


class Stream:
    """One of the two of a process, as its reader sees it."""

    def __init__(self, place: Place, stream: str, key: str) -> None:
        self.stream = stream
        self._place, self._key = place, key
        self._name = f"{stream}-{key}"
        self._freed = 0
        self._dropped = NOTHING
        self.offset = self._noted()

    @property
    def writer(self) -> Writer:
        """Whose it is."""
        account = self._place.read(_ACCOUNT + self._key).decode("utf-8", "backslashreplace")
        level, _, process_name = account.partition(" ")
        return Writer(int(self._key.partition("-")[0]), process_name, int(level))

    def unread(self) -> int:
        """How many bytes are."""
        return self._place.status(self._name).st_size - self.offset

    def is_written(self) -> bool:
        """False once no process has it open."""
        descriptor = self._place.open_file(self._name, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            close(descriptor)
        return False

    def next(self, is_all: bool) -> Chunk | None:
        """The lines that come next, if there are any.

        Args:
            is_all: What has no line end yet is a line too.
        """
        descriptor = self._place.open_file(self._name, os.O_RDONLY)
        try:
            status = os.fstat(descriptor)
            data = os.pread(descriptor, _LONGEST, self.offset)
        finally:
            close(descriptor)
        end = data.rfind(b"\n") + 1
        if not end and len(data) == _LONGEST:
            end = _whole_characters(data)
        elif not end and is_all:
            end = len(data)
        if not end:
            return None
        text = data[:end].decode("utf-8", "backslashreplace")
        lines = text.replace("\0", r"\x00").split("\n")  # of a NUL, `grep` shows no line at all
        if not lines[-1]:
            lines.pop()
        created = min(status.st_mtime, time.time())
        return Chunk([line.rstrip("\r") for line in lines], created, self.offset + end)

    def advance(self, stop: int) -> None:
        """All up to there is dealt with: whoever reads on begins there."""
        self.offset = stop
        descriptor = self._place.open_file(_READ + self._key, os.O_WRONLY | os.O_CREAT)
        try:
            os.pwrite(descriptor, _OFFSET.pack(stop), self._slot())
        finally:
            close(descriptor)
        if stop - self._freed >= _FREE_BYTES:
            self._free()

    def skip(self, keep_bytes: int) -> int:
        """Pass over all but the last so many bytes; returns how many lines that were."""
        stop = self._place.status(self._name).st_size - keep_bytes
        lines, offset, created = 0, self.offset, time.time()
        descriptor = self._place.open_file(self._name, os.O_RDONLY)
        try:
            while offset < stop:
                data = os.pread(descriptor, min(_SKIP_BYTES, stop - offset), offset)
                lines += data.count(b"\n")
                offset += len(data)
            rest = os.pread(descriptor, _LONGEST, offset)  # of the line that begins before it
        finally:
            close(descriptor)
        lines, offset = lines + 1, offset + rest.find(b"\n") + 1
        writer = self.writer
        told = f"{self.stream} of {writer.process_name}"
        self._dropped = self._dropped.joined(Dropped(lines, created, created, False, told))
        write_drops(self._place, writer.pid, self._name, self._dropped)
        self.advance(offset)
        return lines

    def _slot(self) -> int:
        return _OFFSET.size * list(STREAMS).index(self.stream)

    def _noted(self) -> int:
        with contextlib.suppress(OSError, struct.error):
            return int(_OFFSET.unpack_from(self._place.read(_READ + self._key), self._slot())[0])
        return 0

    def _free(self) -> None:
        """Give back the room of what is read: the file itself can't be cut, it is written to."""
        descriptor = self._place.open_file(self._name, os.O_RDWR)
        try:
            punch(descriptor, self.offset)
        finally:
            close(descriptor)
        self._freed = self.offset


class Output:
    """Both streams of one process."""

    def __init__(self, place: Place, key: str) -> None:
        self.streams = [Stream(place, stream, key) for stream in STREAMS]
        self._place, self._key = place, key

    def is_written(self) -> bool:
        """False once no process has one of them open."""
        return any(stream.is_written() for stream in self.streams)

    def unread(self) -> int:
        """How many bytes are."""
        return sum(stream.unread() for stream in self.streams)

    def remove(self) -> None:
        """All of it is read, and nobody writes to it."""
        for name in (_ACCOUNT, *(f"{stream}-" for stream in STREAMS), _READ):
            with contextlib.suppress(FileNotFoundError):
                self._place.unlink(name + self._key)


def outputs(place: Place) -> Iterator[Output]:
    """Of all processes that have written there."""
    for key in output_keys(place):
        with contextlib.suppress(OSError, ValueError):
            yield Output(place, key)


def _whole_characters(data: bytes) -> int:
    """Where to cut, lest a character be torn."""
    for back in (1, 2, 3):
        if data[-back] >= 0xC0:
            return len(data) - back
        if data[-back] < 0x80:
            break
    return len(data)
