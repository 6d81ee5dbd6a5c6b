"""Why lines are not in a file, as exceptions that hold the lines."""

from __future__ import annotations

from collections.abc import Sequence


class Unwritten(Exception):
    """Some chunks are not in the file; `chunks` holds them, in order.

    Its text does not: a traceback must not show what is logged.
    """

    def __init__(self, chunks: Sequence[bytes]) -> None:
        super().__init__(f"{len(chunks)} chunks")
        self.chunks = chunks


class Elsewhere(Unwritten):
    """The file was removed, moved or ended: open what has its place."""


class Full(Unwritten):
    """The file has no room for the chunks: they belong to the period's next part."""


class Failed(Unwritten):
    """The system refused to write; `__cause__` is its error."""
