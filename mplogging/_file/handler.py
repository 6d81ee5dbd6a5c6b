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
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._forks import see_to_forks
from .._public import public
from .._records import own_record
from .appending import Announce
from .arguments import taken
from .assembly import made_compressor, made_series
from .backlog import Backlog
from .leaving import close_at_exit
from .line_handler import LineHandler, own_line
from .link import link_path
from .names import FileNames
from .periods import Calendar
from .retrying import Retrier

if TYPE_CHECKING:
    from .options import Compress, Lock, Newlines

# Seconds between attempts to write what waits, though nothing else is logged.
_RETRY_SECONDS = 0.5
# Seconds between attempts to delete what could not be deleted.
_HOUSE_SECONDS = 60.0


@public
class DatedFileHandler(LineHandler):
    """Writes each record to the file of the record's own date.

    For one process or for any number of unrelated ones that share a log.
    Arguments named as in `logging.handlers.TimedRotatingFileHandler` mean what
    they mean there, with the differences that mplogging/docs/handler.rst lists.

    Args:
        filename: The log's name, to which "." and the date are added, or a name
            with strftime directives that place the date ("%%" is a percent
            sign). Missing directories are made.
        when: "S", "M", "H", "D", "midnight", "W0" to "W6"; in either case.
        interval: How many of these make a period; counted from a fixed point,
            so that all processes agree.
        backupCount: Old files to keep beside the active one; 0 keeps all.
        encoding: Of the files; None is UTF-8.
        delay: Open the file at the first record only.
        utc: Periods by UTC rather than by local time.
        atTime: When the day or week begins, for "midnight", "D" and "W0" to "W6".
        errors: What becomes of text that `encoding` lacks; None is "strict".
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
        lock: Take the file's lock for each write. True shares it with other
            writers, whom a local file system keeps apart by itself; "exclusive"
            lets one write at a time, for network file systems; False takes none.
        lockTimeout: Seconds to wait for a stopped holder of the lock, once;
            after that, lines are appended without it until it is free again.
        bufferBytes: How much waits in memory while the disk is full.
        newlines: "keep", "escape" or "indent": what becomes of line breaks
            within a record.

    Raises:
        ConfigError: An argument has a value that cannot work.
        OSError: The file cannot be opened (with `delay`, `handleError` gets it).
    """

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
        compress: Compress | None = None,
        compressAfter: float = 60.0,
        symlink: bool | str | os.PathLike[str] = False,
        mode: int | None = None,
        dirMode: int | None = None,
        lock: Lock = True,
        lockTimeout: float = 5.0,
        bufferBytes: int = 64 << 20,
        newlines: Newlines = "keep",
    ) -> None:
        settings = dict(locals())
        del settings["self"], settings["__class__"]
        settings = taken(settings, type(self))
        self._is_being_made = True
        self._calendar = Calendar(
            when, settings["interval"], settings["utc"], settings["atTime"]
        )
        names = FileNames(filename, self._calendar, suffix)
        link = link_path(symlink, names)
        # Absolute: a copy may start elsewhere.
        settings.update(filename=names.filename, symlink=link or False)
        self._settings = settings
        self.baseFilename = names.stable or names.filename
        self.when = self._calendar.when
        self.directory = names.directory
        self.bufferBytes: int = settings["bufferBytes"]
        for name in ("utc", "atTime", "interval", "backupCount", "maxBytes"):
            setattr(self, name, settings[name])
        self._begin_lines(encoding, errors, newlines)
        self._compressor = made_compressor(names, settings, self._report)
        self._series = made_series(
            self._calendar, names, settings, self._lines, self._compressor,
            self._report, lambda: self._house_retrier.start(),
        )  # fmt: skip
        self._house_retrier = Retrier(
            "mplogging-retention", _HOUSE_SECONDS, lambda: self.lock, self._series.keep_house
        )
        self._backlog = Backlog(
            self._series, self._report, self._write_loss, settings["bufferBytes"],
            self._see_to_backlog,
        )  # fmt: skip
        self._closes_at_exit = False
        self._backlog_retrier = Retrier(
            "mplogging-backlog", _RETRY_SECONDS, lambda: self.lock, self._backlog.retry
        )
        # Last, as logging.shutdown() closes whatever has come as far as this.
        super().__init__()
        see_to_forks(self, DatedFileHandler._forget_parent)
        self._is_being_made = False
        if not settings["delay"]:
            self.open()

    @property
    def activeFilename(self) -> str:
        """Path of the file that a record made now goes to."""
        with self.lock:
            return self._series.path_of(time.time())

    @property
    def waiting(self) -> int:
        """Lines in memory that the disk refuses for the time being."""
        return self._backlog.count()

    @property
    def lost(self) -> int:
        """Lines given up because the disk refused them for too long."""
        return self._backlog.lost_in_all

    @property
    def late(self) -> int:
        """Lines written to the file of an older period than the newest."""
        return self._series.late_count

    def open(self) -> None:
        """Open the present period's file, if it is not open yet.

        Raises:
            OSError: It can't be opened.
        """
        with self.lock:
            if not self._backlog.is_busy():  # as in `close`
                self._series.file_of(time.time())

    def fileno(self) -> int:
        """The descriptor of the present period's file, which is opened if need be.

        For a daemon that closes all but those it is told of.

        Raises:
            OSError: It can't be opened.
        """
        with self.lock:
            return self._series.file_of(time.time()).descriptor

    def _write(self, created: float, chunks: Sequence[bytes]) -> None:
        """Write whole lines that all belong to the period of `created`.

        Never raises for the disk's sake: what it refuses waits in memory.
        """
        with self.lock:
            self._backlog.write(created, chunks)

    def _append(
        self, created: float, chunks: Sequence[bytes], announce: Announce | None = None
    ) -> None:
        """As `_write`, for who can keep what the disk refuses.

        Args:
            announce: Is told just before each write: of the file, its end, and the chunks.

        Raises:
            Failed: with the lines that are not in a file; its cause is the system's error.
        """
        with self.lock:
            self._backlog.append(created, chunks, announce)

    def _bounds(self, created: float) -> tuple[int, int]:
        """Start (inclusive) and end (exclusive) of the period that `created` is in."""
        return self._calendar.period_of(created)[:2]

    def flush(self) -> None:
        """Try to write what waits in memory."""
        with self.lock:
            self._backlog.flush()

    def close(self) -> None:
        """Write what waits, if the disk takes it, and close the files.

        As with `FileHandler`, a later record opens them again.
        """
        given_up = 0
        with self.lock:
            # A signal handler that closes in the midst of a write by its own
            # thread must not take the file away from it.
            if not self._backlog.is_busy():
                self._backlog.flush()
                given_up = self._backlog.give_up()
                self._series.close()
                self._backlog_retrier.stop()
                self._house_retrier.stop()
        if self._compressor is not None:
            self._compressor.stop()
        super().close()
        if given_up:
            self._report(f"{given_up} lines are lost at its end")

    @property
    def _line_end(self) -> bytes:
        """What each line ends with."""
        return self._lines.terminator

    def _see_to_backlog(self) -> None:
        self._backlog_retrier.start()
        if not self._closes_at_exit:
            self._closes_at_exit = True
            close_at_exit(self)

    def _write_loss(self, lost: int, cause: BaseException | None) -> None:
        record = own_record(
            logging.WARNING, f"{lost} lines were lost while the log could not be written: {cause}"
        )
        self._series.append(record.created, (own_line(self, record),))

    def _cut_half_lines(self) -> None:
        """From now on, half a line that is found when a file is opened is cut off: it
        is what a killed process left of its last write. Otherwise one that an
        earlier run left stays, as a line of its own."""
        self._series.cut_since = 0.0

    def _forget_parent(self) -> None:
        """In a child: the parent's descriptors, its locks and its lines are not ours."""
        self._backlog.forget()
        self._backlog_retrier.forget()
        self._house_retrier.forget()
        self._closes_at_exit = False
        self._series.close()
        self._series.late_count = 0
        if self._compressor is not None:
            self._compressor.forget()

    def _bare_copy(self) -> DatedFileHandler:
        """A handler for the same files, without formatter, filters and open files."""
        return DatedFileHandler(**{**self._settings, "delay": True})

    def __repr__(self) -> str:
        level = logging.getLevelName(self.level)
        return f"<{type(self).__name__} {self.baseFilename} ({level})>"

    def __reduce__(self) -> Any:
        # Without its name: by that, `logging` knows one handler, which the copy is not.
        state = (self.level, self.formatter, self.filters)
        return _rebuilt, (type(self), {**self._settings, "delay": True}, state)


def _rebuilt(
    cls: type[DatedFileHandler], settings: dict[str, Any], state: tuple[Any, ...]
) -> DatedFileHandler:
    handler = cls.__new__(cls)
    DatedFileHandler.__init__(handler, **settings)
    handler.level, formatter, handler.filters = state
    handler.setFormatter(formatter)
    return handler
