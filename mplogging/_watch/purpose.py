"""Which processes this one ends on purpose: each `with Pool()` terminates its workers."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Callable

from .._worker.packages import FORKED_PACKAGES


class Terminations:
    """Sees each `terminate` of a process of `multiprocessing`, by whatever start method.

    Args:
        tell: Is called with its pid, before it gets the signal.
    """

    def __init__(self, tell: Callable[[int], object]) -> None:
        self._tell = tell
        self._replaced: dict[Any, tuple[Any, Any]] = {}  # theirs and ours, by class

    def begin(self) -> None:
        """From now on; once more for packages that have been loaded since."""
        for kind in _popens():
            if kind not in self._replaced:
                theirs, ours = kind.terminate, self._made(kind.terminate)
                self._replaced[kind] = theirs, ours
                kind.terminate = ours

    def end(self) -> None:
        """No more."""
        self._tell = lambda pid: None  # where somebody leads on to ours
        while self._replaced:
            kind, (theirs, ours) = self._replaced.popitem()
            if kind.terminate is ours:
                kind.terminate = theirs

    def _made(self, theirs: Any) -> Any:
        def terminate(popen: Any, *args: Any, **kwargs: Any) -> Any:
            with contextlib.suppress(Exception):  # the process is to end all the same
                self._tell(popen.pid)
            return theirs(popen, *args, **kwargs)

        return terminate


def _popens() -> list[Any]:
    """The class of each package, from which those of its start methods are derived."""
    from multiprocessing import popen_fork

    kinds: list[Any] = [popen_fork.Popen]
    for package in FORKED_PACKAGES:
        module: Any = sys.modules.get(f"{package}.popen_fork")
        if hasattr(module, "Popen") and module.Popen not in kinds:
            kinds.append(module.Popen)
    return kinds
