"""`LogSession`: builds, owns and closes the rest.

Whatever `start` sets up goes onto a stack together with what undoes it; `stop`,
and a start that fails halfway, unwind that stack.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import logging
import multiprocessing
import os
import pickle
import time
import warnings
from collections.abc import Iterable
from typing import Any, Callable, NamedTuple, TypeVar

from . import _pipe
from ._channels import Channel, PipeChannel, QueueChannel
from ._decorators import Initializer, Passport, Wrapped
from ._drops import read_drops
from ._errors import ConfigError, MPLoggingWarning, SessionClosedError, SessionError
from ._files import DatedFileHandler
from ._frames import MARK
from ._levels import Levels, check_level
from ._listener import (
    STOP,
    ListenerSideHandler,
    PipeSource,
    QueueListener,
    QueueSource,
    Source,
)
from ._place import ENVIRONMENT, Place
from ._sidelines import Sideline
from ._signals import Signals
from ._worker import NEVER, Attachment, Config, QueueAddress, attached, set_attached

DEFAULT_FORMAT = "%(asctime)s %(levelname)s %(processName)s %(name)s: %(message)s"
_OVERFLOW = ("block", "drop")
_DISK_PAUSE = 0.05
_Function = TypeVar("_Function", bound=Callable[..., Any])
_Result = TypeVar("_Result")


class SessionStats(NamedTuple):
    """What a session has done so far."""

    records: int  # written
    bytes: int  # written
    workers: int  # processes other than the session's own that logged
    late: int  # of the records, those for an older file than the newest
    dropped: int  # records, because the pipe was full (overflow="drop")
    incomplete: int  # large records whose process died while sending them
    failed: int  # records that could not be written or handed to a handler
    corrupt: int  # times that the pipe held what was no record
    lost: int  # lines, because the disk was full for too long
    unfinished: dict[str, int]  # handlers that `stop` left behind, with what they still had


class LogSession:
    """Lets all processes of a program log into one dated file; goes around main.

    A context manager, and a decorator for `main`. Nothing happens before it is
    entered, so that children which import the module again don't mind it. It can
    be entered again once it has been left.

    Args:
        filename: The log's name (see `DatedFileHandler`), or a ready
            `DatedFileHandler`. None adopts the handlers of the root logger.
        level: The root logger's level, by number or name. By default INFO, or
            when handlers are adopted, the level that the root logger has.
        format, datefmt, style: As for `logging.Formatter`.
        handlers: Further handlers, which get each record in this process.
        captureWarnings: As `logging.captureWarnings`, in every process.
        overflow: "block": a log call waits while the pipe is full; "drop": its
            record is dropped, counted, and the count is logged.
        dropBelow: With "drop", the level from which on records wait all the same.
        queue: A `multiprocessing.Queue` or `Manager().Queue()` in place of the
            pipe, with that queue's guarantees.
        autoAttach: Attach all children of `multiprocessing`, and forked ones,
            without code of theirs.
        handleSignals: On SIGTERM, write everything and then end as without us.
        stopTimeout: Seconds that leaving may take.
        handlerCapacity: How many records may wait for each further handler.
        handlerOverflow: "drop" or "block", when that many wait.
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
        style: str | None = None,
        handlers: Iterable[logging.Handler] = (),
        captureWarnings: bool = True,
        overflow: str = "block",
        dropBelow: int | str | None = None,
        queue: Any = None,
        autoAttach: bool = True,
        handleSignals: bool = False,
        stopTimeout: float = 10.0,
        handlerCapacity: int = 10_000,
        handlerOverflow: str = "drop",
        **fileOptions: Any,
    ) -> None:
        _check_overflow("overflow", overflow)
        _check_overflow("handlerOverflow", handlerOverflow)
        if dropBelow is not None and overflow != "drop":
            raise ConfigError(f"dropBelow={dropBelow!r} needs overflow='drop', got {overflow!r}")
        if isinstance(handlerCapacity, bool) or not (
            isinstance(handlerCapacity, int) and handlerCapacity > 0
        ):
            raise ConfigError(f"handlerCapacity must be 1 or more, got {handlerCapacity!r}")
        if not isinstance(stopTimeout, (int, float)) or not stopTimeout >= 0:
            raise ConfigError(f"stopTimeout must be 0 or more, in seconds, got {stopTimeout!r}")
        if queue is not None and not (hasattr(queue, "put_nowait") and hasattr(queue, "get")):
            raise ConfigError(f"queue must have the methods of queue.Queue, got {queue!r}")
        file_settings = {
            name: value
            for name, value in (("format", format), ("datefmt", datefmt), ("style", style))
            if value is not None
        }
        self._owns_file = filename is not None and not isinstance(filename, DatedFileHandler)
        if not self._owns_file and (file_settings or fileOptions):
            raise ConfigError(
                f"{', '.join([*file_settings, *fileOptions])} can't be given together with"
                f" filename={filename!r}, which has settings of its own"
            )
        self._given_handlers = _checked_handlers(handlers)
        if filename is None and self._given_handlers:
            raise ConfigError(
                f"handlers={self._given_handlers!r} needs a filename: without one, the handlers"
                " of the root logger are adopted"
            )
        self._adopts = filename is None
        if isinstance(filename, DatedFileHandler):
            self._given_file: DatedFileHandler | None = filename
        elif filename is None:
            self._given_file = None
        else:
            self._given_file = _make_file(filename, file_settings, fileOptions)
        self._level = None if level is None else check_level("level", level)
        if level is None and not self._adopts:
            self._level = logging.INFO
        self._captures_warnings = bool(captureWarnings)
        self._drop_below = 0 if overflow == "block" else NEVER
        if dropBelow is not None:
            self._drop_below = check_level("dropBelow", dropBelow)
        self._given_queue = queue
        self._auto_attach = bool(autoAttach)
        self._handles_signals = bool(handleSignals)
        self._stop_timeout = stopTimeout
        self._handler_capacity = handlerCapacity
        self._are_handlers_patient = handlerOverflow == "block"
        self._undo: contextlib.ExitStack | None = None
        self._forget()

    def _forget(self) -> None:
        self._pid = 0
        self._address: str | QueueAddress | None = None
        self._listener: QueueListener | None = None
        self._attachment: Attachment | None = None
        self._file: DatedFileHandler | None = None
        self._sidelines: list[Sideline] = []
        self._place: Place | None = None
        self._marks = itertools.count()
        self._deadline = float("inf")
        self._is_stopping = False
        self._is_abandoned = False
        self._unfinished: dict[str, int] = {}

    # -- using it --------------------------------------------------------------------

    def __enter__(self) -> LogSession:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def __call__(self, function: _Function) -> _Function:
        """Decorate `main`: the session lasts as long as each call of it."""
        if _is_coroutine_function(function):

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

    @property
    def address(self) -> str | QueueAddress:
        """What `attach` takes, in a process that has it from elsewhere than `multiprocessing`.

        Raises:
            SessionClosedError: The session has ended, or has not begun.
        """
        return self._open_address("address")

    @property
    def activeFilename(self) -> str | None:
        """Path of the file that a record made now goes to; None if the session has no file."""
        file = self._file or self._given_file
        return None if file is None else file.activeFilename

    @property
    def initializer(self) -> Callable[..., None]:
        """What a pool's `initializer` takes to make its workers log to this session.

        Runs once in each worker, under any start method, and ignores its arguments,
        so it also serves where a worker's number is passed in.

        Raises:
            SessionClosedError: The session has ended, or has not begun.
        """
        return Initializer(self._open_address("initializer"))

    def wrap(self, function: Callable[..., _Result]) -> Callable[..., _Result]:
        """The function, picklable, such that it attaches its process before it runs.

        For a pool initializer of your own, and for `Process(target=…)`.

        Raises:
            SessionClosedError: The session has ended, or has not begun.
            TypeError: `function` can't be called.
        """
        if not callable(function):
            raise TypeError(f"wrap() takes a function, got {function!r}")
        return Wrapped(self._open_address("wrap()"), function)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until all that was accepted before the call is in the file.

        Args:
            timeout: Seconds to wait; None waits as long as it takes.

        Returns:
            False if the timeout came first.

        Raises:
            SessionClosedError: The session has ended, has not begun, or is another process's.
        """
        self._open_address("flush()")
        listener = self._listener
        if listener is None or self._pid != os.getpid():
            raise SessionClosedError("flush() works in the session's own process only")
        if listener.is_listening_thread():
            return False  # it would wait for itself
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        mark = b"flush %d" % next(self._marks)
        reached = listener.expect(mark)
        if not self._send_mark(mark, deadline):
            return False
        while not reached.is_set():
            remaining = deadline - time.monotonic()
            if remaining <= 0 or self._undo is None:
                return reached.is_set()
            reached.wait(min(remaining, 1.0))
        return True

    def stats(self) -> SessionStats:
        """Counts of the present session, or of the last one."""
        listener, file = self._listener, self._file
        if listener is None:
            return SessionStats(0, 0, 0, 0, 0, 0, 0, 0, 0, {})
        counts = listener.delivery.counts
        return SessionStats(
            records=counts["records"],
            bytes=counts["bytes"],
            workers=len(listener.delivery.pids - {self._pid}),
            late=file.late if file else 0,
            dropped=counts["dropped"] + sum(line.dropped for line in self._sidelines),
            incomplete=counts["incomplete"],
            failed=counts["failed"] + sum(line.failed for line in self._sidelines),
            corrupt=counts["corrupt"],
            lost=file.lost if file else 0,
            unfinished=dict(self._unfinished),
        )

    # -- beginning and end --------------------------------------------------------------

    def start(self) -> LogSession:
        """Begin, as entering the `with` does. At the interpreter's exit, it is stopped.

        Raises:
            ConfigError: The log can't be written at this place, or nothing is to be adopted.
            SessionError: Another session is running in this process.
        """
        if _running and _running[0]._pid == os.getpid():  # not inherited by a fork
            raise SessionError(
                "a session is running in this process already: leave it before you enter another"
                if _running[0] is not self
                else "this session has been entered already: leave it before you enter it again"
            )
        self._forget()
        self._pid = os.getpid()
        with contextlib.ExitStack() as undo:
            _running[:] = [self]
            undo.callback(_running.clear)
            if self._handles_signals:
                signals = Signals(self.stop, lambda: self._is_stopping)
                undo.callback(signals.restore)
            channel, source = self._open_channel(undo)
            self._open_outputs(undo)
            config = self._make_config()
            self._address = self._publish(config)
            listener = QueueListener(source, self._file, self._sidelines)
            attachment = Attachment(self._address, channel, config)
            handler = ListenerSideHandler(channel, config)
            handler.listener = self._listener = listener
            undo.callback(attachment.close)
            undo.callback(self._stop_listener)
            self._attachment = attachment
            listener.start()
            self._route(undo, attachment, handler)
            self._invite(undo)
            atexit.register(self.stop)
            undo.callback(atexit.unregister, self.stop)
            self._undo = undo.pop_all()
        return self

    def stop(self, timeout: float | None = None) -> bool:
        """Write everything, and put logging back as it was. A second time does nothing.

        Args:
            timeout: Seconds that it may take; by default the session's `stopTimeout`.

        Returns:
            False if something was left behind at the deadline; a warning and
            `stats().unfinished` name it. In a forked child, True: it is not the
            child's to stop.
        """
        if self._undo is None or self._pid != os.getpid():
            return True
        undo, self._undo = self._undo, None
        self._deadline = time.monotonic() + (self._stop_timeout if timeout is None else timeout)
        self._is_stopping = True
        undo.close()
        if self._unfinished:
            left = (f"{name} still had {count}" for name, count in self._unfinished.items())
            warnings.warn(
                f"the session ended before all was written: {', '.join(left)}",
                MPLoggingWarning,
                stacklevel=2,
            )
        return not self._unfinished

    def _open_channel(self, undo: contextlib.ExitStack) -> tuple[Channel, Source]:
        queue = self._given_queue
        if queue is None and not hasattr(os, "mkfifo"):
            queue = multiprocessing.Queue()
        if queue is not None:
            self._queue = queue
            return QueueChannel(queue), QueueSource(queue)
        self._place = place = Place.make()
        undo.callback(place.close)  # twice does no harm
        undo.callback(place.remove)
        try:
            reader, writer = _pipe.make(place)
        except OSError as error:
            raise SessionError(f"no pipe can be made in {place.path!r}: {error}") from error
        channel = PipeChannel(place, writer)
        undo.callback(channel.close)
        undo.callback(reader.close)
        return channel, PipeSource(place, reader, writer)

    def _open_outputs(self, undo: contextlib.ExitStack) -> None:
        others = self._given_handlers
        self._file = self._given_file
        if self._adopts:
            adopted = logging.getLogger().handlers
            if not adopted:
                raise ConfigError(
                    "filename=None adopts the root logger's handlers, and it has none:"
                    " give a filename, or set up logging first"
                )
            files = [handler for handler in adopted if isinstance(handler, DatedFileHandler)]
            self._file = files[0] if files else None
            others = [handler for handler in adopted if handler is not self._file]
        if self._file is not None:
            file = self._file
            try:
                file.open()
            except OSError as error:
                raise ConfigError(
                    f"filename {file.baseFilename!r} can't be opened: {error}"
                ) from error
            undo.callback(self._release_file, file)
        self._sidelines = [
            Sideline(
                handler,
                self._handler_capacity,
                self._are_handlers_patient,
                lambda handler, record: handler.handleError(record),
            )
            for handler in others
        ]

    def _make_config(self) -> Config:
        file = self._file
        levels = Levels.now()
        if self._level is not None:
            levels.of_loggers[""] = self._level
        return Config(
            file=None if file is None else _pickled(file),
            bare_file=None if file is None else pickle.dumps(file.bare_copy()),
            record_level=min((line.handler.level for line in self._sidelines), default=NEVER),
            drop_below=self._drop_below,
            captures_warnings=self._captures_warnings,
            levels=levels,
        )

    def _publish(self, config: Config) -> str | QueueAddress:
        data = pickle.dumps(config)
        if self._place is None:
            return QueueAddress(self._queue, data)
        self._place.write_config(data)
        return self._place.path

    def _publish_levels(self) -> None:
        """A process is about to be started: it shall find the levels as they are now."""
        attachment = self._attachment
        if attachment is None or self._place is None or self._pid != os.getpid():
            return
        levels = Levels.now()
        if levels != attachment.config.levels:
            attachment.config = attachment.config._replace(levels=levels)
            try:
                self._publish(attachment.config)
            except OSError:
                pass  # the directory was cleared away: nobody can attach anyhow

    def _route(
        self, undo: contextlib.ExitStack, attachment: Attachment, handler: ListenerSideHandler
    ) -> None:
        """Let the root logger lead into the session."""
        previous = attached()
        attachment.follows_forks = self._auto_attach
        attachment.install(handler)
        undo.callback(attachment.detach)
        if self._level is not None:
            logging.getLogger().setLevel(self._level)
        set_attached(attachment)
        undo.callback(set_attached, previous)
        self._publish_levels()

    def _invite(self, undo: contextlib.ExitStack) -> None:
        """Let processes that are started from here on find the session."""
        if isinstance(self._address, str):
            previous = os.environ.get(ENVIRONMENT)
            os.environ[ENVIRONMENT] = self._address
            undo.callback(_set_environment, previous)
        if self._auto_attach and self._address is not None:
            passport = Passport(self._address, self._publish_levels)
            undo.callback(passport.issue())

    def _stop_listener(self) -> None:
        listener = self._listener
        assert listener is not None
        remaining = self._deadline - time.monotonic()
        is_ended = self._send_mark(STOP, self._deadline) and (
            listener.stop_at(self._deadline - remaining / 2)
            or listener.stop_at(self._deadline, is_patient=False)
        )
        for line in self._sidelines:
            line.end()  # so that one that is stuck takes no time from the others
        for line in self._sidelines:
            left = line.finish(self._deadline)
            if left:
                self._unfinished[repr(line.handler)] = left
        if not is_ended:
            self._is_abandoned = True
            self._unfinished[repr(self._file)] = listener.abandon()
            return
        if self._place is not None:
            for pid, dropped in read_drops(self._place):
                listener.delivery.settle_drops(pid, dropped)
        listener.delivery.sum_up(self._unfinished)

    def _release_file(self, file: DatedFileHandler) -> None:
        if self._is_abandoned:
            return  # the listener is stuck in it, and has its lock
        file.flush()
        while file.waiting and time.monotonic() < self._deadline:
            time.sleep(_DISK_PAUSE)
            file.flush()
        if file.waiting:
            self._unfinished[repr(file)] = file.waiting
        if self._owns_file:
            file.close()

    def _send_mark(self, mark: bytes, deadline: float) -> bool:
        assert self._attachment is not None and self._attachment.handler is not None
        sender = self._attachment.handler.queue
        while True:
            try:
                sender.send(MARK, 0.0, mark)
                return True
            except BlockingIOError:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return False
                sender.wait(min(remaining, 1.0))
            except OSError:
                return False

    def _open_address(self, call: str) -> str | QueueAddress:
        if self._undo is None or self._address is None:
            raise SessionClosedError(f"{call} on a closed session: enter it first")
        return self._address


# The session that runs in this process, if any.
_running: list[LogSession] = []


def _check_overflow(name: str, value: str) -> None:
    if value not in _OVERFLOW:
        raise ConfigError(f"{name} must be one of {_OVERFLOW}, got {value!r}")


def _is_coroutine_function(function: Callable[..., Any]) -> bool:
    import inspect  # a quarter of our import time, for decorators only

    return inspect.iscoroutinefunction(function)


def _checked_handlers(handlers: Iterable[logging.Handler]) -> list[logging.Handler]:
    if isinstance(handlers, logging.Handler):
        raise ConfigError(f"handlers must be a list of handlers, got {handlers!r}")
    checked = list(handlers)
    for handler in checked:
        if not isinstance(handler, logging.Handler):
            raise ConfigError(f"handlers must hold logging.Handler objects, got {handler!r}")
    return checked


def _make_file(
    filename: str | os.PathLike[str], settings: dict[str, str], options: dict[str, Any]
) -> DatedFileHandler:
    code = DatedFileHandler.__init__.__code__
    known = code.co_varnames[2 : code.co_argcount + code.co_kwonlyargcount]  # after filename
    for name in options:
        if name not in known:
            raise ConfigError(f"{name}={options[name]!r} is no argument of LogSession")
    file = DatedFileHandler(filename, **{**options, "delay": True})
    try:
        formatter = logging.Formatter(
            settings.get("format", DEFAULT_FORMAT),
            settings.get("datefmt"),
            settings.get("style", "%"),  # type: ignore[arg-type]
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"format can't be made of {settings!r}: {error}") from error
    file.setFormatter(formatter)
    return file


def _pickled(file: DatedFileHandler) -> bytes | None:
    """The handler, if a worker can make its lines just as this process would."""
    is_ours = (
        type(file).emit is DatedFileHandler.emit and type(file).format is logging.Handler.format
    )
    if file.filters or not is_ours:
        return None
    try:
        return pickle.dumps(file)
    except Exception:
        return None


def _set_environment(value: str | None) -> None:
    if value is None:
        os.environ.pop(ENVIRONMENT, None)
    else:
        os.environ[ENVIRONMENT] = value
