"""The process that reads a session's journals: whether it lives, as far as others can tell.

That its lock on a journal can be had does not say that it is gone: it loses that when the
program reads through our files, to copy them say, and then takes it again.
"""

from __future__ import annotations

import os
from time import monotonic, sleep

from .._wire.bell import Bell
from .._wire.place import Place
from .._wire.processes import is_dead, may_live, this_process

# How long it is waited for where it may have lost its lock, and can't be seen.
_PATIENCE = 0.5  # seconds
# Those that did not take it again. It has as many journals as its session has files: one that
# was waited for in vain is not waited for at each.
_in_vain: set[str] = set()


class ReadingProcess:
    """The one that reads a place.

    Args:
        process: Which one that is, see `_wire.processes`.
        bell: Wakes it.
    """

    def __init__(self, process: str, place: Place, bell: Bell) -> None:
        self._process = process
        self._place = place
        self._bell = bell

    def is_this(self) -> bool:
        """True if it is the process that asks."""
        pid, process = str(os.getpid()), self._process
        # First what costs no look into /proc: each process asks as it comes and as it goes.
        return process.partition(" ")[0] == pid and process == this_process()

    def is_dying(self) -> bool:
        """True once it is dead, and has let go of its lock, too."""
        deadline = monotonic() + _PATIENCE
        while is_dead(self._process) and monotonic() < deadline:
            if self._place.is_reader_gone():
                return True
            sleep(0.001)
        return False

    def is_seen(self) -> bool:
        """True if it is seen to live, though its lock can be had."""
        is_open = self._place.is_open_in(self._process)
        return self._is_lock_taken_again() if is_open is None else is_open

    def _is_lock_taken_again(self) -> bool:
        """Where it can't be seen, one that has lost its lock is given a moment for that."""
        if self._process in _in_vain:
            return False
        deadline = monotonic() + _PATIENCE
        while may_live(self._process) and monotonic() < deadline:
            self._bell.ring()
            sleep(0.005)
            if not self._place.is_reader_gone():
                return True
        _in_vain.add(self._process)
        return False
