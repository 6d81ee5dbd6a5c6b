"""One run of a session: what it has set up, and how that is taken down again.

Whatever is set up goes onto a stack together with what undoes it; the end, and
a beginning that fails halfway, unwind that stack.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import logging
import multiprocessing
import os
import pickle
import threading
import time
import warnings
from typing import Any, Callable

from .._errors import MPLoggingWarning, SessionClosedError, SessionError
from .._file.handler import DatedFileHandler
from .._levels import Levels
from .._wire import pipe
from .._wire.drops import read_drops
from .._wire.frames import MARK
from .._wire.place import ENVIRONMENT, Place
from .._worker.attaching import (
    Attachment,
    attached,
    multiprocessing_util,
    set_attached,
    warn_of_set_up,
)
from .._worker.channels import Channel, PipeChannel, QueueAddress, QueueChannel
from .._worker.config import Config, pickled
from .._worker.decorators import Passport
from .listener import STOP, ListenerSideHandler, QueueListener
from .outputs import Outputs
from .settings import Settings
from .signals import Signals
from .sources import PipeSource, QueueSource, Source
from .stats import SessionStats

_HASTE = 1.0  # seconds that remain after a second Ctrl-C


class Run:
    """A session from its beginning to its end.

    Args:
        stop: What a signal, or the interpreter's exit, calls to end it.

    Raises:
        ConfigError: The log can't be written at this place, or nothing is to be adopted.
        SessionError: There can be no session directory, or no pipe.
    """

    address: str | QueueAddress

    def __init__(self, settings: Settings, stop: Callable[[], Any]) -> None:
        self._settings = settings
        self._stop = stop
        self.pid = os.getpid()
        self.is_ending = False
        self._attachment: Attachment | None = None
        self._place: Place | None = None
        self._marks = itertools.count()
        self._deadline = _deadline(settings.stop_timeout)  # if it does not even begin
        self._was_set_up_anew = False
        self._is_abandoned = False
        self._unfinished: dict[str, int] = {}
        self._undo: contextlib.ExitStack | None = None
        with contextlib.ExitStack() as undo:
            self._begin(undo)
            self._undo = undo.pop_all()

    @property
    def file(self) -> DatedFileHandler | None:
        """The log, if there is one."""
        return self._outputs.file

    @property
    def is_open(self) -> bool:
        """True until its end begins."""
        return self._undo is not None

    def end(self, timeout: float | None) -> bool:
        """As `LogSession.stop`."""
        self.is_ending = True  # first: a signal from here on waits for the end
        undo, self._undo = self._undo, None
        if undo is None:
            return True  # another thread is at it
        self._deadline = _deadline(self._settings.stop_timeout if timeout is None else timeout)
        undo.close()
        if self._was_set_up_anew:
            warn_of_set_up(stacklevel=4)
        if self._unfinished:
            left = (f"{name} still had {count}" for name, count in self._unfinished.items())
            warnings.warn(
                f"the session ended before all was written: {', '.join(left)}",
                MPLoggingWarning,
                stacklevel=4,
            )
        return not self._unfinished

    def flush(self, timeout: float | None) -> bool:
        """As `LogSession.flush`."""
        listener = self._listener
        if self.pid != os.getpid():
            raise SessionClosedError("flush() works in the session's own process only")
        if listener.is_listening_thread():
            return False  # it would wait for itself
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        mark = b"flush %d" % next(self._marks)
        reached = listener.expect(mark)
        if not self._send_mark(mark, deadline):
            listener.expect_no_more(mark)
            return False
        while not reached.is_set():
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not self.is_open:
                return reached.is_set()
            reached.wait(min(remaining, 1.0))
        return True

    def stats(self) -> SessionStats:
        """As `LogSession.stats`."""
        return SessionStats.of(
            self._listener.delivery, self._outputs, self.pid, self._unfinished
        )

    # -- the beginning ------------------------------------------------------------------

    def _begin(self, undo: contextlib.ExitStack) -> None:
        if self._settings.handles_signals:
            signals = Signals(self._stop, lambda: self.is_ending)
            undo.callback(signals.restore)
        channel, source = self._open_channel(undo)
        self._outputs = outputs = Outputs(self._settings)
        undo.callback(self._release_file)
        config = self._make_config()
        self.address = channel.publish(pickle.dumps(config))
        self._listener = listener = QueueListener(source, outputs.file, outputs.sidelines)
        handler = ListenerSideHandler(channel, config)
        handler.listener = listener
        self._attachment = attachment = Attachment(self.address, channel, config, handler)
        attachment.session_pid = self.pid
        undo.callback(attachment.close)
        undo.callback(self._stop_listener)
        listener.start()
        self._route(undo, attachment)
        self._invite(undo)
        atexit.register(self._stop)
        undo.callback(atexit.unregister, self._stop)
        # For a child of `multiprocessing`, which does not run `atexit`.
        at_end = multiprocessing_util().Finalize(None, self._stop, exitpriority=-100)
        undo.callback(at_end.cancel)

    def _open_channel(self, undo: contextlib.ExitStack) -> tuple[Channel, Source]:
        queue = self._settings.queue
        if queue is None and not hasattr(os, "mkfifo"):
            queue = multiprocessing.Queue()
        if queue is not None:
            return QueueChannel(queue), QueueSource(queue)
        self._place = place = Place.make()
        undo.callback(place.close)  # twice does no harm
        undo.callback(self._remove_place)
        try:
            reader, writer = pipe.make(place)
        except OSError as error:
            raise SessionError(f"no pipe can be made in {place.path!r}: {error}") from error
        channel = PipeChannel(place, writer)
        undo.callback(channel.close)
        undo.callback(reader.close)
        return channel, PipeSource(place, reader, writer)

    def _make_config(self) -> Config:
        file = self.file
        levels = Levels.now()
        if self._settings.level is not None:
            levels.of_loggers[""] = self._settings.level
        return Config(
            file=None if file is None else pickled(file),
            bare_file=None if file is None else pickle.dumps(file.bare_copy()),
            record_level=self._outputs.record_level(),
            drop_below=self._settings.drop_below,
            captures_warnings=self._settings.captures_warnings,
            levels=levels,
        )

    def _publish_levels(self) -> None:
        """A process is about to be started: it shall find the levels as they are now."""
        attachment = self._attachment
        if attachment is None or self._place is None or self.pid != os.getpid():
            return
        levels = Levels.now()
        if levels != attachment.config.levels:
            attachment.config = attachment.config._replace(levels=levels)
            try:
                attachment.channel.publish(pickle.dumps(attachment.config))
            except OSError:
                pass  # the directory was cleared away: nobody can attach anyhow

    def _route(self, undo: contextlib.ExitStack, attachment: Attachment) -> None:
        """Let the root logger lead into the session."""
        previous = attached()
        attachment.follows_forks = self._settings.auto_attach
        attachment.install()
        undo.callback(self._detach, attachment)
        if self._settings.level is not None:
            logging.getLogger().setLevel(self._settings.level)
        set_attached(attachment)
        undo.callback(set_attached, previous)
        self._publish_levels()

    def _invite(self, undo: contextlib.ExitStack) -> None:
        """Let processes that are started from here on find the session."""
        if isinstance(self.address, str):
            previous = os.environ.get(ENVIRONMENT)
            os.environ[ENVIRONMENT] = self.address
            undo.callback(_set_environment, previous)
        if self._settings.auto_attach:
            passport = Passport(self.address, self._publish_levels)
            undo.callback(passport.issue())

    # -- the end --------------------------------------------------------------------------

    def _detach(self, attachment: Attachment) -> None:
        self._was_set_up_anew = not attachment.is_in_place
        attachment.detach()

    def _stop_listener(self) -> None:
        try:
            is_ended = self._end_listener()
        except BaseException:
            # A second Ctrl-C: to be quick, but not to close the pipe under the listener.
            self._deadline = min(self._deadline, time.monotonic() + _HASTE)
            self._settle(self._end_listener())
            raise
        self._settle(is_ended)

    def _end_listener(self) -> bool:
        listener = self._listener
        remaining = self._deadline - time.monotonic()
        return self._send_mark(STOP, self._deadline) and (
            listener.stop_at(self._deadline - remaining / 2)
            or listener.stop_at(self._deadline, is_patient=False)
        )

    def _settle(self, is_ended: bool) -> None:
        """Sum up what there is to tell, and let the further handlers end."""
        listener = self._listener
        if is_ended:
            for pid, dropped in read_drops(self._place) if self._place else ():
                listener.delivery.settle_drops(pid, dropped)
            listener.delivery.sum_up()
        self._unfinished.update(self._outputs.finish_handlers(self._deadline))
        if is_ended:
            listener.delivery.sum_up_handlers(self._unfinished)
        else:
            self._is_abandoned = True
            self._unfinished[f"{self.file!r} (bytes in the pipe)"] = listener.abandon()

    def _release_file(self) -> None:
        if self._is_abandoned:
            return  # the listener is stuck in it, and has its lock
        waiting = self._outputs.release_file(self._deadline)
        if waiting:
            self._unfinished[repr(self.file)] = waiting

    def _remove_place(self) -> None:
        # Workers that are to drain what was left may need the pipe's name for that:
        # then the next session removes it, once they have ended.
        if self._place and not (self._is_abandoned and pipe.needs_name()):
            self._place.remove()

    def _send_mark(self, mark: bytes, deadline: float) -> bool:
        assert self._attachment is not None
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


def _deadline(timeout: float) -> float:
    return time.monotonic() + min(timeout, threading.TIMEOUT_MAX / 2)


def _set_environment(value: str | None) -> None:
    if value is None:
        os.environ.pop(ENVIRONMENT, None)
    else:
        os.environ[ENVIRONMENT] = value
