"""What another process of this user wants of a running session, and the session's answer.

    request-4711   made by process 4711; the session removes it, does it,
    answer-4711    makes this, and 4711 removes it

Both are files of the session's place, and so nobody else's. They hold JSON: nothing that
comes this way is unpickled.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from errno import ENOENT
from time import monotonic, sleep
from typing import Any, NamedTuple

from .bell import Bell
from .place import Place

_REQUEST, _ANSWER = "request-", "answer-"
_PAUSE = 0.02


class Request(NamedTuple):
    """One that has come."""

    place: Place
    pid: int  # whose

    def take(self) -> Any:
        """What is wanted; from now on it is nobody else's to do.

        Raises:
            OSError: It has been taken back.
            ValueError: It is none.
        """
        name = f"{_REQUEST}{self.pid}"
        try:
            return json.loads(self.place.read(name))
        finally:
            self.place.unlink(name)

    def answer(self, told: Mapping[str, str]) -> None:
        """Say what became of it."""
        self.place.replace(f"{_ANSWER}{self.pid}", json.dumps(told).encode())


def requests(place: Place) -> Iterator[Request]:
    """Those that wait there."""
    with contextlib.suppress(OSError):  # the directory was closed, or is gone
        for name in place.names():
            pid = name[len(_REQUEST) :]
            if name.startswith(_REQUEST) and pid.isdecimal():
                yield Request(place, int(pid))


def ask(place: Place, bell: str, wanted: Mapping[str, Any], timeout: float) -> Any:
    """Want something of a session; returns its answer, None if there is none in time.

    Args:
        bell: Path of the session's.
        timeout: Seconds to wait.

    Raises:
        OSError: The session is gone.
    """
    request, answer = f"{_REQUEST}{os.getpid()}", f"{_ANSWER}{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        place.unlink(answer)  # to an earlier process of this number
    place.replace(request, json.dumps(wanted).encode())
    ringing = Bell(bell)
    try:
        deadline = monotonic() + timeout
        while monotonic() < deadline:
            ringing.ring()
            with contextlib.suppress(FileNotFoundError):
                return json.loads(place.read(answer))
            if not place.is_there():
                raise FileNotFoundError(ENOENT, "the session has ended", place.path)
            sleep(_PAUSE)
        return None
    finally:
        ringing.close()
        for name in (request, answer):
            with contextlib.suppress(FileNotFoundError):
                place.unlink(name)
