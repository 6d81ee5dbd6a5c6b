"""`LogSession`: what a user holds; each run of it is a `Run`."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Callable, Literal, TypeVar

from .._errors import SessionClosedError, SessionError
from .._file.handler import DatedFileHandler
from .._public import public
from .._watch.exceptions import tell_leaving
from .._worker.channels import QueueAddress
from .._worker.decorators import Initializer, Wrapped
from .run import Run
from .settings import check_timeout, checked
from .stats import SessionStats
from .steering import Change, checked_change

if TYPE_CHECKING:
    from typing_extensions import Unpack  # type checkers have it, whatever is installed

    from .._file.options import FileOptions

Overflow = Literal["block", "drop"]
RecordFields = Literal["all", "needed"]
Style = Literal["%", "{", "$"]
_Function = TypeVar("_Function", bound=Callable[..., Any])
_Result = TypeVar("_Result")


@public
class LogSession:
    """Lets all processes of a program log into one dated file; goes around main.

    A context manager, and a decorator for `main`. Nothing happens before it is
    entered, so that children which import the module again don't mind it. It can
    be entered again once it has been left.

    Args:
        filename: The log's name (see `DatedFileHandler`), or a ready
            `DatedFileHandler`. None adopts the handlers that loggers have.
        level: The root logger's level, by number or name. By default INFO, or
            when handlers are adopted, the level that the root logger has.
        format, datefmt, style: As for `logging.Formatter`.
        handlers: Further handlers, which get each record in this process.
        console: True puts one beside the file, on this process's stderr, in the same
            format; a level, by number or name, does so from that level on.
        captureWarnings: As `logging.captureWarnings`, in every process.
        captureExceptions: Log exceptions that nobody catches, with the traceback, in the
            process where they happen, by logger `mplogging.exceptions`: of main and of
            `Process.run` as CRITICAL, of threads and of `__del__` as ERROR.
        captureOutput: Log what workers, and programs that they start, write to their
            descriptors 1 and 2, line by line, by loggers `stdout` and `stderr`. True is
            level INFO; or a level, by number or name.
        overflow: What a log call does while `bufferBytes` of the journal are not yet
            written, because their reader is slow. "block": it waits; "drop": its
            record is dropped, counted, and the count is logged.
        dropBelow: With "drop", the level from which on records wait all the same.
        queue: A `multiprocessing.Queue` or `Manager().Queue()` in place of the
            journal, with that queue's guarantees.
        autoAttach: Attach all children of `multiprocessing`, and forked ones,
            without code of theirs.
        handleSignals: On SIGTERM or SIGHUP that the program has left at their default,
            write everything and then end as without us. Process 1 of a container
            has no such default: there they are left alone.
        stopTimeout: Seconds that leaving may take.
        handlerCapacity: How many records may wait for each further handler.
        handlerOverflow: "drop" or "block", when that many wait.
        journalDir: Where the journal stands, in a directory of its own; by default beside
            the log, or where that can't be, in the user's runtime directory or the
            temporary one.
        recordFields: With "needed", records have no caller's place, thread, process or
            task where no format shows it, and a log call costs a third less. It holds in
            every process of the session until it ends, for all handlers there. A handler,
            formatter or filter that is not the standard library's may look at anything,
            and so may a record factory: where there is one, records have all fields. It is
            looked at when the session begins, and when a process is started.
        reportDeaths: Log it, from logger `mplogging.deaths`, when a process of the session
            ends by a signal (ERROR) or with a status other than 0 (WARNING), with the stacks
            of its threads where it crashed. What the program ends on purpose, by
            `Process.terminate` say, is not told. Over a queue, no death is.
        flightRecorder: So many records that are too low for the log are kept by each process,
            in a file that outlives it, and come into the log when it dies, when it logs at
            `flightRecorderLevel` or above, or by `dump`. 0, the default: none.
        flightRecorderLevel: By number or name.
        **fileOptions: What `DatedFileHandler` takes: when, backupCount, utc, ….

    Raises:
        ConfigError: An argument has a value that cannot work.
    """

    def __init__(
        self,
        filename: str | os.PathLike[str] | DatedFileHandler | None = None,
        *,
        level: int | str | None = None,
        format: str | None = None,
        datefmt: str | None = None,
        style: Style | None = None,
        handlers: Iterable[logging.Handler] = (),
        console: bool | int | str | None = None,
        captureWarnings: bool = True,
        captureExceptions: bool = True,
        captureOutput: bool | int | str = False,
        overflow: Overflow = "block",
        dropBelow: int | str | None = None,
        queue: Any = None,
        autoAttach: bool = True,
        handleSignals: bool = True,
        stopTimeout: float = 10.0,
        handlerCapacity: int = 10_000,
        handlerOverflow: Overflow = "drop",
        journalDir: str | os.PathLike[str] | None = None,
        recordFields: RecordFields = "all",
        reportDeaths: bool = True,
        flightRecorder: int = 0,
        flightRecorderLevel: int | str = "ERROR",
        **fileOptions: Unpack[FileOptions],
    ) -> None:
        arguments = dict(locals())
        del arguments["self"]
        self._settings = checked(**arguments)
        self._run: Run | None = None  # the present one, or the last
        self._gives_way = False

    def __enter__(self) -> LogSession:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        try:
            tell_leaving(exception[1])
        finally:
            self._end(None)

    def __call__(self, function: _Function) -> _Function:
        """Decorate `main`: the session lasts as long as each call of it.

        Raises:
            TypeError: `function` can't be called, or is a generator.
        """
        import inspect  # a quarter of our import time, for decorators only

        if not callable(function):
            raise TypeError(f"LogSession decorates a function, got {function!r}")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                "LogSession decorates a function that has done its work when it returns,"
                f" got the generator {function!r}"
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return run_async  # type: ignore[return-value]

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return run  # type: ignore[return-value]

    def __repr__(self) -> str:
        file = self._settings.file if self._run is None else self._run.file
        state = "not entered yet"
        if self._run is not None:
            state = "running" if self._run.is_open else "over"
        name = "without a file"
        if file is not None:
            name = file.baseFilename
        elif self._run is None:
            name = "for the root logger's handlers"
        return f"<{type(self).__name__} {name} ({state})>"

    @property
    def address(self) -> str | QueueAddress:
        """What `attach` takes, in a process that has it from elsewhere than `multiprocessing`.

        Raises:
            SessionClosedError: The session has ended, or has not begun.
        """
        return self._open_run("address").present_address()

    @property
    def activeFilename(self) -> str | None:
        """Path of the file that a record made now goes to; None if the session has no file."""
        file = self._settings.file if self._run is None else self._run.file
        return None if file is None else file.activeFilename

    @property
    def initializer(self) -> Callable[..., None]:
        """What a pool's `initializer` takes to make its workers log to this session.

        Runs once in each worker, under any start method, and ignores its arguments,
        so it also serves where a worker's number is passed in.

        Raises:
            SessionClosedError: The session has ended, or has not begun.
        """
        return Initializer(self._open_run("initializer").address)

    def wrap(self, function: Callable[..., _Result]) -> Callable[..., _Result]:
        """The function, picklable, such that it attaches its process before it runs.

        For a pool initializer of your own, and for `Process(target=…)`.

        Raises:
            SessionClosedError: The session has ended, or has not begun.
            TypeError: `function` can't be called.
        """
        if not callable(function):
            raise TypeError(f"wrap() takes a function, got {function!r}")
        return Wrapped(self._open_run("wrap()").address, function)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was accepted before the call is in the file.

        Args:
            timeout: Seconds to wait; None waits as long as it takes.

        Returns:
            False if the timeout came first.

        Raises:
            SessionClosedError: The session has ended, has not begun, or is another process's.
        """
        if timeout is not None:
            check_timeout("timeout", timeout)
        return self._open_run("flush()").flush(timeout)

    def setLevel(
        self, level: int | str, logger: str | None = None, seconds: float | None = None
    ) -> None:
        """Set a logger's level in every process of the session, those to come included.

        This process has it when the call returns. Another takes it over with its next
        record that passes its present levels, or where these come in quick succession,
        within 0.05 s; one that logs nothing that passes can't notice. Over a queue, only
        processes that are started from then on have it. The log gets a line that says who
        has set it. When the session ends, the loggers get back the levels that they had.

        Args:
            level: By number or name.
            logger: Its name; None is the root logger.
            seconds: After that time the level is what it was before; None: it stays.

        Raises:
            ConfigError: An argument can't be meant.
            SessionClosedError: The session has ended, has not begun, or is another process's.
        """
        change = checked_change(level, logger, seconds)
        self._open_run("setLevel()").set_level(change, f"process {os.getpid()}")

    def dump(self) -> int:
        """Bring what the flight recorders of all processes hold into the log, and empty them.

        Each line comes into its own time's file. `flush` waits until they are there.

        Returns:
            How many records that were.

        Raises:
            ConfigError: The session has no flight recorder.
            SessionClosedError: The session has ended, has not begun, or is another process's.
        """
        return self._open_run("dump()").recorder("dump()").dump("session.dump()")

    def stats(self) -> SessionStats:
        """Counts of the present session, or of the last one."""
        return SessionStats() if self._run is None else self._run.stats()

    def start(self) -> LogSession:
        """Begin, as entering the `with` does. At the interpreter's exit, it is stopped.

        Raises:
            ConfigError: The log can't be written at this place, or nothing is to be adopted.
            SessionError: Another session is running in this process, or the system
                refuses what a session needs; `__cause__` is its error then.
        """
        for session in _running:
            if session is self:
                raise SessionError(
                    "this session has been entered already: leave it before you enter it again"
                )
            if not session._gives_way:
                raise SessionError(
                    "a session is running in this process already, and"
                    " mplogging.current_session() returns it: go on with that,"
                    " or stop() it before you enter another"
                )
        try:
            _running.append(self)
            self._run = Run(self._settings, self.stop)
            return self
        except BaseException as error:
            self._end(None)  # if a signal has interrupted it just after it began
            _forget(self)
            if type(error) is RuntimeError or _is_the_systems(error):
                raise SessionError(f"the session can't begin: {error}") from error
            raise

    def stop(self, timeout: float | None = None) -> bool:
        """Write everything, and put logging back as it was.

        A second time does nothing, even while the first is still at it.

        Args:
            timeout: Seconds that it may take; by default the session's `stopTimeout`.

        Returns:
            False if something was left behind at the deadline; a warning and
            `stats().unfinished` name it. In a forked child, True: it is not the
            child's to stop.
        """
        if timeout is not None:
            check_timeout("timeout", timeout)
        return self._end(timeout)

    def _end(self, timeout: float | None) -> bool:
        run = self._run
        if run is not None and not run.is_open:
            _forget(self)  # an interruption may have come before that
        if run is None or not run.is_open or run.pid != os.getpid():
            return True
        for session in reversed(_running):
            if session is self:
                break
            session._end(timeout)  # it has begun within this one
        try:
            return run.end(timeout)
        finally:
            if run.is_ending:
                _forget(self)

    def _open_run(self, call: str) -> Run:
        if self._run is None or not self._run.is_open:
            raise SessionClosedError(f"{call} on a closed session: enter it first")
        return self._run


def _is_the_systems(error: BaseException) -> bool:
    # What it calls raises no TimeoutError, but many a signal handler does.
    return isinstance(error, OSError) and not isinstance(error, TimeoutError)


# The session that runs in this process, if any; after one that gives way to it.
_running: list[LogSession] = []


def _forget(session: LogSession) -> None:
    _running[:] = [other for other in _running if other is not session]


@public
def current_session() -> LogSession | None:
    """The session that this process has begun and not left yet; None if there is none.

    For a notebook's cell that is run again, and for code that is far from `main`. A
    worker has none: the session is its parent's.
    """
    return _running[-1] if _running else None


def give_way(session: LogSession) -> None:
    """Let what runs within this session begin one of its own, which has it all meanwhile."""
    session._gives_way = True


def settle_all(seconds: float) -> bool:
    """Wait until files and handlers have all that was logged to this process's sessions."""
    runs = [session._run for session in _running]
    return all(run.settle(seconds) for run in runs if run is not None and run.is_open)


def steer(change: Change) -> None:
    """As `LogSession.setLevel`, in the session that runs here; the log is not told."""
    for session in _running[-1:]:
        session._open_run("setLevel()").set_level(change, None)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)
