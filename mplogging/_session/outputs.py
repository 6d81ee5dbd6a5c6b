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
from .guests import onlookers, without_guests
from .settings import Settings

_DISK_PAUSE = 0.05


class Outputs:
    """The files and the further handlers, not yet started, of one run.

    Attributes:
        files: The root logger's first; None in its place if it has none.
        root_files: Numbers of those that the root logger has.
        sidelines: Get each record that comes to the root logger.
        routes: Handlers of named loggers, each with a number.

    Raises:
        ConfigError: Nothing is to be adopted.
    """

    def __init__(self, settings: Settings) -> None:
        file, handlers = _chosen(settings)
        self.files: list[DatedFileHandler | None] = [file]
        self._settings = settings
        self._owns_file = settings.owns_file
        self.root_files: list[int] = [0]
        self.sidelines: list[Sideline] = []
        for handler in handlers:
            number = self._number_of_file(handler)
            if number is None:
                self.sidelines.append(self._sideline(handler))
            elif number not in self.root_files:
                self.root_files.append(number)
        # To a guest each record counts: it is waited for.
        self.sidelines += [self._sideline(guest, is_patient=True) for guest in onlookers()]
        for logger in named_loggers():
            for handler in logger.handlers:
                self._number_of_file(handler)
        self.routes: list[Sideline] = []

    def _number_of_file(self, handler: logging.Handler) -> int | None:
        """The number of a file of the session; of one that is met now, a new one."""
        if not is_file(handler) or self._settings.has_queue:
            return None
        assert isinstance(handler, DatedFileHandler)
        if not any(handler is file for file in self.files):
            self.files.append(handler)
        return self.number_of(handler)

    def number_of(self, handler: logging.Handler) -> int | None:
        """The number of a file of the session; None for any other handler."""
        for number, file in enumerate(self.files):
            if file is handler:
                return number
        return None

    def route_of(self, handler: logging.Handler) -> int:
        """The number under which records come to a handler of a named logger."""
        for number, sideline in enumerate(self.routes):
            if sideline.handler is handler:
                return number
        for sideline in self.sidelines:
            if sideline.handler is handler:
                break
        else:
            sideline = self._sideline(handler)
        self.routes.append(sideline)
        return self.routes.index(sideline)  # another thread may have been faster

    def all_sidelines(self) -> list[Sideline]:
        """Each once."""
        return [*self.sidelines, *(one for one in self.routes if one not in self.sidelines)]

    def _sideline(self, handler: logging.Handler, is_patient: bool = False) -> Sideline:
        return Sideline(
            handler,
            self._settings.handler_capacity,
            is_patient or self._settings.are_handlers_patient,
            lambda handler, record: handler.handleError(record),
        )

    def open(self) -> None:
        """Open the files.

        Raises:
            ConfigError: One can't be opened.
        """
        for file in self.files:
            if file is not None:
                try:
                    file.open()
                except OSError as error:
                    raise ConfigError(
                        f"filename {file.baseFilename!r} can't be opened: {error}"
                    ) from error

    def handlers(self) -> list[logging.Handler]:
        """All that stand for the root logger's."""
        others: list[logging.Handler] = [sideline.handler for sideline in self.sidelines]
        files = [self.files[number] for number in self.root_files]
        return [*(file for file in files if file is not None), *others]

    def all_handlers(self) -> list[logging.Handler]:
        """All of the tree that it serves."""
        files = [file for file in self.files if file is not None]
        return [*files, *(sideline.handler for sideline in self.all_sidelines())]

    def record_level(self) -> int:
        """The level from which on a handler beside the file wants the record itself."""
        return min((sideline.handler.level for sideline in self.sidelines), default=NEVER)

    def finish_handlers(self, deadline: float) -> Mapping[str, int]:
        """Let them end; returns those that have not by the deadline, with what they still had."""
        sidelines = self.all_sidelines()
        for sideline in sidelines:
            sideline.end()  # so that one that is stuck takes no time from the others
        left = {repr(sideline.handler): sideline.finish(deadline) for sideline in sidelines}
        return {name: count for name, count in left.items() if count}

    def settle_handlers(self, deadline: float) -> bool:
        """Wait until they have had what was offered until now; False if that takes longer."""
        reached = [sideline.expect() for sideline in self.all_sidelines()]
        return all(event.wait(max(0.0, deadline - monotonic())) for event in reached)

    def release_file(self, file: DatedFileHandler, deadline: float) -> int:
        """Write what waits, if the disk takes it in time; returns how many lines it did not.

        A file of the session's own is closed.
        """
        file.flush()
        while file.waiting and monotonic() < deadline:
            sleep(_DISK_PAUSE)
            file.flush()
        waiting = file.waiting
        if self._owns_file and file is self.files[0]:
            file.close()
        return waiting


def is_file(handler: logging.Handler) -> bool:
    """Is it a dated file to which lines are all that comes?"""
    return isinstance(handler, DatedFileHandler) and handler._emits_lines


def named_loggers() -> list[logging.Logger]:
    """Those that have handlers."""
    known = list(logging.root.manager.loggerDict.values())
    return [one for one in known if isinstance(one, logging.Logger) and one.handlers]


def has_handlers(logger: logging.Logger) -> bool:
    """Has it any that does something?"""
    return any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers)


def _chosen(settings: Settings) -> tuple[DatedFileHandler | None, list[logging.Handler]]:
    if not settings.adopts:
        handlers = settings.handlers
        if settings.console is not None and settings.file is not None and sys.stderr is not None:
            handlers = [*handlers, console_beside(settings.file, settings.console)]
        return settings.file, handlers
    adopted = logging.getLogger().handlers
    if not adopted and not any(map(has_handlers, named_loggers())):
        raise ConfigError(
            "filename=None adopts the handlers that loggers have, and the root logger has"
            " none, nor has another: give a filename, or set up logging first"
        )
    files = [handler for handler in adopted if isinstance(handler, DatedFileHandler)]
    file = files[0] if files else None
    return file, [one for one in without_guests(adopted) if one is not file]
