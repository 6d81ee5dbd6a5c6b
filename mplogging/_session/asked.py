"""What another process asks for, by `python -m mplogging level`, or `dump`."""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic
from typing import Any, Callable

from .._errors import ConfigError
from .._watch.recorder import Recorder
from .._wire.requests import Request
from .steering import SessionLevels, checked_change

_LOOK_SECONDS = 0.2


class Asked:
    """Sees to what is asked for, in the listener's thread.

    Args:
        recorder: The flight recorder; raises ConfigError if there is none.
        requests: Those that wait.
    """

    def __init__(
        self,
        levels: SessionLevels,
        recorder: Callable[[str], Recorder],
        requests: Callable[[], Iterable[Request]],
    ) -> None:
        self._levels = levels
        self._recorder = recorder
        self._requests = requests
        self._look_due = 0.0

    def see_to(self) -> None:
        """Do what is asked for, if it is time to look."""
        now = monotonic()
        if now < self._look_due:
            return
        self._look_due = now + _LOOK_SECONDS
        for request in self._requests():
            with self._levels.at_once() as is_free:
                if is_free:
                    self._do(request)

    def _do(self, request: Request) -> None:
        try:
            wanted = request.take()
        except FileNotFoundError:
            return  # who asked has had enough
        except (OSError, ValueError) as error:
            request.answer({"error": f"no request: {error}"})
            return
        if wanted == {"dump": True}:
            self._dump(request)
        else:
            request.answer(self._done(wanted, request.pid))

    def _dump(self, request: Request) -> None:
        def answer(count: int) -> None:
            request.answer({"done": f"{count} records came into the log"})

        try:
            # This thread can't wait until there is room for them in the journal.
            self._recorder("mplogging dump").ask(
                f"process {request.pid} asked for it, with `mplogging dump`", answer
            )
        except ConfigError as error:
            request.answer({"error": str(error)})

    def _done(self, wanted: Any, pid: int) -> dict[str, str]:
        if not isinstance(wanted, dict) or wanted.keys() != {"level", "logger", "seconds"}:
            return {"error": f"asked for in a way that this version does not know: {wanted!r}"}
        try:
            change = checked_change(**wanted)
        except ConfigError as error:
            return {"error": str(error)}
        self._levels.set_level(change, f"process {pid}, with `mplogging level`")
        return {"done": str(change)}
