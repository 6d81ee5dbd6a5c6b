"""Entries on a terminal, coloured by their level, or in a pipe as they are."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from .._reading.entry import Entry

_COLOURS = ((50, "1;31"), (40, "31"), (30, "33"), (20, ""), (0, "2"))


class Painter:
    """Writes entries to a stream.

    Colours are for a terminal, unless `NO_COLOR` is in the environment.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._has_colours = (
            stream.isatty()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb"
        )
        self._last = -1

    def show(
        self, entries: Iterable[tuple[float, int, Entry]], files: Sequence[str], is_merged: bool
    ) -> int:
        """Write them, under the names of their logs if there are any; returns how many."""
        count = 0
        for _, number, entry in entries:
            if files and not is_merged and number != self._last:
                self.write(f"{'' if self._last < 0 else chr(10)}==> {files[number]} <==\n")
                self._last = number
            self.write(self._painted(entry) + "\n")
            count += 1
        self._stream.flush()
        return count

    def show_lines(self, lines: Iterable[bytes]) -> None:
        """Write lines as they are."""
        for line in lines:
            self.write(line.decode("utf-8", "backslashreplace"))
        self._stream.flush()

    def write(self, text: str) -> None:
        """What the terminal can't show is escaped."""
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))

    def _painted(self, entry: Entry) -> str:
        if not self._has_colours:
            return entry.text
        level = entry.levelno
        colour = "" if level is None else next(
            (colour for least, colour in _COLOURS if level >= least), ""
        )
        return f"\x1b[{colour}m{entry.text}\x1b[0m" if colour else entry.text


def write_nothing_more() -> None:
    """After an error of the output, which the interpreter's own end would raise again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
