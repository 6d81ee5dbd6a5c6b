"""Records without what nobody shows: a third of a log call goes into such fields.

The switches are those that the library reference names under "Optimization", but for the
caller's place: `logging._srcfile` would take away what `stack_info=True` asks for, too.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

CALLER = "findCaller"
# By what fills them in: an attribute of the class Logger, or of `logging` itself.
FIELDS = {
    CALLER: {"pathname", "filename", "module", "lineno", "funcName"},
    "logThreads": {"thread", "threadName"},
    "logProcesses": {"process"},
    "logMultiprocessing": {"processName"},
    "logAsyncioTasks": {"taskName"},  # from 3.12 on
}
_find_caller = logging.Logger.findCaller


def _find_no_caller(
    logger: logging.Logger, stack_info: bool = False, stacklevel: int = 1
) -> tuple[str, int, str, str | None]:
    if stack_info:
        return _find_caller(logger, stack_info, stacklevel + 1)
    return "(unknown file)", 0, "(unknown function)", None


class RecordFields:
    """What this process's records do without."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, object, object]] = []  # owner, name, old, ours

    def leave_out(self, names: Iterable[str]) -> None:
        """From now on these of `FIELDS`, and no others."""
        self.put_back()
        for name in sorted(names):
            owner: Any = logging.Logger if name == CALLER else logging
            ours = _find_no_caller if name == CALLER else False
            old = vars(owner).get(name)
            # What somebody else has put there, or this Python has not, stays.
            if old is (_find_caller if name == CALLER else True):
                self._before.append((owner, name, old, ours))
                setattr(owner, name, ours)

    def put_back(self) -> None:
        """All of them are there again."""
        while self._before:
            owner, name, old, ours = self._before.pop()
            if vars(owner).get(name) is ours:
                setattr(owner, name, old)
