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


def is_foreign(error: OSError) -> bool:
    """Whether a signal handler raised it, a TimeoutError say: the chunks may be written."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return False
    raised_in = str(traceback.tb_frame.f_globals.get("__name__"))
    return raised_in.partition(".")[0] != __name__.partition(".")[0]
