"""One run of a session: what it has set up, and how that is taken down again.

Whatever is set up goes onto a stack together with what undoes it; the end, and
a beginning that fails halfway, unwind that stack.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import multiprocessing
import os
import pickle
import threading
import time
import warnings
from typing import Any, Callable

from .._delivery.delivery import Delivery
from .._delivery.recovery import describe, recover
from .._errors import MPLoggingWarning, SessionClosedError
from .._file.handler import DatedFileHandler
from .._levels import Levels
from .._wire.bell import Bell
from .._wire.drops import read_drops
from .._wire.place import ENVIRONMENT, Place, is_open_here
from .._wire.processes import this_process
from .._wire.where import bell_paths, candidates, leftovers, make_place
from .._worker.attaching import (
    Attachment,
    attached,
    multiprocessing_util,
    set_attached,
    warn_of_set_up,
)
from .._worker.channels import Channel, JournalChannel, QueueAddress, QueueChannel
from .._worker.config import Config, pickled
from .._worker.decorators import Passport
from .alone import Alone
from .listener import ListenerSideHandler, QueueListener
from .outputs import Outputs
from .settings import Settings
from .signals import Signals
from .sources import JournalSource, QueueSource, Source
from .stats import SessionStats

_CAPACITY_BYTES = 64 << 20  # where there is no file to say it
_HASTE = 1.0  # seconds that remain after a second Ctrl-C


class Run:
    """A session from its beginning to its end.

    Args:
        stop: What a signal, or the interpreter's exit, calls to end it.

    Raises:
        ConfigError: The log can't be written at this place, or nothing is to be adopted.
        SessionError: There can be no session directory.
    """

    address: str | QueueAddress

    def __init__(self, settings: Settings, stop: Callable[[], Any]) -> None:
        self._settings = settings
        self._stop = stop
        self.pid = os.getpid()
        self.is_ending = False
        self._attachment: Attachment | None = None
        self._place: Place | None = None
        self._alone: Alone | None = None
        self._deadline = _deadline(settings.stop_timeout)  # if it does not even begin
        self._was_set_up_anew = False
        self._is_abandoned = False
        self._is_left = False  # is there something in the journal still?
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
        reached = listener.expect()
        while not reached.is_set():
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not self.is_open:
                return reached.is_set()
            reached.wait(min(remaining, 1.0))
        return True

    def stats(self) -> SessionStats:
        """As `LogSession.stats`."""
        self._delivery.absorb()
        return SessionStats.of(self._delivery, self._outputs, self.pid, self._unfinished)

    # -- the beginning ------------------------------------------------------------------

    def _begin(self, undo: contextlib.ExitStack) -> None:
        if self._settings.handles_signals:
            signals = Signals(self._stop, lambda: self.is_ending)
            undo.callback(signals.restore)
        self._outputs = outputs = Outputs(self._settings)
        undo.callback(self._release_file)
        self._delivery = Delivery(outputs.file, outputs.sidelines)
        channel, config = self._open_channel(undo)
        self.address = channel.publish(config)
        handler = ListenerSideHandler(channel, config)
        undo.callback(self._close_alone)
        source = self._open_source(undo, channel, handler)
        self._listener = listener = QueueListener(source, self._delivery, outputs.sidelines)
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

    def _open_channel(self, undo: contextlib.ExitStack) -> tuple[Channel, Config]:
        queue = self._settings.queue
        if queue is None and not hasattr(os, "mkfifo"):
            queue = multiprocessing.Queue()
        if queue is not None:
            return QueueChannel(queue), self._make_config("")
        file = self.file
        directories = candidates(
            None if file is None else file.directory, self._settings.journal_dir
        )
        self._recover(directories)
        self._place = place = make_place(directories)
        undo.callback(place.close)  # twice does no harm
        undo.callback(self._remove_place)
        bells = bell_paths(place)
        place.write_recovery(describe(file, bells))
        self._bell = bell = Bell.make(bells)
        undo.callback(bell.close)
        undo.callback(bell.remove)
        config = self._make_config(bell.path)
        channel = JournalChannel(place, bell, config.capacity_bytes, config.process)
        undo.callback(channel.close)
        return channel, config

    def _recover(self, directories: list[str]) -> None:
        """Write what killed sessions have left, with the settings that they had."""
        for path in leftovers(directories):
            if is_open_here(path):
                continue  # this process is attached to it
            done = recover(path)
            self._delivery.counts["recovered"] += done.records
            if done.left or "--force" in done.problem:
                self._delivery.warn("a session has left something: %s", done)

    def _open_source(
        self, undo: contextlib.ExitStack, channel: Channel, handler: ListenerSideHandler
    ) -> Source:
        if not isinstance(channel, JournalChannel):
            assert isinstance(channel, QueueChannel)
            return QueueSource(channel.queue, self._delivery)
        source = JournalSource(channel.place, self._bell, self._delivery, channel.writer)
        undo.callback(source.close)
        if self.file is not None:
            self._alone = Alone(channel.place, source.reader, self._delivery, self.file)
            handler.alone = self._alone
        return source

    def _make_config(self, bell: str) -> Config:
        file = self.file
        levels = Levels.now()
        if self._settings.level is not None:
            levels.of_loggers[""] = self._settings.level
        return Config(
            file=None if file is None else pickled(file),
            bare_file=None if file is None else pickle.dumps(file.bare_copy()),
            record_level=self._outputs.record_level(),
            drop_below=self._settings.drop_below,
            capacity_bytes=file.bufferBytes if file is not None else _CAPACITY_BYTES,
            bell=bell,
            process=this_process(),
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
                attachment.channel.publish(attachment.config)
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
        return listener.stop_at(self._deadline - remaining / 2) or listener.stop_at(
            self._deadline, is_patient=False
        )

    def _settle(self, is_ended: bool) -> None:
        """Sum up what there is to tell, and let the further handlers end."""
        listener = self._listener
        if is_ended:
            for pid, dropped in read_drops(self._place) if self._place else ():
                self._delivery.settle_drops(pid, dropped)
            self._delivery.sum_up()
        self._unfinished.update(self._outputs.finish_handlers(self._deadline))
        if is_ended:
            self._delivery.sum_up_handlers(self._unfinished)
        else:
            self._is_abandoned = True
            listener.abandon()
        left = listener.queue.left()
        if left:
            self._is_left = True
            self._unfinished[repr(self.file)] = left

    def _release_file(self) -> None:
        if self._is_abandoned:
            return  # the listener is stuck in it, and has its lock
        waiting = self._outputs.release_file(self._deadline)
        if waiting:
            self._unfinished[repr(self.file)] = waiting

    def _close_alone(self) -> None:
        if self._alone is not None:
            self._alone.close()

    def _remove_place(self) -> None:
        # What is left in it is for those who are still attached, or for the next session.
        place = self._place
        if place is not None and not self._is_left and not place.is_held():
            place.remove()


def _deadline(timeout: float) -> float:
    return time.monotonic() + min(timeout, threading.TIMEOUT_MAX / 2)


def _set_environment(value: str | None) -> None:
    if value is None:
        os.environ.pop(ENVIRONMENT, None)
    else:
        os.environ[ENVIRONMENT] = value
