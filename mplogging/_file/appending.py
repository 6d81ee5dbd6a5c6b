"""One log file, open for appending: whole chunks, under the lock, or not at all.

Appending needs the lock only against those who change what is there already:
`O_APPEND` keeps the writers apart among themselves, on a local file system. So
they share it, which makes four programs on two cores a quarter faster than one
after the other, and whoever cuts, seals or counts (`max_bytes`) has it alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from os import SEEK_CUR, SEEK_END, lseek, write  # by name: 0.7 % of a log call
from time import monotonic

from .._lock import UNLOCK, FileLock, flock
from .opening import Access, open_for_append

# How often (seconds) to look whether the file still stands under its name.
# Compression waits for longer than this since the last write.
LOOK_INTERVAL = 0.1
# Seconds for which half a line must stay as it is to count as left by the dead.
# An append without the lock (its holder was stopped) may just be going on.
_SETTLING = 0.01
_BLOCK_BYTES = 65536
_UNOPENED, _UNKNOWN = -1, -2


class Unwritten(Exception):
    """Some chunks are not in the file; `args[0]` holds them, in order."""

    @property
    def chunks(self) -> Sequence[bytes]:
        chunks: Sequence[bytes] = self.args[0]
        return chunks


class Elsewhere(Unwritten):
    """The file was removed, moved or ended: open what has its place."""


class Full(Unwritten):
    """The file has no room for the chunks: they belong to the period's next part."""


class Failed(Unwritten):
    """The system refused to write; `__cause__` is its error."""


class AppendFile:
    """A file that any number of processes append to.

    Args:
        max_bytes: The size that the file may not grow past, 0 for none. A
            single chunk larger than it is written whole into an empty file.
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

    def __init__(
        self,
        path: str,
        lock: FileLock,
        access: Access,
        max_bytes: int = 0,
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
        self.start, self.end = float(start), float(end)  # quicker to compare with than ints
        self._ended_by = ended_by
        self._sealed_after = sealed_after
        self._cut_since = cut_since
        self._end = _UNOPENED  # where this process last saw the file end
        self._look_due = 0.0
        self.descriptor, self.is_new = open_for_append(path, access)

    def append(self, chunks: Sequence[bytes]) -> None:
        """Append the chunks in one write.

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
            if end != self._end:
                end = self._mend(end, is_locked)
            fitting = self._fitting(chunks, end) if self._max_bytes else chunks
            data = fitting[0] if len(fitting) == 1 else b"".join(fitting)
            written = write(descriptor, data)
            self._end = end + written
            if written != len(data):
                self._write_rest(data, written, chunks)
            if fitting is not chunks:
                raise Full(chunks[len(fitting):])
        except OSError as error:
            self._look_due = 0.0  # nothing was written that would put off the sealing
            if _is_foreign(error):
                raise
            raise Failed(chunks) from error
        finally:
            if is_locked:
                flock(descriptor, UNLOCK)

    def __del__(self) -> None:
        self.close()  # as a FileHandler does that nobody has closed

    def close(self) -> None:
        """Close the descriptor; a second time does nothing."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _look(self, chunks: Sequence[bytes]) -> None:
        here = os.fstat(self.descriptor)
        try:
            there = os.stat(self.path)
        except OSError:
            raise Elsewhere(chunks) from None
        if (here.st_ino, here.st_dev) != (there.st_ino, there.st_dev):
            raise Elsewhere(chunks)
        if any(map(os.path.exists, self._ended_by)):
            if here.st_size == 0:
                os.unlink(self.path)  # made between the sealing and this look
            raise Elsewhere(chunks)
        self._look_due = monotonic() + LOOK_INTERVAL

    def _mend(self, end: int, is_locked: bool) -> int:
        """Someone else wrote, or nobody yet: see that a line can begin at the end."""
        if end == 0:
            return self._begin(is_locked)
        ending = self._access.terminator
        is_whole = os.pread(self.descriptor, len(ending), max(0, end - len(ending))) == ending
        if is_whole and not end % self._access.unit_bytes:
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
        return self._mend(end, is_locked) if end else write(self.descriptor, header)

    def _end_half_line(self, end: int, is_locked: bool) -> int:
        descriptor, access = self.descriptor, self._access
        if end == len(access.header) == self._header_end():
            return end
        stays = self._end == _UNOPENED and os.fstat(descriptor).st_mtime < self._cut_since
        is_alone = is_locked and self._lock.upgrade(descriptor)
        if not (is_alone or stays):
            return end
        line_end = end - end % access.unit_bytes if stays else self._last_line_end(end)
        # To get it alone, the lock was lost for a moment, and a writer that could not
        # have it in time may be at work without it: only an end that stays is nobody's.
        if lseek(descriptor, 0, SEEK_END) == end:
            time.sleep(_SETTLING)
        settled = lseek(descriptor, 0, SEEK_END)
        if settled != end:
            return self._mend(settled, is_locked)
        if line_end != end:
            os.ftruncate(descriptor, line_end)
        if stays:
            return line_end + write(descriptor, access.terminator)
        return line_end or self._begin(is_locked)

    def _last_line_end(self, end: int) -> int:
        ending, unit_bytes = self._access.terminator, self._access.unit_bytes
        while end > 0:
            start = max(0, end - _BLOCK_BYTES)
            block = os.pread(self.descriptor, end - start, start)
            found = block.rfind(ending)
            while found >= 0 and (start + found) % unit_bytes:  # it is in two characters
                found = block.rfind(ending, 0, found + len(ending) - 1)
            if found >= 0:
                return start + found + len(ending)
            end = start if start == 0 else start + len(ending) - 1
        return self._header_end()

    def _header_end(self) -> int:
        """Where the first line begins."""
        header = self._access.header
        return len(header) if os.pread(self.descriptor, len(header), 0) == header else 0

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
        try:
            while written < len(data):
                written += write(self.descriptor, memoryview(data)[written:])
            self._end = lseek(self.descriptor, 0, SEEK_CUR)
        except OSError as error:
            whole = whole_bytes = 0
            while whole_bytes + len(chunks[whole]) <= written:
                whole_bytes += len(chunks[whole])
                whole += 1
            self._take_back(data[whole_bytes:written])
            self._end, self._look_due = _UNKNOWN, 0.0
            raise Failed(chunks[whole:]) from error

    def _take_back(self, half: bytes) -> None:
        """Cut off what we have just written, if it still is the end of the file."""
        descriptor = self.descriptor
        end = lseek(descriptor, 0, SEEK_CUR)
        if self._lock.acquire(descriptor) and not self._lock.upgrade(descriptor):
            return
        try:
            # Another writer may have found the half line in the meantime, and cut it.
            if end == os.fstat(descriptor).st_size:
                if os.pread(descriptor, len(half), end - len(half)) == half:
                    os.ftruncate(descriptor, end - len(half))
        finally:
            self._lock.release(descriptor)


def _is_foreign(error: OSError) -> bool:
    """Whether a signal handler raised it, a TimeoutError say: the chunks may be written."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return False
    raised_in = str(traceback.tb_frame.f_globals.get("__name__"))
    return raised_in.partition(".")[0] != __name__.partition(".")[0]
