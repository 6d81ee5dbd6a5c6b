"""What goes with a process for as long as it belongs to a session.

The way of a record does not know of it: a session's `Config` names its companions, and each
is told when the process comes, when it has been forked, and when it leaves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Protocol, TypeVar

from .._errors import is_foreign, tell


class Escort(Protocol):
    """A companion at work in this process."""

    def end(self) -> None:
        """The process leaves the session, or ends.

        May be called again, if the first time was interrupted.
        """

    def disown(self) -> None:
        """In a forked child: it is the parent's. Let go of what came along of it."""


class Companion(Protocol):
    """Picklable; pickled with the rest of what a process has to know of its session."""

    def begin(self) -> Escort:
        """This process belongs to the session now (`attached()`), as the session's own does."""


try:
    import faulthandler  # noqa: F401 - loads in no interpreter that stands beside others

    _IS_BESIDE_OTHERS = False
except ImportError:
    _IS_BESIDE_OTHERS = True

_Escort = TypeVar("_Escort")


class Companions:
    """Those of one process. What one raises is told: it harms neither process nor session."""

    def __init__(self) -> None:
        self._escorts: list[Escort] = []

    def begin(self, companions: Iterable[Companion]) -> None:
        """The process has been attached.

        What they look after is the process's: an interpreter beside others goes without.
        """
        for companion in () if _IS_BESIDE_OTHERS else companions:
            try:
                self._escorts.append(companion.begin())
            except Exception as error:
                _tell(companion, error)

    def at_work(self, kind: type[_Escort]) -> _Escort | None:
        """The one of this class, if there is one."""
        return next((one for one in self._escorts if isinstance(one, kind)), None)

    def disown(self) -> None:
        """The process has been forked."""
        while self._escorts:
            escort = self._escorts.pop()
            try:
                escort.disown()
            except Exception as error:
                _tell(escort, error)

    def end(self) -> None:
        """The process leaves the session, or ends. A second time does what is left of it."""
        while self._escorts:
            escort = self._escorts[-1]
            try:
                escort.end()
            except Exception as error:
                _tell(escort, error)
            self._escorts.remove(escort)  # now: its end may have been interrupted


def _tell(who: object, error: Exception) -> None:
    if is_foreign(error):
        raise error
    tell(f"process {os.getpid()} goes without {type(who).__name__}: {error}", stacklevel=3)
