"""The arguments of a session, checked before anything is made."""

from __future__ import annotations

import contextlib
import logging
import os
import queue as queues
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .._errors import ConfigError
from .._file.handler import DatedFileHandler
from .._levels import NEVER, check_level
from .._numbers import is_seconds, is_whole
from .._worker.companions import Companion
from .companions import companions
from .console import console_level
from .formats import made_formatter

_OVERFLOW = ("block", "drop")
_RECORD_FIELDS = ("all", "needed")
_WITHIN_A_PROCESS = (queues.Queue, queues.SimpleQueue)
_COROUTINE = 0x80  # CO_COROUTINE of `inspect`, a quarter of our import time


class Settings(NamedTuple):
    """What `LogSession` was given, as the rest wants it."""

    file: DatedFileHandler | None  # None: it is among the root logger's handlers, if anywhere
    owns_file: bool  # was it made here, and is it closed with the session?
    handlers: list[logging.Handler]  # besides the file
    console: int | None  # the level of one on stderr, if there is to be one
    adopts: bool  # takes the root logger's handlers instead of these
    level: int | None  # of the root logger; None leaves it
    captures_warnings: bool
    drop_below: int  # the level; 0 drops nothing
    queue: Any
    auto_attach: bool
    handles_signals: bool
    stop_timeout: float
    handler_capacity: int
    are_handlers_patient: bool
    journal_dir: str | None
    leaves_out_fields: bool  # that no handler shows
    reports_deaths: bool  # where it can
    companions: tuple[Companion, ...] = ()  # what goes with each process

    @property
    def has_queue(self) -> bool:
        """True without a journal."""
        return _has_queue(self.queue)

    @property
    def is_file_all(self) -> bool:
        """True if a console that the root logger has is replaced by the file alone."""
        return not (self.adopts or self.handlers or self.console is not None)


def checked(
    filename: str | os.PathLike[str] | DatedFileHandler | None,
    level: int | str | None,
    format: str | None,
    datefmt: str | None,
    style: str | None,
    handlers: Iterable[logging.Handler],
    console: bool | int | str | None,
    captureWarnings: bool,
    captureExceptions: bool,
    captureOutput: bool | int | str,
    overflow: str,
    dropBelow: int | str | None,
    queue: Any,
    autoAttach: bool,
    handleSignals: bool,
    stopTimeout: float,
    handlerCapacity: int,
    handlerOverflow: str,
    journalDir: str | os.PathLike[str] | None,
    recordFields: str,
    reportDeaths: bool,
    flightRecorder: int,
    flightRecorderLevel: int | str,
    fileOptions: Mapping[str, Any],
) -> Settings:
    """The arguments of `LogSession`, each checked.

    Raises:
        ConfigError: An argument has a value that cannot work.
    """
    if callable(filename):
        raise ConfigError(
            f"filename can't be {filename!r}: as a decorator, a session has parentheses,"
            ' @mplogging.LogSession("logs/app.log")'
        )
    _check_switches(captureWarnings=captureWarnings, autoAttach=autoAttach,
                    handleSignals=handleSignals, captureExceptions=captureExceptions,
                    reportDeaths=reportDeaths)  # fmt: skip
    _check_choice("overflow", overflow, _OVERFLOW)
    _check_choice("handlerOverflow", handlerOverflow, _OVERFLOW)
    _check_choice("recordFields", recordFields, _RECORD_FIELDS)
    if dropBelow is not None and overflow != "drop":
        raise ConfigError(f"dropBelow={dropBelow!r} needs overflow='drop', got {overflow!r}")
    check_timeout("stopTimeout", stopTimeout)
    if not is_whole(handlerCapacity, 1):
        raise ConfigError(f"handlerCapacity must be 1 or more, got {handlerCapacity!r}")
    if queue is not None:
        _check_queue(queue)
    if queue is not None and flightRecorder:
        raise ConfigError(
            f"flightRecorder={flightRecorder!r} needs the journal's directory: leave out"
            f" queue={queue!r}"
        )
    others = _checked_handlers(handlers)
    if filename is None and others:
        raise ConfigError(
            f"handlers={others!r} needs a filename: without one, the handlers"
            " of the root logger are adopted"
        )
    console_from = console_level(console)
    if filename is None and console_from is not None:
        raise ConfigError(
            f"console={console!r} needs a filename: without one, a console among the root"
            " logger's handlers is adopted as they are"
        )
    file = _file(filename, {"format": format, "datefmt": datefmt, "style": style}, fileOptions)
    drop_below = 0 if overflow == "block" else NEVER
    if dropBelow is not None:
        drop_below = check_level("dropBelow", dropBelow)
    if level is None and filename is not None:
        level = logging.INFO
    reports_deaths = reportDeaths and not _has_queue(queue)
    return Settings(
        file=file,
        owns_file=file is not None and file is not filename,
        handlers=others,
        console=console_from,
        adopts=filename is None,
        level=None if level is None else check_level("level", level),
        captures_warnings=captureWarnings,
        drop_below=drop_below,
        queue=queue,
        auto_attach=autoAttach,
        handles_signals=handleSignals,
        stop_timeout=stopTimeout,
        handler_capacity=handlerCapacity,
        are_handlers_patient=handlerOverflow == "block",
        journal_dir=_checked_directory(journalDir),
        leaves_out_fields=recordFields == "needed",
        reports_deaths=reports_deaths,
        companions=tuple(companions(
            captures_exceptions=captureExceptions, reports_deaths=reports_deaths,
            flight_recorder=flightRecorder, recorder_level=flightRecorderLevel,
            output_level=_output_level(captureOutput, queue),
        )),  # fmt: skip
    )


def _has_queue(queue: object) -> bool:
    return queue is not None or not hasattr(os, "mkfifo")


def _output_level(output: bool | int | str, queue: Any) -> int | None:
    if output is False:
        return None
    if _has_queue(queue):
        raise ConfigError(
            f"captureOutput={output!r} needs the journal: leave queue away, which is {queue!r}"
        )
    return logging.INFO if output is True else check_level("captureOutput", output)


def _checked_directory(directory: str | os.PathLike[str] | None) -> str | None:
    if directory is None:
        return None
    path: Any = None
    with contextlib.suppress(TypeError):
        path = os.fspath(directory)
    if not isinstance(path, str) or not os.path.isdir(path):
        raise ConfigError(f"journalDir must be a directory that is there, got {directory!r}")
    return os.path.abspath(path)


def _check_switches(**switches: bool) -> None:
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise ConfigError(f"{name} must be True or False, got {value!r}")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name} must be one of {choices}, got {value!r}")


def _check_queue(queue: Any) -> None:
    get = getattr(queue, "get", None)
    # Also what `asyncio` has, whose methods are coroutines.
    is_for_tasks = getattr(getattr(get, "__code__", None), "co_flags", 0) & _COROUTINE
    if isinstance(queue, _WITHIN_A_PROCESS) or is_for_tasks or not hasattr(queue, "put_nowait"):
        raise ConfigError(
            "queue must be one that other processes can put to without waiting, as"
            f" multiprocessing.Queue() and multiprocessing.Manager().Queue(), got {queue!r}"
        )


def check_timeout(name: str, seconds: float) -> None:
    """Refuse what is no time to wait.

    Raises:
        ConfigError: It is negative, or no number.
    """
    if not is_seconds(seconds):
        raise ConfigError(f"{name} must be 0 or more, in seconds, got {seconds!r}")


def _checked_handlers(handlers: Iterable[logging.Handler]) -> list[logging.Handler]:
    if isinstance(handlers, logging.Handler) or not isinstance(handlers, Iterable):
        raise ConfigError(f"handlers must be a list of handlers, got {handlers!r}")
    checked = list(handlers)
    for handler in checked:
        if not isinstance(handler, logging.Handler):
            raise ConfigError(f"handlers must hold logging.Handler objects, got {handler!r}")
    return checked


def _file(
    filename: str | os.PathLike[str] | DatedFileHandler | None,
    formatting: dict[str, str | None],
    options: Mapping[str, Any],
) -> DatedFileHandler | None:
    """The handler of the log, as given or made, not opened yet."""
    given = {name: value for name, value in formatting.items() if value is not None}
    if filename is None or isinstance(filename, DatedFileHandler):
        if given or options:
            raise ConfigError(
                f"{', '.join([*given, *options])} can't be given together with"
                f" filename={filename!r}, which has settings of its own"
            )
        return filename
    code = DatedFileHandler.__init__.__code__
    known = code.co_varnames[2 : code.co_argcount + code.co_kwonlyargcount]  # after filename
    for name in options:
        if name not in known:
            raise ConfigError(
                f"{name}={options[name]!r} is no argument of LogSession{_meant(name, known)}"
            )
    file = DatedFileHandler(filename, **{**options, "delay": True})
    file.setFormatter(made_formatter(given))
    return file


def _meant(name: str, of_file: Iterable[str]) -> str:
    import difflib  # a tenth of our import time, for those who misspell

    code = checked.__code__  # its arguments are those of LogSession
    own = code.co_varnames[: code.co_argcount]
    known = {known.lower(): known for known in (*of_file, *own) if known != "fileOptions"}
    close = difflib.get_close_matches(name.lower(), known, 1)
    return f": did you mean {known[close[0]]}?" if close else ""
