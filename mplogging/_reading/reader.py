"""`LogReader`: a log read back, entry by entry, across all of its files."""

from __future__ import annotations

import codecs
import datetime
import logging
import re
from collections.abc import Iterator
from typing import Callable

from .._errors import ConfigError, tell
from .._event import Event
from .._file.handler import DatedFileHandler
from .._numbers import is_whole
from .._public import public
from .chunks import Chunk, chunks_from, last_line_end
from .entry import Entry
from .files import Filename, Source, files_of
from .formats import Format, LineParser
from .opening import Opened, opened
from .positions import SEALED, Missed, Positions
from .seeking import last_offsets, offset_since
from .selecting import Selection
from .shapes import PlainShape, Shape
from .times import Moment, moment_of

# Of a follower: a line is there within 0.2 s.
_LOOK_SECONDS = 0.1


@public
class LogReader:
    """Iterates over the entries of a log, in the order of its files.

    Files come in the order of their periods, parts by number, compressed ones in their
    place. A file that is compressed meanwhile is neither repeated nor skipped; of one that
    is removed, `missed` and a warning say so. To iterate again goes on where it stopped,
    with what has come since.

    Args:
        filename: As the handler has it, or the handler itself; or the path of one file.
        since, until: Only entries made at this time or later, or before it: unix seconds,
            a datetime, a timedelta of how long ago, or a text such as "2026-11-24 09:30",
            "09:30" (of today) or "10m" (ago). An entry whose time can't be told goes
            with the one before it. In a large file the place is found by bisection: what
            stands there more than a minute out of order may be missed.
        follow: Wait for more at the end, until `close`.
        cursor: Begin where a reader was that had this `cursor`.
        last: Begin with the last so many entries that are asked for.
        where: Only entries for which it is true.
        grep: Only entries in whose text this regular expression is found; "^" and "$"
            match at each line.
        format: The format of the log's lines, or a `logging.Formatter`. None knows the
            usual ones: a time first, or JSON. (A handler's formatter is known.)
        datefmt, style: As `logging.Formatter` takes them.
        gmtime: Times in the lines are UTC rather than local.
        encoding: Of the files; None is UTF-8.
        when, interval, utc, atTime, suffix: As the handler has them. Without `when` the
            files' names tell it, but for a name that changes by the month or year.

    Raises:
        ConfigError: An argument has a value that cannot work.
    """

    def __init__(
        self,
        filename: Filename,
        *,
        since: Moment | None = None,
        until: Moment | None = None,
        follow: bool = False,
        cursor: str | None = None,
        last: int | None = None,
        where: Callable[[Entry], bool] | None = None,
        grep: str | re.Pattern[str] | None = None,
        format: Format | None = None,
        datefmt: str | None = None,
        style: str = "%",
        gmtime: bool = False,
        encoding: str | None = None,
        when: str | None = None,
        interval: int = 1,
        utc: bool = False,
        atTime: datetime.time | None = None,
        suffix: str | None = None,
    ) -> None:
        self._since, self._until = moment_of("since", since), moment_of("until", until)
        if last is not None and not is_whole(last):
            raise ConfigError(f"last must be a whole number, 0 or more, got {last!r}")
        if last is not None and cursor is not None:
            raise ConfigError(f"last={last!r} can't begin elsewhere than cursor= says: give one")
        if isinstance(filename, DatedFileHandler):
            encoding = encoding or filename.encoding
            format = format or _plain_formatter(filename)
            if not filename._line_end.endswith(b"\n"):
                raise ConfigError(
                    f"filename {filename!r} can't be read back: its lines end with"
                    f" {filename._line_end!r}, not with a line feed"
                )
        self._files = files_of(filename, when, interval, utc, atTime, suffix)
        self.parser = LineParser(format, datefmt, style, gmtime)
        self._selection = Selection(
            self.parser, _checked(encoding), self._since, self._until, where, grep
        )
        self._shape: Shape | None = None
        self._last = last
        self._follow = follow
        self._positions = Positions(self._files.directory, cursor)
        self._has_begun = cursor is not None
        self._closed = Event()
        self.missed: list[Missed] = []

    @property
    def cursor(self) -> str:
        """Where the next entry is read: a text from which another reader goes on exactly there."""
        self._begin_once()
        return self._positions.dump()

    def files(self) -> list[str]:
        """The plain names of the log's files that are there now, the oldest first."""
        return [source.path for source in self._files.found()]

    def close(self) -> None:
        """End an iteration that follows, from another thread too."""
        self._closed.set()

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Entry]:
        """The entries, one after the other.

        Raises:
            OSError: A file or directory can't be read.
            ConfigError: Nothing here reads a file's compression.
        """
        self._begin_once()
        while not self._closed.is_set():
            for source in self._positions.due(self._files.found()):
                if not self._is_beyond(source):
                    yield from self._entries_of(source)
            self._tell_of_missed()
            if not self._follow or self._closed.wait(_LOOK_SECONDS):
                return

    # -- where to begin ----------------------------------------------------------

    def _begin_once(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            self._begin()

    def _begin(self) -> None:
        sources = self._files.found()
        first = 0
        if self._since is not None:
            first = self._first_since(sources, self._since)
        offset = 0
        if self._last is not None:
            first, offset = self._first_of_last(sources, first, self._last)
        for number, source in enumerate(sources):
            if number < first:
                self._pass_over(source)
            elif number == first and offset:
                self._positions.advance(source, offset)
            elif self._since is not None and not source.compression and self._last is None:
                found = offset_since(source, self._since, self._shape_of, self._selection)
                self._positions.advance(source, found)

    def _first_since(self, sources: list[Source], since: float) -> int:
        """The first file that may have entries of this time: a period ends where the next begins,
        or before."""
        first = 0
        for number, source in enumerate(sources):
            if source.start + self._files.slack <= since and source.start > sources[first].start:
                first = number
        return first

    def _first_of_last(self, sources: list[Source], least: int, count: int) -> tuple[int, int]:
        """The file and offset from which on there are so many entries."""
        number, wanted = len(sources), count
        while number > least and wanted:
            number -= 1
            source = sources[number]
            offsets = last_offsets(source, wanted, self._shape_of, self._selection)
            wanted -= len(offsets)
            if not wanted:
                return number, offsets[0]
        return (number, 0) if wanted else (len(sources), 0)

    def _pass_over(self, source: Source) -> None:
        """What the file has now is not asked for."""
        if source.compression:
            self._positions.advance(source, SEALED)
            return
        with opened(source) as found:
            if found is not None:
                end = SEALED if found.is_sealed else last_line_end(found.file)
                self._positions.advance(source, end)

    # -- reading -----------------------------------------------------------------

    def _is_beyond(self, source: Source) -> bool:
        return self._until is not None and source.start - self._files.slack >= self._until

    def _entries_of(self, source: Source) -> Iterator[Entry]:
        offset = self._positions.offset(source)
        with opened(source) as found:
            if found is None:
                return  # the next look says that it is gone
            if isinstance(self._shape, PlainShape):
                self._shape = None  # of what there was before, no line may have had a time
            for chunk in self._chunks(source, found, offset):
                shape = self._shape_of(chunk.data)
                if self._closed.is_set() or self._selection.is_over(chunk, shape):
                    return
                for entry in self._selection.entries_in(found.path, chunk, shape):
                    self._positions.advance(source, entry.end)
                    yield entry
                self._positions.advance(source, chunk.offset + len(chunk.data))
            if found.is_sealed:
                self._positions.advance(source, SEALED)

    def _chunks(self, source: Source, found: Opened, offset: int) -> Iterator[Chunk]:
        chunks = chunks_from(found, offset, self._shape_of)
        while True:
            try:
                chunk = next(chunks, None)
            except Exception as error:  # each algorithm has its own for damaged data
                if not found.is_sealed:
                    raise
                self._positions.give_up(source, f"{found.path} is damaged: {error}")
                return
            if chunk is None:
                return
            yield chunk

    def _shape_of(self, sample: bytes) -> Shape:
        if self._shape is None:
            self._shape = self.parser.shape_of(sample)
        return self._shape

    def _tell_of_missed(self) -> None:
        for missed in self._positions.missed:
            self.missed.append(missed)
            tell(str(missed), stacklevel=3)
        self._positions.missed.clear()


def _checked(encoding: str | None) -> str:
    """The encoding, of those in which a byte that ends a line ends nothing else."""
    try:
        name = codecs.lookup("utf-8" if encoding is None else encoding).name
    except (LookupError, TypeError):
        raise ConfigError(f"encoding must name a text encoding, got {encoding!r}") from None
    if name.startswith(("utf-16", "utf-32")) or "\n".encode(name) != b"\n":
        raise ConfigError(
            f"encoding {encoding!r} can't be read back: a line's end is not one byte there"
        )
    return name


def _plain_formatter(handler: DatedFileHandler) -> logging.Formatter | None:
    """The handler's formatter, if it makes lines as its format says."""
    formatter = handler.formatter
    return formatter if type(formatter) is logging.Formatter else None
