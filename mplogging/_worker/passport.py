"""With no code in the workers at all: what each child of `multiprocessing` is given attaches it.

So it is with the packages that `multiprocessing` has been forked into, which programs know
as joblib's, pathos's or Celery's: whichever is imported, before the session or in its midst.
"""

from __future__ import annotations

import contextlib
from typing import Any, Callable

from .._errors import tell
from .attaching import attached
from .channels import QueueAddress, is_for_forks_only
from .decorators import attach_if_possible
from .packages import ImportWatch, process_modules


class Passport:
    """Attaches a child of `multiprocessing` as soon as it is unpickled there.

    `multiprocessing` hands each child a copy of its parent's `_config`. That is
    a private name; where it is missing, processes attach in the other ways.

    Args:
        address: Called when it is pickled, in the session's own process: it sees to
            it that the child finds the session, and the levels as they are then.
    """

    _KEY = "mplogging"

    def __init__(self, address: Callable[[], str | QueueAddress | None]) -> None:
        self._address = address
        self._issued: list[tuple[dict[str, Any], Any]] = []  # each with what it had before
        self._imports = ImportWatch(self._issue)

    def issue(self) -> None:
        """Let the children of this process carry it from now on."""
        self._imports.begin()

    def withdraw(self) -> None:
        """No more."""
        self._imports.end()
        for config, previous in self._issued:
            if config.get(self._KEY) is self:
                config[self._KEY] = previous

    def _issue(self) -> None:
        for process in process_modules():
            with contextlib.suppress(Exception):  # it is no further yet, or has no such thing
                config = process.current_process()._config
                if config.get(self._KEY) is not self:
                    self._issued.append((config, config.get(self._KEY)))
                    config[self._KEY] = self

    def __reduce__(self) -> Any:
        address = self._address()
        # Were it pickled all the same, the process could not be started at all.
        if isinstance(address, QueueAddress) and is_for_forks_only(address.queue):
            address = None
            tell(
                "a process that is spawned does not log to the session, whose queue only forked"
                ' ones can have: one of multiprocessing.get_context("spawn") serves both',
                stacklevel=2,
            )
        attachment = attached()
        return _admit, (address, None if attachment is None else attachment.config.process)


def _admit(address: str | QueueAddress | None, process: str | None) -> Passport:
    attach_if_possible(address, process)
    return Passport(lambda: address if (now := attached()) is None else now.address)
