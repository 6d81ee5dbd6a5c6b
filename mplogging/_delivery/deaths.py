"""What the log says of a process's death; and who tells of it when the session's own has died."""

from __future__ import annotations

import logging
import signal
import time
from typing import NamedTuple

from .._records import own_record
from .._wire.last_record import last_record
from .._wire.place import Place
from .._wire.presence import Presence, dead, forget, mark_as_told
from .._wire.processes import is_gone
from .delivery import Delivery

_LOGGER = "mplogging.deaths"
# What `faulthandler` writes first, by what a Python may call it.
_FATAL = {
    "Segmentation fault": "SIGSEGV",
    "Floating point exception": "SIGFPE",
    "Floating-point exception": "SIGFPE",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
}


class Death(NamedTuple):
    """One process's."""

    presence: Presence
    status: int | None  # as `Popen.returncode`; None if nobody knows
    last_record: float | None  # the time of it
    oom_kills: int = 0  # in our cgroup, meanwhile

    def tell(self, delivery: Delivery) -> None:
        """Log it, unless the program does not want that."""
        record = self.record()
        if logging.getLogger(record.name).isEnabledFor(record.levelno):
            delivery.tell(record)

    def record(self) -> logging.LogRecord:
        """What is logged."""
        presence = self.presence
        who = "the session's own process " if presence.is_sessions else ""
        text = f"{who}{presence.name} (pid {presence.pid}) ended {self.how()}"
        if presence.doing:
            text += f", in {presence.doing}"
        if self.last_record is not None:
            text += f"; its last record is of {_moment(self.last_record)}"
        if self.oom_kills:
            text += (
                f"; out of memory: in this cgroup the kernel has killed {self.oom_kills} meanwhile"
            )
        level = logging.WARNING if (self.status or 0) > 0 else logging.ERROR
        record = own_record(level, "%s", text)
        record.name = _LOGGER
        if presence.trace:
            lines = [line for line in presence.trace.splitlines() if line]
            record.exc_text = "\n".join(lines)
        return record

    def how(self) -> str:
        """In words."""
        status = self.status
        if status is None:
            crash = _crash(self.presence.trace)
            return f"by {crash}" if crash else "without leaving"
        if status >= 0:
            return f"with exit status {status}"
        try:
            return f"by {signal.Signals(-status).name}"
        except ValueError:
            return f"by signal {-status}"


def tell_of_the_dead(place: Place, delivery: Delivery, are_all_gone: bool = False) -> None:
    """Of a session whose own process has died, and of those that have died with it.

    Who calls it has the reader's lock, so that each is told of once.

    Args:
        are_all_gone: Nobody is attached any more.
    """
    found = sorted(dead(place), key=lambda item: (item[1].is_sessions, item[1].begun))
    if not any(one.is_sessions and not one.has_left for _, one in found):
        return  # it lives, or has ended in order: what became of the others is no news then
    for name, one in found:
        if not (are_all_gone or one.is_sessions or is_gone(one.pid)):
            continue  # it has lost its lock: it has read our files, to copy them say
        is_clean = (one.has_left and not one.status) or one.is_meant
        if not (is_clean or one.is_told):
            Death(one, one.status, last_record(place, one.pid)).tell(delivery)
        if one.is_sessions:
            mark_as_told(place, name)  # it stays, and says that the rest is to be told of
        else:
            forget(place, name)


def _crash(trace: str) -> str:
    for line in trace.splitlines()[:1]:
        for words, name in _FATAL.items():
            if words in line:
                return name
    return ""


def _moment(created: float) -> str:
    try:
        whole = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(created))
    except (ValueError, OverflowError, OSError):
        return str(created)
    return f"{whole}.{int(created % 1 * 1000):03d}"
