"""Finished log files are compressed, beside the logging and safe from any kill.

The compressed copy grows under a temporary name, whose lock makes this one
process's work. When it is complete and on the disk, it is renamed into place
and the log file removed, under the lock of the log file itself. A kill between
these two leaves both, with the same content, and the next pass removes the one.
Nobody appends to a log file whose compressed form exists: later lines for its
period go to the period's next part (`unwritten.Elsewhere`).

Where anybody may put files, the names may have been prepared by somebody else: what
is written to, renamed or trusted to be the compressed form is looked at by `ownership`.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from threading import RLock, Thread, current_thread
from typing import IO, Any, Callable

from .._closing import close
from .._errors import ConfigError
from .._event import Event
from .._lock import FileLock, try_lock, unlock
from .appending import LOOK_INTERVAL
from .names import FileNames, LogFile
from .ownership import check_form, is_at, is_others, no_link, own_file

_MODULES = {"gz": "gzip", "zst": "compression.zstd"}
ALGORITHMS = tuple(_MODULES)
_TEMPORARY = ".tmp"
_BLOCK_BYTES = 1 << 20
_LOCK_TIMEOUT = 5.0


def opener_of(algorithm: str) -> Callable[..., Any]:
    """What opens a compressed file, as `gzip.open` does.

    Raises:
        ConfigError: The algorithm is unknown, or this Python lacks it.
    """
    module = _MODULES.get(algorithm) if isinstance(algorithm, str) else None
    if module is None:
        raise ConfigError(f"compress must be one of {ALGORITHMS} or None, got {algorithm!r}")
    try:
        opener: Callable[..., Any] = importlib.import_module(module).open
    except ImportError:
        raise ConfigError(
            "compress='zst' needs Python 3.14 or newer with compression.zstd: use 'gz'"
        ) from None
    return opener


class Compressor:
    """Compresses the finished files of one name in a thread of its own.

    Args:
        grace: Seconds after a period's end, and after the last write to its
            file, before that is compressed.
        report: Is told of what can't be compressed, once until all can be.
    """

    def __init__(
        self, names: FileNames, algorithm: str, grace: float, report: Callable[[str], None]
    ) -> None:
        self._names = names
        self._algorithm = algorithm
        self._open = opener_of(algorithm)
        self._grace = grace
        self._report = report
        self._is_told = False
        self.forget()

    def forget(self) -> None:
        """In a forked child: the thread and what it holds are the parent's."""
        self._lock = FileLock(_LOCK_TIMEOUT)
        self._stopping = Event()
        self._guard = RLock()  # of the thread's beginning and end
        self._thread: Thread | None = None
        self._is_wanted = False

    def start(self) -> None:
        """See that finished files get compressed; returns at once."""
        with self._guard:
            self._is_wanted = True
            if self._thread is not None and self._thread.is_alive():
                return
            self._stopping = Event()
            self._thread = Thread(
                target=self._run, args=(self._stopping,), name="mplogging-compressor", daemon=True
            )
            try:
                self._thread.start()
            except RuntimeError:
                self._thread = None  # the interpreter is ending: the next process sees to them

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread; a file half compressed is left to the next one."""
        with self._guard:
            thread, self._thread = self._thread, None
            self._stopping.set()
        if thread is not None:
            thread.join(timeout)

    def _run(self, stopping: Event) -> None:
        while not stopping.is_set():
            self._is_wanted = False
            try:
                is_done = self.compress_finished()
            except OSError as error:  # a directory that can't be read
                is_done = False
                self._tell(error)
            if not is_done:
                stopping.wait(self._grace)
                continue
            with self._guard:
                if not self._is_wanted:  # else a period has ended in the meantime
                    if self._thread is current_thread():
                        self._thread = None
                    return

    def compress_finished(self) -> bool:
        """One pass; True if no file is left that will be due without further ado."""
        is_done = True
        failure: OSError | None = None
        now = time.time()
        for file in self._names.scan():
            if self._stopping.is_set():
                return True
            if not file.compression and file.period.end <= now:
                try:
                    is_done &= self._is_quiet(file.path) and self._compress(file)
                except OSError as error:
                    is_done = False
                    failure = failure or error
        if failure is None:
            self._is_told = False
        else:
            self._tell(failure)
        self._sweep()
        return is_done

    def _tell(self, error: OSError) -> None:
        if not self._is_told:
            self._is_told = True
            self._report(f"finished files can't be compressed: {error}")

    def _is_quiet(self, path: str) -> bool:
        parsed = self._names.parse(path)
        try:
            last_write = os.stat(path).st_mtime
        except FileNotFoundError:
            return True
        since = max(last_write, parsed.period.end if parsed else 0)
        return since + self._grace <= time.time()

    def _compress(self, file: LogFile) -> bool:
        target = self._names.path(file.period, file.part, self._algorithm)
        temporary = target + _TEMPORARY
        if is_others(file.path):
            return True  # its owner sees to it
        try:
            source = open(file.path, "rb", opener=no_link)
        except FileNotFoundError:
            return True
        with source, own_file(temporary) as copy:
            if copy is None:
                return True  # another process is at it
            try:
                if not is_at(copy, temporary):
                    return True  # another process has just finished it
                if os.path.lexists(target):
                    return self._finish(source, file.path, target)
                copy.truncate(0)
                size = self._copy(source, copy)
                return size is not None and self._commit(source, size, copy, file.path, target)
            finally:
                if is_at(copy, temporary):  # for a full disk, each byte counts
                    os.unlink(temporary)

    def _copy(self, source: IO[bytes], copy: IO[bytes]) -> int | None:
        size = 0
        with self._open(copy, "wb") as compressed:
            while block := source.read(_BLOCK_BYTES):
                if self._stopping.is_set():
                    return None
                compressed.write(block)
                size += len(block)
        return size

    def _commit(
        self, source: IO[bytes], size: int, copy: IO[bytes], path: str, target: str
    ) -> bool:
        copy.flush()
        status = os.fstat(source.fileno())
        with contextlib.suppress(PermissionError):  # what root compresses stays its owner's
            os.fchown(copy.fileno(), status.st_uid, status.st_gid)
        os.fchmod(copy.fileno(), status.st_mode & 0o7777)
        os.fsync(copy.fileno())
        # Who has looked for the compressed form before writing the last of these
        # bytes will look again from now on. (The monotonic clock says so, which
        # no one sets.)
        if self._stopping.wait(LOOK_INTERVAL):
            return False
        if not self._lock.acquire(source.fileno()):
            return False
        try:
            is_whole = os.fstat(source.fileno()).st_size == size
            if not is_whole or not is_at(source, path) or not self._is_quiet(path):
                return False
            os.utime(copy.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
            os.rename(target + _TEMPORARY, target)
            _sync_directory(os.path.dirname(target))
            if not is_at(copy, target):  # somebody has put another in its place
                return False
            os.unlink(path)
            return True
        finally:
            self._lock.release(source.fileno())

    def _finish(self, source: IO[bytes], path: str, target: str) -> bool:
        """Both forms exist: a kill came between rename and unlink, or they differ."""
        with open(target, "rb", opener=no_link) as file, self._open(file, "rb") as compressed:
            check_form(file, source, target)
            is_same = _same_content(source, compressed)
        if is_same and self._lock.acquire(source.fileno()):
            try:
                if is_at(source, path) and not source.read(1):
                    os.unlink(path)
            finally:
                self._lock.release(source.fileno())
        return True

    def _sweep(self) -> None:
        """Remove temporary files whose log file is gone, and whose maker is too."""
        for directory in {os.path.dirname(file.path) for file in self._names.scan()}:
            for name in os.listdir(directory):
                if not name.endswith(_TEMPORARY):
                    continue
                path = os.path.join(directory, name)
                owner = self._names.parse(path[: -len(_TEMPORARY)])
                if owner is None or not owner.compression:
                    continue
                if os.path.exists(self._names.path(owner.period, owner.part)):
                    continue
                with contextlib.suppress(OSError), open(path, "rb", opener=no_link) as leftover:
                    if try_lock(leftover.fileno()):
                        if is_at(leftover, path):
                            os.unlink(path)
                        unlock(leftover.fileno())


def _sync_directory(path: str) -> None:
    """After a power cut, too, the compressed file is there before the other is gone."""
    directory = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # not every file system can
            os.fsync(directory)
    finally:
        close(directory)


def _same_content(one: IO[bytes], other: IO[bytes]) -> bool:
    try:
        while True:
            block = one.read(_BLOCK_BYTES)
            if block != other.read(_BLOCK_BYTES):
                return False
            if not block:
                return True
    except Exception:  # each algorithm has its own for damaged data
        return False
