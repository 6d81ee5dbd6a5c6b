"""Exceptions that nobody catches: one record each, in the process where it happened.

    sys.excepthook, threading.excepthook, sys.unraisablehook ──┐
    what leaves Process.run, and the session's own block ──────┴─ logger mplogging.exceptions

Tasks of asyncio that nobody awaits are none of them: their loop logs them itself.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
from types import TracebackType
from typing import Any, Callable

from .._worker.attaching import attached
from .._worker.companions import Escort
from .._worker.packages import process_modules

LOGGER = "mplogging.exceptions"
_MEANT = (KeyboardInterrupt, SystemExit)
_MARK = "_mplogging_logged"  # as `@worker` has it


class UncaughtExceptions:
    """The companion of a session with `captureExceptions`."""

    def begin(self) -> Escort:
        """The interpreter's hooks tell us first from now on."""
        return _Hooks()


def tell_leaving(error: object) -> None:
    """An exception leaves the block of this process's own session.

    The session is over before `sys.excepthook` would see it. Others than an `Exception` are
    ways to end: of a task, a test, a program.
    """
    attachment = attached()
    if isinstance(error, Exception) and attachment is not None:
        if attachment.session_pid == os.getpid():
            _tell(logging.CRITICAL, error, error.__traceback__, "uncaught exception")


class _Hook:
    """One of the interpreter's hooks: ours, and then what was there before."""

    def __init__(self, module: Any, name: str, tell: Callable[..., None]) -> None:
        self._module, self._name, self._tell = module, name, tell
        self._before = getattr(module, name)
        setattr(module, name, self)

    def __call__(self, *args: Any) -> None:
        self._tell(*args)
        self._before(*args)

    def is_in_place(self) -> bool:
        """False if somebody has replaced it."""
        return getattr(self._module, self._name) is self

    def put_back(self) -> None:
        """Somebody who has replaced it calls us still: what comes is passed on to `before`."""
        self._tell = _tell_nobody
        if self.is_in_place():
            setattr(self._module, self._name, self._before)


class _Hooks:
    """All of them, in one process."""

    def __init__(self) -> None:
        self._hooks: list[_Hook | _RunWatch] = [
            _Hook(sys, "excepthook", _of_main),
            _Hook(threading, "excepthook", _of_thread),
            _Hook(sys, "unraisablehook", _unraisable),
        ]
        self._kinds = _process_kinds()
        self._hooks += map(_RunWatch, self._kinds)

    def end(self) -> None:
        """Put them back."""
        for hook in self._hooks:
            hook.put_back()

    def disown(self) -> None:
        """Likewise."""
        self.end()

    def go_on(self) -> bool:
        """They serve any process, unless somebody has others, or a package has come since."""
        for hook in self._hooks:
            if not hook.is_in_place():
                return False
        return self._kinds == _process_kinds()


def _tell_nobody(*args: Any) -> None:
    pass


def _of_main(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    _tell(logging.CRITICAL, error, trace, "uncaught exception")


def _of_thread(args: Any) -> None:
    name = getattr(args.thread, "name", None)
    text = "uncaught exception in thread %s"
    _tell(logging.ERROR, args.exc_value, args.exc_traceback, text, name)


def _unraisable(args: Any) -> None:
    if args.object is None:  # from 3.14 on, the message has it
        text = args.err_msg or "Exception ignored"
        _tell(logging.ERROR, args.exc_value, args.exc_traceback, "%s", text)
        return
    try:
        where = repr(args.object)
    except Exception:
        where = f"<{type(args.object).__name__}>"
    _tell(
        logging.ERROR, args.exc_value, args.exc_traceback,
        "%s: %s", args.err_msg or "Exception ignored in", where,
    )  # fmt: skip


# -- Process.run: `_bootstrap` catches what it raises, and prints it --------------------


class _RunWatch:
    """Looks after each process of this class that begins here, under any start method."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._before = before = kind._bootstrap

        def bootstrap(process: Any, *args: Any, **kwargs: Any) -> Any:
            process.run = functools.partial(_run, process.name, process.run)
            return before(process, *args, **kwargs)

        self._ours = kind._bootstrap = bootstrap

    def is_in_place(self) -> bool:
        """False if somebody has replaced it."""
        return self._kind._bootstrap is self._ours

    def put_back(self) -> None:
        """Whoever has replaced it may call us still: there is nobody to be told then."""
        if self.is_in_place():
            self._kind._bootstrap = self._before


def _process_kinds() -> list[Any]:
    kinds = [getattr(module, "BaseProcess", None) for module in process_modules()]
    return [kind for kind in kinds if hasattr(kind, "_bootstrap")]


def _run(name: str, run: Callable[[], None]) -> None:
    try:
        run()
    except BaseException as error:
        trace = error.__traceback__
        assert trace is not None
        _tell(logging.CRITICAL, error, trace.tb_next, "uncaught exception in process %s", name)
        raise


# -- each of them -------------------------------------------------------------------------


def _tell(
    level: int,
    error: BaseException | None,
    trace: TracebackType | None,
    text: str,
    *args: object,
) -> None:
    """Log it, unless it is known, or ends a process or thread as it was meant to."""
    if error is None or isinstance(error, _MEANT) or not _is_wanted():
        return
    try:
        if not getattr(error, _MARK, False):
            _log(level, error, trace, text, args)
            setattr(error, _MARK, True)
    except Exception:
        pass  # it is on its way to the hook that was there, and to be seen there


def _is_wanted() -> bool:
    """Does this process belong to a session that wants to know?"""
    attachment = attached()
    return attachment is not None and any(
        isinstance(companion, UncaughtExceptions) for companion in attachment.config.companions
    )


def _log(
    level: int,
    error: BaseException,
    trace: TracebackType | None,
    text: str,
    args: tuple[object, ...],
) -> None:
    logger = logging.getLogger(LOGGER)
    if not logger.isEnabledFor(level):
        return
    path, line, function = _raised_at(trace)
    record = logger.makeRecord(
        LOGGER, level, path, line, text, args, (type(error), error, trace), function
    )
    logger.handle(record)


def _raised_at(trace: TracebackType | None) -> tuple[str, int, str]:
    """The record's place: file, line and function."""
    if trace is None:
        return "(unknown file)", 0, "(unknown function)"
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return code.co_filename, trace.tb_lineno, code.co_name
