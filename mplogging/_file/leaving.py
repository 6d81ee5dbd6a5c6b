"""How a handler ends in a process that runs no `atexit`: a child of `multiprocessing`."""

from __future__ import annotations

import sys
import weakref
from typing import Protocol

# Those that took its code along, too.
_PACKAGES = ("multiprocessing", "multiprocess", "billiard")
# After whatever else a process does at its end, which may log.
_PRIORITY = -2000


class Closable(Protocol):
    """What is to be closed."""

    def close(self) -> None: ...


def close_at_exit(closable: Closable) -> bool:
    """See that it is closed when this process ends; False if `atexit` sees to that.

    Nothing is imported: in such a child the modules are there.
    """
    is_seen_to = False
    for package in _PACKAGES:
        util = sys.modules.get(f"{package}.util")
        process = sys.modules.get(f"{package}.process")
        if util is None or process is None:
            continue
        if type(process.current_process()).__name__ != "_MainProcess":
            arguments = (weakref.ref(closable),)
            util.Finalize(None, _close, args=arguments, exitpriority=_PRIORITY)
            is_seen_to = True
    return is_seen_to


def _close(reference: weakref.ref[Closable]) -> None:
    closable = reference()
    if closable is not None:
        closable.close()
