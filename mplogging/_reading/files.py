"""Which files a log has, in the order of their periods and parts.

Who gives a handler, or says `when`, has the calendar of that handler. For a name alone
the files themselves tell it: each `when` has a suffix of its own.
"""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Iterable
from typing import NamedTuple, Union

from .._errors import ConfigError
from .._file.compression import ALGORITHMS
from .._file.handler import DatedFileHandler
from .._file.names import FileNames
from .._file.periods import Calendar

Filename = Union[str, "os.PathLike[str]", DatedFileHandler]

# A guessed calendar has neither the time zone nor `atTime`: it is wrong by less than this.
_GUESS_SECONDS = 2 * 86_400.0
_GUESSES = ("S", "M", "H", "D")
# The kernel stamps directories by its tick: a change within one may not show.
_FRESH_SECONDS = 0.02


class Source(NamedTuple):
    """A file of a log; the lesser of two comes first."""

    start: float  # of its period, unix seconds
    part: int
    name: str  # of its plain form, from the log's directory
    path: str  # of its plain form
    compression: str  # "", "gz" or "zst"


class LogFiles:
    """The files of one log.

    Args:
        names: Kinds of names that its files have.
        single: The path of its only file, in place of names.
        slack: Seconds by which the start of a period may be wrong.
    """

    def __init__(self, names: list[FileNames], single: str = "", slack: float = 0.0) -> None:
        self._names = names
        self._single = single
        self.slack = slack
        self.directory = os.path.dirname(single) if single else names[0].directory
        self._stamps: dict[str, int] = {}
        self._known: list[Source] = []

    def found(self) -> list[Source]:
        """Those that are there now, the oldest first; of two forms the plain one.

        Raises:
            OSError: A directory can't be read.
        """
        if self._single:
            return self._found_single()
        stamps = self._stamps_of(self._known)
        if stamps and stamps == self._stamps and not _are_fresh(stamps):
            return self._known
        found = self._scanned()
        # A file that is being compressed may hide from one look: it goes from one place
        # in the directory to another. Two looks in turn can't both miss it.
        if _are_fresh(self._stamps_of(found.values())):
            found = {**found, **self._scanned()}
        self._known, self._stamps = sorted(found.values()), stamps
        return self._known

    def _scanned(self) -> dict[str, Source]:
        found: dict[str, Source] = {}
        for names in self._names:
            for file in names.scan():
                path = file.path[: -len(file.compression) - 1] if file.compression else file.path
                name = os.path.relpath(path, self.directory)
                if name not in found or not file.compression:
                    start = float(file.period.start)
                    found[name] = Source(start, file.part, name, path, file.compression)
        return found

    def _found_single(self) -> list[Source]:
        path = self._single
        for algorithm in ("", *ALGORITHMS):
            if os.path.isfile(path + (f".{algorithm}" if algorithm else "")):
                return [Source(0.0, 0, os.path.basename(path), path, algorithm)]
        return []

    def _stamps_of(self, sources: Iterable[Source]) -> dict[str, int]:
        """When each directory was changed last; {} if that does not tell of new files."""
        directories = {os.path.dirname(source.path) for source in sources}
        if directories != {self.directory}:
            return {}  # a new directory may come, and have files
        try:
            return {path: os.stat(path).st_mtime_ns for path in directories}
        except OSError:
            return {}


def _are_fresh(stamps: dict[str, int]) -> bool:
    now = time.time()
    return not stamps or any(now - stamp / 1e9 < _FRESH_SECONDS for stamp in stamps.values())


def files_of(
    filename: Filename,
    when: str | None = None,
    interval: int = 1,
    utc: bool = False,
    atTime: datetime.time | None = None,
    suffix: str | None = None,
) -> LogFiles:
    """The files of a log, or of one file that is given by its own name.

    Raises:
        ConfigError: An argument has a value that cannot work.
    """
    if isinstance(filename, DatedFileHandler):
        given = filename._settings
        calendar = Calendar(given["when"], given["interval"], given["utc"], given["atTime"])
        return LogFiles([FileNames(given["filename"], calendar, given["suffix"])])
    if when is not None:
        return LogFiles([FileNames(filename, Calendar(when, interval, utc, atTime), suffix)])
    guessed = _guessed(filename, suffix)
    single = _single(filename)
    if single and not (guessed and guessed.found()):
        return LogFiles([], single)
    if guessed is None:
        raise ConfigError(
            f"filename {filename!r} does not tell its files' periods apart by itself: give when="
            " and interval= as the handler has them, or the handler"
        )
    return guessed


def _guessed(filename: str | os.PathLike[str], suffix: str | None) -> LogFiles | None:
    """The files of that name, whatever `when` their handler has; None if that is needed."""
    kinds: list[FileNames] = []
    for when in _GUESSES:
        # By UTC each label is there, those too that a change of the clocks skips elsewhere.
        calendar = Calendar(when, utc=True)
        try:
            names = FileNames(filename, calendar, suffix)
        except ConfigError:
            if not (suffix is not None or _has_directives(filename)):
                raise  # it is no name at all
            continue
        kinds.append(names)
        if names.stable is None or suffix is not None:
            break  # the finest that they can name
    return LogFiles(kinds, slack=_GUESS_SECONDS) if kinds else None


def _has_directives(filename: object) -> bool:
    return isinstance(filename, (str, os.PathLike)) and "%" in str(os.fspath(filename))


def _single(filename: str | os.PathLike[str]) -> str:
    """The plain path of the file of exactly this name, if there is one."""
    path = os.path.abspath(os.fspath(filename))
    if not os.path.isfile(path):
        return ""
    for algorithm in ALGORITHMS:
        if path.endswith(f".{algorithm}"):
            return path[: -len(algorithm) - 1]
    return path
