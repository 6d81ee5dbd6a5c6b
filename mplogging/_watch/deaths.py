"""In the session's own process: notices that another has died, and tells of it, once.

    the processes' files ─ look ─ let go of? ─┐
                                              ├─ how did it end? ─ Death ─ the log
    Starts ─ what the program knows of it ────┘

It has no thread: the listener calls it between two turns. So what a process had logged is
in the log before its death is.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import Callable

from .._delivery.deaths import Death
from .._delivery.delivery import Delivery
from .._wire.last_record import last_record
from .._wire.place import Place
from .._wire.presence import Presence, forget, look, mark_as_meant, names
from .._wire.processes import is_gone
from .oom import oom_kills
from .starts import Starts

# Less than the listener sleeps, lest each second waking find that it is not time yet.
_LOOK_SECONDS = 0.35
SLEEP_SECONDS = 0.4
# So long it may take whoever has started a process to ask how it ended.
_PATIENCE = 0.5
_MEANT_SIGNALS = (signal.SIGTERM, signal.SIGINT, getattr(signal, "SIGKILL", None))


class _Ended:
    """A process that has let go of its file."""

    def __init__(self, place: Place, name: str, presence: Presence) -> None:
        self.place = place
        self.name = name
        self.presence = presence
        self.since = monotonic()
        self.last_record: float | None = None
        self.is_read: Callable[[], bool] = lambda: True


class DeathWatch:
    """Of one run of a session.

    Args:
        places: Those of the session.
        delivery: Gets what there is to tell.
        expect: Returns what is True once all that was sent until now is in the log.
    """

    def __init__(
        self,
        places: Callable[[], Iterable[Place]],
        delivery: Delivery,
        expect: Callable[[], Callable[[], bool]],
    ) -> None:
        self._places = places
        self._delivery = delivery
        self._expect = expect
        self._starts = Starts(self._mark_as_meant, is_keeping=True)
        self._ended: dict[str, _Ended] = {}
        self._odd: set[str] = set()
        self._look_due = 0.0
        self._oom_kills = 0

    def begin(self) -> None:
        """From now on."""
        self._oom_kills = oom_kills()
        self._starts.begin()

    def see_to(self) -> None:
        """Look, if it is time to, and tell of what can be told by now."""
        now = monotonic()
        if now >= self._look_due:
            self._look_due = now + _LOOK_SECONDS
            self._look()
        for ended in list(self._ended.values()):
            if ended.is_read():
                self._settle(ended, is_last=now >= ended.since + _PATIENCE)

    def finish(self) -> None:
        """The session ends, and all that was sent is read: tell of the rest."""
        self._look()
        for ended in list(self._ended.values()):
            self._settle(ended, is_last=True)
            self._forget(ended)

    def end(self) -> None:
        """No more."""
        self._starts.end()

    def _mark_as_meant(self, pid: int) -> None:
        for place in self._places():
            mark_as_meant(place, pid)

    def _look(self) -> None:
        ends = self._starts.ends
        over = [pid for pid in list(ends) if self._starts.returncode(pid) is not None]
        found = [ended for place in self._places() for ended in self._newly_ended(place)]
        found.sort(key=lambda ended: ended.presence.begun)
        is_read = self._expect() if found else None
        for ended in found:
            if is_read is not None:
                ended.is_read = is_read
            if not ended.presence.has_left:  # now: once it is read, the segment may be gone
                ended.last_record = last_record(ended.place, ended.presence.pid)
        self._ended.update((ended.name, ended) for ended in found)
        known = {ended.presence.pid for ended in self._ended.values()}
        for pid in over:
            if pid not in known:  # it was never attached
                ends.pop(pid, None)

    def _newly_ended(self, place: Place) -> Iterator[_Ended]:
        for name in names(place):
            if name in self._ended:
                continue
            with contextlib.suppress(OSError):
                presence, is_held = look(place, name)
                if presence is None or is_held:
                    continue
                if presence.has_left or self._is_dead(presence):
                    self._odd.discard(name)
                    yield _Ended(place, name, presence)
                elif name not in self._odd:
                    # It is dying, or it lives and has lost its lock: it has read through our
                    # files, to copy them say.
                    self._odd.add(name)
                    self._look_due = 0.0

    def _is_dead(self, presence: Presence) -> bool:
        return is_gone(presence.pid) or self._status(presence) is not None

    def _settle(self, ended: _Ended, is_last: bool) -> None:
        presence = ended.presence
        status = self._status(presence)
        if status is None and presence.has_left and presence.pid in self._starts.ends:
            return  # it may well take its time to end
        is_meant = presence.is_meant or self._starts.is_meant(presence.pid)
        if status is None and not (presence.has_left or is_meant or is_last):
            return
        if not _is_as_wanted(presence, status, is_meant):
            self._tell(ended, status)
        self._forget(ended)

    def _status(self, presence: Presence) -> int | None:
        status = self._starts.ask(presence.pid)
        if status is None:
            status = presence.status
        if status is None and not presence.has_left:
            status = _status_of_child(presence.pid)
        return status

    def _tell(self, ended: _Ended, status: int | None) -> None:
        before, self._oom_kills = self._oom_kills, oom_kills()
        kills = max(0, self._oom_kills - before)
        last = ended.last_record or last_record(ended.place, ended.presence.pid)
        Death(ended.presence, status, last, kills).tell(self._delivery)

    def _forget(self, ended: _Ended) -> None:
        forget(ended.place, ended.name)
        self._starts.ends.pop(ended.presence.pid, None)
        self._ended.pop(ended.name, None)


def _is_as_wanted(presence: Presence, status: int | None, is_meant: bool) -> bool:
    """True of an end that is no news: an orderly one, or one that the program brought about."""
    if status is None:
        return presence.has_left or is_meant
    return status == 0 or (is_meant and (status > 0 or -status in _MEANT_SIGNALS))


def _status_of_child(pid: int) -> int | None:
    """As `Popen.returncode`, of a child that is dead and that nobody has waited for yet."""
    try:
        # It stays for whoever waits for it.
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (AttributeError, OSError):
        return None
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
