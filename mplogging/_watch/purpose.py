"""Which processes this one ends on purpose: each `with Pool()` terminates its workers."""

from __future__ import annotations

from typing import Any, Callable


class Terminations:
    """Sees each `terminate` of a process of `multiprocessing`, by whatever start method.

    Args:
        tell: Is called with its pid, before it gets the signal.
    """

    def __init__(self, tell: Callable[[int], object]) -> None:
        self._tell = tell
        self._theirs: Any = None

    def begin(self) -> None:
        """From now on."""
        kind = _popen()
        self._theirs = theirs = kind.terminate

        def terminate(popen: Any) -> None:
            # Nobody's business but our caller's, who wants the process to end.
            try:
                self._tell(popen.pid)
            except Exception:
                pass
            theirs(popen)

        self._ours = kind.terminate = terminate

    def end(self) -> None:
        """No more."""
        self._tell = lambda pid: None  # if somebody leads on to ours
        kind = _popen()
        if self._theirs is not None and kind.terminate is self._ours:
            kind.terminate = self._theirs


def _popen() -> Any:
    from multiprocessing import popen_fork  # the others are derived from it

    return popen_fork.Popen
