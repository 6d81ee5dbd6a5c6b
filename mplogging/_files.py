"""`DatedFileHandler`: a record's own time names the file that its line goes to.

    emit(record) ─ LineFormat ─ write(created, chunks) ─ Backlog ─ FileSeries ─ AppendFile

The active file carries its date, so a new period renames nothing, and any number
of processes may write the same log: each comes to the same name by itself.
"""

from __future__ import annotations

import datetime
import logging
import os
import time
import weakref
from collections.abc import Sequence
from typing import Any

from ._appending import Access, Failed
from ._backlog import Backlog
from ._compression import Compressor
from ._errors import ConfigError
from ._lines import LineFormat
from ._link import StableLink
from ._lock import IS_AVAILABLE, FileLock, NoLock
from ._names import FileNames
from ._periods import Calendar
from ._retention import Retention
from ._series import FileSeries


class DatedFileHandler(logging.Handler):
    """Writes each record to the file of the record's own date.

    For one process or for any number of unrelated ones that share a log.
    Arguments named as in `logging.handlers.TimedRotatingFileHandler` mean what
    they mean there, with the differences that the README lists.

    Args:
        filename: The log's name, to which "." and the date are added, or a name
            with strftime directives that place the date. Missing directories
            are made.
        when: "S", "M", "H", "D", "midnight", "W0" to "W6"; in either case.
        interval: How many of these make a period; counted from a fixed point,
            so that all processes agree.
        backupCount: Old files to keep beside the active one; 0 keeps all.
        delay: Open the file at the first record only.
        utc: Periods by UTC rather than by local time.
        atTime: When the day or week begins, for "midnight", "D" and "W0" to "W6".
        suffix: strftime pattern in place of the one that belongs to `when`.
        maxAge: How long to keep a file after its period: a timedelta or
            seconds; 0 keeps all.
        maxTotalBytes: How much all files may take together; 0 is no limit.
        maxBytes: A file that would grow past it goes on as ".1", ".2", …; 0 is
            no limit.
        compress: "gz" or "zst" compresses finished files; None does not.
        compressAfter: Seconds after a period's end, and after the last write to
            its file, before it is compressed.
        symlink: True keeps `filename` itself as a symbolic link to the active
            file; a string is the link's name.
        mode: Permissions of new files, whatever the umask; None leaves it to that.
        dirMode: The same for new directories.
        lock: Take the file's lock for each write.
        lockTimeout: Seconds to wait for a stopped holder of the lock, once;
            after that, lines are appended without it until it is free again.
        bufferBytes: How much waits in memory while the disk is full.
        newlines: "keep", "escape" or "indent": what becomes of line breaks
            within a record.

    Raises:
        ConfigError: An argument has a value that cannot work.
        OSError: The file cannot be opened (with `delay`, `handleError` gets it).
    """

    terminator = "\n"

    def __init__(
        self,
        filename: str | os.PathLike[str],
        when: str = "midnight",
        interval: int = 1,
        backupCount: int = 0,
        encoding: str | None = "utf-8",
        delay: bool = False,
        utc: bool = False,
        atTime: datetime.time | None = None,
        errors: str | None = "backslashreplace",
        *,
        suffix: str | None = None,
        maxAge: float | datetime.timedelta = 0,
        maxTotalBytes: int = 0,
        maxBytes: int = 0,
        compress: str | None = None,
        compressAfter: float = 60.0,
        symlink: bool | str = False,
        mode: int | None = None,
        dirMode: int | None = None,
        lock: bool = True,
        lockTimeout: float = 5.0,
        bufferBytes: int = 64 << 20,
        newlines: str = "keep",
    ) -> None:
        settings = dict(locals())
        del settings["self"], settings["__class__"]
        # What a copy of this handler, unpickled in another process, is made of.
        self._settings = settings
        for name in ("backupCount", "maxTotalBytes", "maxBytes", "bufferBytes"):
            _check_count(name, settings[name])
        for name in ("mode", "dirMode"):
            if settings[name] is not None:
                _check_count(name, settings[name])
        _check_seconds("lockTimeout", lockTimeout)
        age = maxAge.total_seconds() if isinstance(maxAge, datetime.timedelta) else maxAge
        _check_seconds("maxAge", age)
        self.encoding = encoding or "utf-8"
        self.errors = errors or "strict"
        self.utc, self.atTime, self.interval = bool(utc), atTime, interval
        self.backupCount, self.maxBytes = backupCount, maxBytes
        self._newlines = newlines
        self._calendar = Calendar(when, interval, utc, atTime)
        self.when = self._calendar.when
        names = FileNames(os.fspath(filename), self._calendar, suffix)
        settings["filename"] = names.filename  # absolute: a copy may start elsewhere
        self.baseFilename = names.stable or names.filename
        link = _link_path(symlink, names)
        if compress is not None and not (lock and IS_AVAILABLE):
            raise ConfigError(f"compress={compress!r} needs lock=True")
        self._compressor = (
            Compressor(names, compress, compressAfter) if compress is not None else None
        )
        self._backlog = Backlog(bufferBytes)
        self._is_writing = False
        self._lost_reported = 0
        super().__init__()
        self.setFormatter(None)
        self._series = FileSeries(
            self._calendar,
            names,
            FileLock(lockTimeout) if lock and IS_AVAILABLE else NoLock(),
            Access(mode, dirMode, self._lines.file_header, self._lines.terminator),
            maxBytes,
            Retention(names, backupCount, age, maxTotalBytes),
            StableLink(link, names) if link else None,
            self._compressor,
            self._report,
        )
        if not delay:
            self.open()
        _handlers.add(self)

    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        """As `Handler.setFormatter`; what the formatter is set to do holds from here on."""
        super().setFormatter(fmt)
        self._lines = LineFormat(
            fmt or logging.Formatter(), self.encoding, self.errors, self.terminator, self._newlines
        )
        self.line = self._lines.line

    @property
    def activeFilename(self) -> str:
        """Path of the file that a record made now goes to."""
        return self._series.path_of(time.time())

    @property
    def waiting(self) -> int:
        """Lines in memory that the disk refuses for the time being."""
        return self._backlog.count()

    @property
    def lost(self) -> int:
        """Lines given up because the disk refused them for too long."""
        return self._lost_reported + self._backlog.lost

    @property
    def late(self) -> int:
        """Lines written to the file of an older period than the newest."""
        return self._series.late_count

    def open(self) -> None:
        """Open the present period's file, if it is not open yet.

        Raises:
            OSError: It can't be opened.
        """
        self.acquire()
        try:
            self._series.file_of(time.time())
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's line to the file of the record's date."""
        try:
            self.write(record.created, (self.line(record),))
        except Exception:
            self.handleError(record)

    def write(self, created: float, chunks: Sequence[bytes]) -> None:
        """Write whole lines that all belong to the period of `created`.

        Never raises for the disk's sake: what it refuses waits in memory.
        """
        self.acquire()
        try:
            backlog = self._backlog
            if self._is_writing:
                # A signal handler logs in the midst of a write by its own
                # thread, which sees to these lines when it is done.
                backlog.add(created, chunks)
                return
            self._is_writing = True
            try:
                if backlog.cause is not None and not backlog.is_resting():
                    self._write_backlog()
                if backlog.cause is not None:
                    backlog.add(created, chunks)
                    return
                try:
                    self._series.append(created, chunks)
                except Failed as failed:
                    backlog.waiting.appendleft((created, failed.chunks))
                    self._note_failure(failed)
                else:
                    if backlog.waiting:
                        self._write_backlog()
            finally:
                self._is_writing = False
        finally:
            self.release()

    def bounds(self, created: float) -> tuple[int, int]:
        """Start (inclusive) and end (exclusive) of the period that `created` is in."""
        return self._calendar.period_of(created)[:2]

    def flush(self) -> None:
        """Try to write what waits in memory."""
        self.acquire()
        try:
            if not self._is_writing and (self._backlog.waiting or self._backlog.lost):
                self._is_writing = True
                try:
                    self._write_backlog()
                finally:
                    self._is_writing = False
        finally:
            self.release()

    def close(self) -> None:
        """Write what waits, if the disk takes it, and close the files.

        As with `FileHandler`, a later record opens them again.
        """
        self.acquire()
        try:
            self.flush()
            if self.waiting:
                self._report(f"{self.waiting} lines of {self.baseFilename} are lost at its end")
                self._backlog.lost += self.waiting
                self._backlog.waiting.clear()
            self._series.close()
        finally:
            self.release()
        if self._compressor is not None:
            self._compressor.stop()
        super().close()

    def _write_backlog(self) -> None:
        backlog = self._backlog
        try:
            if backlog.lost:
                self._write_loss()
            while backlog.waiting:
                created, chunks = backlog.waiting[0]
                try:
                    self._series.append(created, chunks)
                except Failed as failed:
                    backlog.written(failed.chunks)
                    raise
                except BaseException:
                    backlog.written()  # not the disk's fault: another try would fail too
                    raise
                backlog.written()
        except Failed as failed:
            self._note_failure(failed)
        else:
            backlog.cause = None

    def _write_loss(self) -> None:
        """The first line after an incident says what it cost."""
        lost, self._backlog.lost = self._backlog.lost, 0
        record = logging.makeLogRecord({
            "name": "mplogging", "levelno": logging.WARNING, "levelname": "WARNING",
            "msg": "%d lines were lost while the log could not be written: %s",
            "args": (lost, self._backlog.cause),
        })
        try:
            self._series.append(record.created, (self.line(record),))
        except Failed:
            self._backlog.lost += lost
            raise
        self._lost_reported += lost

    def _note_failure(self, failed: Failed) -> None:
        cause = failed.__cause__ or failed
        if self._backlog.failed(cause):
            self._report(f"{self.baseFilename} can't be written, lines wait in memory: {cause}")

    def _report(self, message: str) -> None:
        """One word on stderr, or to whoever has overridden `handleError`."""
        self.handleError(logging.makeLogRecord({
            "name": "mplogging", "levelno": logging.ERROR, "levelname": "ERROR", "msg": message,
        }))

    def take_over(self) -> None:
        """Go on for a process that was killed: half a line at a file's end is what
        it left of a write that was cut short, and is cut off. Otherwise half a
        line that is found on opening stays, with a line of its own."""
        self._series.cut_fragments = True

    def after_fork(self) -> None:
        """In a child: the parent's descriptors, its locks and its lines are not ours."""
        self._backlog.clear()
        self._is_writing = False
        self._series.close()

    def bare_copy(self) -> DatedFileHandler:
        """A handler for the same files, without formatter, filters and open files."""
        return DatedFileHandler(**{**self._settings, "delay": True})

    def __repr__(self) -> str:
        level = logging.getLevelName(self.level)
        return f"<{type(self).__name__} {self.baseFilename} ({level})>"

    def __reduce__(self) -> Any:
        state = (self.level, self.formatter, self.filters, self.name)
        return _rebuilt, (type(self), {**self._settings, "delay": True}, state)


def _rebuilt(
    cls: type[DatedFileHandler], settings: dict[str, Any], state: tuple[Any, ...]
) -> DatedFileHandler:
    handler = cls.__new__(cls)
    DatedFileHandler.__init__(handler, **settings)
    handler.level, formatter, handler.filters, handler.name = state
    handler.setFormatter(formatter)
    return handler


def _link_path(symlink: bool | str, names: FileNames) -> str | None:
    if symlink is False:
        return None
    if symlink is not True:
        return os.path.abspath(os.fspath(symlink))
    if names.stable is None:
        raise ConfigError(
            f"symlink=True needs a filename without directives, got {names.filename!r}:"
            " give the link's name"
        )
    return names.stable


def _check_count(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError(f"{name} must be a whole number, 0 or more, got {value!r}")


def _check_seconds(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise ConfigError(f"{name} must be 0 or more, in seconds, got {value!r}")


_handlers: weakref.WeakSet[DatedFileHandler] = weakref.WeakSet()


def _after_fork() -> None:
    for handler in list(_handlers):
        handler.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
