"""Which senders are alive: what they left incomplete, they know of."""

from __future__ import annotations

import os

from .frames import INCOMPLETE, Batch

_EXITING = 0x4  # Linux' PF_EXITING: the process runs no code of its own any more


def without_living(batch: Batch) -> Batch:
    """Leave out what was left incomplete by processes that are alive.

    They know, from a write that failed, and write the record another way.
    """
    return batch._replace(
        events=[
            event for event in batch.events if event.kind != INCOMPLETE or not is_alive(event.pid)
        ]
    )


def is_alive(pid: int) -> bool:
    """True if there is such a process, and it can still do something."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may hold anything; the state comes after it.
            fields = file.read().rpartition(b")")[2].split()
        return fields[0] not in (b"Z", b"X") and not int(fields[6]) & _EXITING
    except (OSError, IndexError):
        return True  # not Linux: one that nobody has waited for yet passes for alive
