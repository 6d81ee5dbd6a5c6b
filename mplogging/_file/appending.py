"""One log file, open for appending: whole chunks, under the lock, or not at all.

Appending needs the lock only against those who change what is there already:
`O_APPEND` keeps the writers apart among themselves, on a local file system. So
they share it, which makes four programs on two cores a quarter faster than one
after the other, and whoever cuts or seals has it alone. So has who writes the last
quarter of what `max_bytes` leaves room for: to grow to a size and no further is for
one at a time to decide.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Sequence
from os import SEEK_END, lseek, pread, write  # by name: 0.7 % of a log call
from time import monotonic, sleep

from .._errors import is_foreign
from .._lock import UNLOCK, FileLock, flock
from .endings import ends_whole, header_end, is_readable, kept_end, last_line_end, position
from .opening import Access, open_for_append, reopen
from .unwritten import Elsewhere, Failed, Full

# How often (seconds) to look whether the file still stands under its name.
# Compression waits for longer than this since the last write.
LOOK_INTERVAL = 0.1
# Seconds for which half a line must stay as it is to count as left by the dead.
# An append without the lock (its holder was stopped) may just be going on.
_SETTLING = 0.01
# The same where there is no lock: longer than the kernel lets one who writes too much pause
# in the midst of a write. Our own write would wait for that one's anyway.
_UNLOCKED_SETTLING = 0.3
_FIRST_PAUSE, _LONGEST_PAUSE = 0.00005, 0.005
_UNOPENED, _UNKNOWN = -1, -2
# So many writers may be in the midst of a write each when the last quarter of a file
# begins, and yet have room in it.
_MOST_WRITERS = 256


# What is told of each write before it: the file, its end, and the chunks.
Announce = Callable[["AppendFile", int, Sequence[bytes]], None]


class AppendFile:
    """A file that any number of processes append to.

    Args:
        max_bytes: The size that the file may not grow past, 0 for none. A
            single chunk larger than it is written whole into an empty file.
        zone: What `time.tzname` was when `start` and `end` were found: `time.tzset`
            makes another tuple each time.
        start, end: The time (unix seconds) from which its lines are, and until which.
        ended_by: Paths of which one exists once the file is compressed, or another
            part has taken its place.
        sealed_after: The time from which on it may get compressed.
        cut_since: Half a line that is found on opening, and was written earlier
            than this, is what a crashed machine left: it stays, with a line of
            its own. Any other is what a killed process left of a call that
            never returned: it is cut off.
    """

    descriptor = -1
    # What stands there of a chunk of ours that was cut in two, and where it ends.
    _half, _half_end = b"", 0

    def __init__(
        self,
        path: str,
        lock: FileLock,
        access: Access,
        max_bytes: int = 0,
        zone: tuple[str, str] | None = None,
        start: float = 0.0,
        end: float = float("inf"),
        ended_by: Sequence[str] = (),
        sealed_after: float = 0.0,
        cut_since: float = float("inf"),
    ) -> None:
        self.path = path
        self._lock = lock
        self._access = access
        self._max_bytes = max_bytes
        self._shared_end = max_bytes * 3 // 4
        self._shared_size = max_bytes // 4 // _MOST_WRITERS
        self.start, self.end = float(start), float(end)  # quicker to compare with than ints
        self._ended_by = ended_by
        self._sealed_after = sealed_after
        self._cut_since = cut_since
        self.zone = zone
        self._end = _UNOPENED  # where this process last saw the file end
        self._look_due = 0.0
        self.descriptor, self.is_new = open_for_append(path, access)
        self._is_readable = is_readable(self.descriptor)
        self._ending = access.terminator
        # Where a look at the last bytes does not say it, no file is long enough for that.
        is_plain = self._is_readable and access.unit_bytes == 1
        self._ending_bytes = len(self._ending) if is_plain else sys.maxsize

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode."""
        status = os.fstat(self.descriptor)
        return status.st_dev, status.st_ino

    def append(self, chunks: Sequence[bytes], announce: Announce | None = None) -> None:
        """Append the chunks in one write.

        Args:
            announce: Is told just before it: of the file, its end, and the chunks.

        Raises:
            Elsewhere, Full, Failed: with the chunks that are not in the file.
        """
        descriptor, lock = self.descriptor, self._lock
        is_locked = True  # in case that a signal raises as soon as the lock is taken
        try:
            is_locked = lock.acquire(descriptor)
            if monotonic() >= self._look_due:
                self._look(chunks)
            if not is_locked and lock.is_held_up and time.time() >= self._sealed_after:
                raise Full(chunks)  # whoever holds the lock may be sealing it
            end = lseek(descriptor, 0, SEEK_END)
            # Here, not in `_mend`: with four programs nearly each record comes after another's.
            if end != self._end and (
                self._half
                or end < self._ending_bytes
                or pread(descriptor, self._ending_bytes, end - self._ending_bytes) != self._ending
            ):
                end = self._mend(end, is_locked)
                if self._half:
                    end, chunks = self._go_on(end, chunks)
            fitting = chunks
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            if self._max_bytes and (end > self._shared_end or len(data) > self._shared_size):
                if lock.is_shared:
                    lock.stay_alone()
                    return self.append(chunks, announce)
                fitting = self._fitting(chunks, end)
                if fitting is not chunks:
                    data = b"".join(fitting)
            if announce is not None and data:
                announce(self, end, fitting)
            written = write(descriptor, data)
            if written == len(data):
                self._end = end + written
            else:
                self._write_rest(data, written, chunks)
            if fitting is not chunks:
                raise Full(chunks[len(fitting):])
        except OSError as error:
            self._look_due = 0.0  # nothing was written that would put off the sealing
            if is_foreign(error):
                raise
            raise Failed(chunks) from error
        except MemoryError as error:  # of joining them: nothing was written
            raise Failed(chunks) from error
        finally:
            if is_locked:
                try:
                    flock(descriptor, UNLOCK)
                except OSError as error:
                    self._let_go()
                    if is_foreign(error):
                        raise

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            self.close()  # as a FileHandler does that nobody has closed

    def close(self) -> None:
        """Close the descriptor; a second time does nothing.

        Raises:
            OSError: The system has not kept all that it had taken.
        """
        if self._half and self.descriptor >= 0:
            self._take_back()
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _let_go(self) -> None:
        """The lock could not be given back, as all wait for it: it goes with its descriptor.

        What has been written is written: nothing here may fail.
        """
        try:
            flock(self.descriptor, UNLOCK)
        except OSError:
            reopen(self.path, self.descriptor)
            self._look_due = 0.0  # another file may have that name

    def _look(self, chunks: Sequence[bytes]) -> None:
        here = os.fstat(self.descriptor)
        try:
            there = os.stat(self.path)
        except OSError:
            raise Elsewhere(chunks) from None
        if (here.st_ino, here.st_dev) != (there.st_ino, there.st_dev):
            raise Elsewhere(chunks)
        if any(map(os.path.isfile, self._ended_by)):
            if here.st_size == 0:
                os.unlink(self.path)  # made between the sealing and this look
            raise Elsewhere(chunks)
        self._look_due = monotonic() + LOOK_INTERVAL

    def _mend(self, end: int, is_locked: bool) -> int:
        """Someone else wrote, or nobody yet: see that a line can begin at the end."""
        if self._half:
            if self._stands_there(end):
                return end
            self._half = b""  # another has cut it off
        if end == 0:
            return self._begin(is_locked)
        if not self._is_readable or ends_whole(self.descriptor, end, self._access):
            return end
        return self._end_half_line(end, is_locked)

    def _begin(self, is_locked: bool) -> int:
        """The file is empty: its header comes first, and once."""
        header = self._access.header
        if not header:
            return 0
        if is_locked:
            self._lock.upgrade(self.descriptor)
        end = lseek(self.descriptor, 0, SEEK_END)  # another may have begun meanwhile
        if end:
            return self._mend(end, is_locked)
        if write(self.descriptor, header) != len(header):
            raise OSError(errno.ENOSPC, "no room for the file's header", self.path)
        return len(header)

    def _end_half_line(self, end: int, is_locked: bool) -> int:
        descriptor, access = self.descriptor, self._access
        if end == len(access.header) == header_end(descriptor, access):
            return end
        stays = self._end == _UNOPENED and os.fstat(descriptor).st_mtime < self._cut_since
        is_alone = is_locked and self._lock.upgrade(descriptor)
        if not (is_alone or stays):
            return self._end_when_left(end)
        line_end = (kept_end if stays else last_line_end)(descriptor, end, access)
        # To get it alone, the lock was lost for a moment, and a writer that could not
        # have it in time may be at work without it: only an end that stays is nobody's.
        if lseek(descriptor, 0, SEEK_END) == end:
            sleep(_SETTLING)
        settled = lseek(descriptor, 0, SEEK_END)
        if settled != end:
            return self._mend(settled, is_locked)
        if line_end != end:
            try:
                os.ftruncate(descriptor, line_end)
            except PermissionError as error:  # an append-only file
                if is_foreign(error):
                    raise
                stays, line_end = True, end
        if stays and line_end and not ends_whole(descriptor, line_end, access):
            return self._end_line(line_end)
        return line_end or self._begin(is_locked)

    def _end_when_left(self, end: int) -> int:
        """Without the lock nothing is cut off: half a line that nobody goes on with stays."""
        deadline, pause = monotonic() + _UNLOCKED_SETTLING, _FIRST_PAUSE
        while (settled := lseek(self.descriptor, 0, SEEK_END)) == end:
            if monotonic() >= deadline:
                return self._end_line(end)
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return settled

    def _end_line(self, end: int) -> int:
        # Half a character that can't be cut off would put all after it out of step.
        padding = b"\0" * (-end % self._access.unit_bytes)
        return end + write(self.descriptor, padding + self._access.terminator)

    def _fitting(self, chunks: Sequence[bytes], end: int) -> Sequence[bytes]:
        """Those that there is room for: all, or fewer; in an empty file one at least."""
        room = self._max_bytes - end
        for count, chunk in enumerate(chunks):
            room -= len(chunk)
            if room < 0 and (count or end > len(self._access.header)):
                return chunks[:count]
        return chunks

    def _write_rest(self, data: bytes, written: int, chunks: Sequence[bytes]) -> None:
        """Go on after a short write, or take back the chunk that it cut in two."""
        self._end = _UNKNOWN
        try:
            while written < len(data):
                written += write(self.descriptor, memoryview(data)[written:])
        except BaseException as error:
            whole = whole_bytes = 0
            while whole_bytes + len(chunks[whole]) <= written:
                whole_bytes += len(chunks[whole])
                whole += 1
            self._half = data[whole_bytes:written]
            self._half_end = position(self.descriptor)
            self._look_due = 0.0
            if not isinstance(error, OSError) or is_foreign(error):
                raise
            if self._half:
                self._take_back()
            raise Failed(chunks[whole:]) from error

    def _take_back(self) -> None:
        """Cut off our own half chunk; if that can't be, its rest will come right after it."""
        descriptor, start = self.descriptor, self._half_end - len(self._half)
        try:
            if self._lock.acquire(descriptor) and not self._lock.upgrade(descriptor):
                return
            try:
                # Another writer may have found it in the meantime, and cut it off.
                if self._stands_there(os.fstat(descriptor).st_size):
                    os.ftruncate(descriptor, start)
                self._half = b""
            finally:
                self._lock.release(descriptor)
        except OSError as error:
            if is_foreign(error):
                raise

    def _stands_there(self, end: int) -> bool:
        """Is our half chunk what the file ends with?"""
        if end != self._half_end:
            return False
        try:
            return os.pread(self.descriptor, len(self._half), end - len(self._half)) == self._half
        except OSError:
            return True  # it may be written only, and there is nothing against it

    def _go_on(self, end: int, chunks: Sequence[bytes]) -> tuple[int, Sequence[bytes]]:
        """Our half chunk could not be taken back: its rest comes now, and nothing in between."""
        if not chunks[0].startswith(self._half):  # it was given up meanwhile
            self._take_back()
            if self._half:
                write(self.descriptor, self._access.terminator)
            self._half = b""
            return lseek(self.descriptor, 0, SEEK_END), chunks
        while rest := chunks[0][len(self._half):]:
            written = write(self.descriptor, rest)
            self._half += rest[:written]
            self._half_end = end = position(self.descriptor)
        self._half = b""
        return end, chunks[1:]
