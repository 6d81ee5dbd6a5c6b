"""What goes with a process for as long as it belongs to a session.

The way of a record does not know of it: a session's `Config` names its companions, and each
is told when the process comes, when it has been forked, and when it leaves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Protocol, TypeVar

from .._errors import is_foreign, tell
from .interpreters import IS_BESIDE_OTHERS

_Escort = TypeVar("_Escort")


class Escort(Protocol):
    """A companion at work in this process."""

    def end(self) -> None:
        """The process leaves the session, or ends.

        May be called again, if the first time was interrupted.
        """

    def disown(self) -> None:
        """In a forked child: it is the parent's. Let go of what came along of it."""

    def go_on(self) -> bool:
        """In a forked child that belongs to the session too: be the child's.

        To begin anew is dearer: a page that a child writes to is copied, and reference
        counts are in all that it so much as calls.

        Returns:
            False if it can't: then it is disowned, and begun again.
        """


class Companion(Protocol):
    """Picklable; pickled with the rest of what a process has to know of its session."""

    def begin(self) -> Escort:
        """This process belongs to the session now (`attached()`), as the session's own does."""


class Companions:
    """Those of one process. What one raises is told: it harms neither process nor session."""

    def __init__(self) -> None:
        self._escorts: dict[type[Companion], Escort] = {}  # in the order of their beginning

    def begin(self, companions: Iterable[Companion]) -> None:
        """The process has been attached.

        What they look after is the process's: an interpreter beside others goes without.
        """
        for companion in () if IS_BESIDE_OTHERS else companions:
            try:
                self._escorts[type(companion)] = companion.begin()
            except Exception as error:
                _tell(companion, error)

    def at_work(self, kind: type[_Escort]) -> _Escort | None:
        """The one of this class, if there is one."""
        return next((one for one in self._escorts.values() if isinstance(one, kind)), None)

    def disown(self) -> None:
        """The process has been forked, and belongs to the session no more."""
        while self._escorts:
            _disown(self._escorts.popitem()[1])

    def go_on(self, companions: Iterable[Companion]) -> None:
        """The process has been forked, and belongs to the session too."""
        going_on: dict[type[Companion], Escort] = {}
        while self._escorts:
            kind, escort = self._escorts.popitem()
            if _goes_on(escort):
                going_on[kind] = escort
            else:
                _disown(escort)
        for companion in companions:
            kind = type(companion)
            if kind in going_on:
                self._escorts[kind] = going_on[kind]
            else:
                self.begin([companion])

    def end(self) -> None:
        """The process leaves the session, or ends. A second time does what is left of it."""
        while self._escorts:
            kind = next(reversed(self._escorts))
            escort = self._escorts[kind]
            try:
                escort.end()
            except Exception as error:
                _tell(escort, error)
            self._escorts.pop(kind, None)  # now: its end may have been interrupted


def _goes_on(escort: Escort) -> bool:
    try:
        return escort.go_on()
    except Exception as error:
        if is_foreign(error):
            raise
        return False  # what hinders it is told as it is begun again


def _disown(escort: Escort) -> None:
    try:
        escort.disown()
    except Exception as error:
        _tell(escort, error)


def _tell(who: object, error: Exception) -> None:
    if is_foreign(error):
        raise error
    tell(f"process {os.getpid()} goes without {type(who).__name__}: {error}", stacklevel=3)
