"""What goes with each process of a session, by the session's arguments."""

from __future__ import annotations

from collections.abc import Iterator

from .._watch.exceptions import UncaughtExceptions
from .._worker.companions import Companion


def companions(*, captures_exceptions: bool) -> Iterator[Companion]:
    """In the order in which they begin; the last one ends first.

    What logs at the end comes after what looks at the records of this process.
    """
    if captures_exceptions:
        yield UncaughtExceptions()
