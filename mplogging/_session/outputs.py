"""Where a session's records go in the end: the file, and the handlers beside it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from time import monotonic, sleep

from .._delivery.sidelines import Sideline
from .._errors import ConfigError
from .._file.handler import DatedFileHandler
from .._levels import NEVER
from .console import console_beside
from .settings import Settings

_DISK_PAUSE = 0.05


class Outputs:
    """The file and the further handlers, not yet started, of one run.

    Raises:
        ConfigError: Nothing is to be adopted.
    """

    def __init__(self, settings: Settings) -> None:
        self.file, handlers = _chosen(settings)
        self._owns_file = settings.owns_file
        self.sidelines = [
            Sideline(
                handler,
                settings.handler_capacity,
                settings.are_handlers_patient,
                lambda handler, record: handler.handleError(record),
            )
            for handler in handlers
        ]

    def open(self) -> None:
        """Open the file.

        Raises:
            ConfigError: It can't be opened.
        """
        if self.file is not None:
            try:
                self.file.open()
            except OSError as error:
                raise ConfigError(
                    f"filename {self.file.baseFilename!r} can't be opened: {error}"
                ) from error

    def handlers(self) -> list[logging.Handler]:
        """All of them."""
        others: list[logging.Handler] = [sideline.handler for sideline in self.sidelines]
        return others if self.file is None else [self.file, *others]

    def record_level(self) -> int:
        """The level from which on a handler beside the file wants the record itself."""
        return min((sideline.handler.level for sideline in self.sidelines), default=NEVER)

    def finish_handlers(self, deadline: float) -> Mapping[str, int]:
        """Let them end; returns those that have not by the deadline, with what they still had."""
        for sideline in self.sidelines:
            sideline.end()  # so that one that is stuck takes no time from the others
        left = {
            repr(sideline.handler): sideline.finish(deadline) for sideline in self.sidelines
        }
        return {name: count for name, count in left.items() if count}

    def release_file(self, deadline: float) -> int:
        """Write what waits, if the disk takes it in time; returns how many lines it did not.

        A file of the session's own is closed.
        """
        file = self.file
        if file is None:
            return 0
        file.flush()
        while file.waiting and monotonic() < deadline:
            sleep(_DISK_PAUSE)
            file.flush()
        waiting = file.waiting
        if self._owns_file:
            file.close()
        return waiting


def _chosen(settings: Settings) -> tuple[DatedFileHandler | None, list[logging.Handler]]:
    if not settings.adopts:
        handlers = settings.handlers
        if settings.console is not None and settings.file is not None and sys.stderr is not None:
            handlers = [*handlers, console_beside(settings.file, settings.console)]
        return settings.file, handlers
    adopted = logging.getLogger().handlers
    if not adopted:
        raise ConfigError(
            "filename=None adopts the root logger's handlers, and it has none:"
            " give a filename, or set up logging first"
        )
    files = [handler for handler in adopted if isinstance(handler, DatedFileHandler)]
    file = files[0] if files else None
    return file, [handler for handler in adopted if handler is not file]
