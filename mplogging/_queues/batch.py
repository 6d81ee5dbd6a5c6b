"""Lines of many records, written at once into the files that they belong to."""

from __future__ import annotations

import functools
import itertools
import logging
from typing import TYPE_CHECKING

from .._file.handler import DatedFileHandler

if TYPE_CHECKING:
    from typing_extensions import TypeGuard  # type checkers have it, whatever is installed


def writes_lines_only(handler: logging.Handler) -> TypeGuard[DatedFileHandler]:
    """True if the handler does no more with a record than to write its line."""
    return (
        isinstance(handler, DatedFileHandler)
        and handler._makes_plain_lines
        and not handler.filters
    )


class Batch:
    """What has been formatted and is not written yet; for one thread."""

    def __init__(self) -> None:
        self._lines: dict[DatedFileHandler, list[tuple[logging.LogRecord, bytes]]] = {}

    def add(self, handler: DatedFileHandler, record: logging.LogRecord) -> None:
        """Make the record's line, of which `handleError` is told if it can't be made."""
        try:
            with handler.lock:  # a formatter of the user's own may count on it
                line = handler.line(record)
        except Exception:
            handler.handleError(record)
        else:
            self._lines.setdefault(handler, []).append((record, line))

    def write(self) -> None:
        """Write all of it, in order."""
        lines, self._lines = self._lines, {}
        for handler, pairs in lines.items():
            start_of = functools.partial(_start, handler)
            for start, run in itertools.groupby(pairs, start_of):
                _write(handler, start, list(run))


def _start(handler: DatedFileHandler, pair: tuple[logging.LogRecord, bytes]) -> float | None:
    """When the period begins that the line belongs to."""
    try:
        return handler._bounds(pair[0].created)[0]
    except Exception:
        return None  # a time beyond the calendar: the handler shall say so


def _write(
    handler: DatedFileHandler, start: float | None, run: list[tuple[logging.LogRecord, bytes]]
) -> None:
    if start is not None:
        try:
            handler._write(start, [line for _, line in run])
            return
        except Exception:
            pass  # one of them is at fault, its neighbours are not
    for record, line in run:
        try:
            handler._write(record.created, [line])
        except Exception:
            handler.handleError(record)
