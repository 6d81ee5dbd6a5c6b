"""What of a handler has to do with lines: its formatter, its filters, its word on trouble."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import RLock
from typing import Any

from .._errors import ConfigError, MPLoggingError
from .._records import own_record
from .backlog import Backlog
from .lines import LineFormat

_PLAIN = "%(asctime)s %(levelname)s %(message)s"
# What an instance may have instead of its class: `line` is to know of it.
_OVERRIDABLE = ("format", "filter", "handle", "emit")
# Methods and attributes of the standard rotating handlers that nothing asks for here.
UNUSED = (
    "computeRollover", "doRollover", "shouldRollover", "rotate", "rotation_filename",
    "getFilesToDelete", "namer", "rotator", "extMatch", "rolloverAt", "dayOfWeek", "stream",
)  # fmt: skip
# What is said once, when the handler is made.
_FIXED = {
    "filename", "baseFilename", "when", "interval", "backupCount", "encoding", "delay", "utc",
    "atTime", "errors", "suffix", "maxAge", "maxTotalBytes", "maxBytes", "compress",
    "compressAfter", "symlink", "mode", "dirMode", "lockTimeout", "bufferBytes", "newlines",
    "terminator",
}  # fmt: skip
_NOTHING = object()


class LineHandler(logging.Handler):
    """A handler that makes lines out of records.

    Attributes:
        line: Returns a record's line, encoded, with its terminator.
    """

    lock: RLock  # logging's own, never None
    terminator = "\n"
    baseFilename: str
    _backlog: Backlog
    _is_being_made = False
    _is_set_up = False

    def _begin_lines(self, encoding: str | None, errors: str | None, newlines: str) -> None:
        self.encoding = "utf-8" if encoding is None else encoding
        self.errors = "strict" if errors is None else errors
        self._newlines = newlines
        self.formatter = None
        self._is_set_up = True

    def __setattr__(self, name: str, value: Any) -> None:
        if (name in _FIXED or name in UNUSED) and not self._is_being_made:
            if getattr(self, name, _NOTHING) != value:
                raise ConfigError(_refusal(name, value))
        super().__setattr__(name, value)
        if name in _OVERRIDABLE and self._is_set_up:
            self._set_lines()

    @property
    def formatter(self) -> logging.Formatter | None:
        """As of any handler, but that it works as it was when it was set here."""
        return self._formatter

    @formatter.setter
    def formatter(self, fmt: logging.Formatter | None) -> None:
        self._formatter = fmt
        self._set_lines()

    def _set_lines(self) -> None:
        makes_lines = not self._overrides("format")
        fmt = self._formatter or logging.Formatter()
        self._lines = LineFormat(
            fmt if makes_lines else self,
            self.encoding, self.errors, self.terminator, self._newlines,
        )  # fmt: skip
        self.line = self._lines.line
        overrides = self._overrides("emit") or self._overrides("filter")
        self._needs_lock = overrides or not self._lines.is_compiled

    def _overrides(self, name: str) -> bool:
        """Is the method another than ours, by a subclass or on this very handler?"""
        return getattr(getattr(self, name), "__func__", None) is not getattr(LineHandler, name)

    @property
    def _makes_plain_lines(self) -> bool:
        """True if a line is all that becomes of a record that the filters let pass."""
        return not any(map(self._overrides, _OVERRIDABLE))

    @property
    def _emits_lines(self) -> bool:
        """True if a record that is not filtered out becomes a line, and nothing else."""
        return not (self._overrides("emit") or self._overrides("handle"))

    def handle(self, record: logging.LogRecord) -> Any:
        """As `Handler.handle`; the standard library's formatting needs no lock."""
        if self._needs_lock or self.filters:
            return super().handle(record)
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's line to the file of the record's date."""
        try:
            line = self.line(record)
            with self.lock:
                self._backlog.write(record.created, (line,))
        except Exception:
            self.handleError(record)

    def _handled(self, record: logging.LogRecord) -> bytes:
        """What `handle` writes of the record, for who keeps account of what is written.

        b"" is nothing.
        """
        with self.lock:
            backlog, collected = self._backlog, _Collected()
            self._backlog = collected  # type: ignore[assignment]
            try:
                self.handle(record)
            finally:
                self._backlog = backlog
        return b"".join(collected.chunks)

    def _report(self, what: str) -> None:
        """One word on stderr, or to whoever has overridden `handleError`."""
        message = f"{self.baseFilename}: {what}"
        try:
            # handleError shows the exception at hand, and those that led to it: they know
            # lines that were logged, which are nobody's business on stderr.
            raise MPLoggingError(message) from None
        except MPLoggingError as error:
            error.__context__ = None
            self.handleError(own_record(logging.ERROR, message))


class _Collected:
    """Takes lines in the place of a `Backlog`."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def write(self, created: float, chunks: Sequence[bytes]) -> None:
        self.chunks += chunks

    def count(self) -> int:
        return 0


def _refusal(name: str, value: Any) -> str:
    if name in UNUSED:
        return (
            f"{name}={value!r} would never be used: files are not renamed, and a record's own"
            " time names its file; suffix=, filename with directives, compress= and symlink="
            " of the constructor say how files are called and kept"
        )
    if name == "terminator":
        return f"terminator can't be changed to {value!r} here: let a subclass have another"
    return (
        f"{name} can't be changed to {value!r} once the handler is made: give it to the"
        " constructor"
    )


def own_line(handler: LineHandler, record: logging.LogRecord) -> bytes:
    """The line of a record of ours, in the handler's format if that has a use for it.

    It may ask for fields of the program's own.
    """
    try:
        return handler.line(record)
    except Exception:
        return plain_line(handler, record)


def plain_line(handler: LineHandler, record: logging.LogRecord) -> bytes:
    """The line of a record that the handler's own format has no use for."""
    return LineFormat(
        logging.Formatter(_PLAIN), handler.encoding, terminator=handler.terminator
    ).line(record)
