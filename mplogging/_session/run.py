"""One run of a session: what it has set up, and how that is taken down again.

Whatever is set up goes onto a stack together with what undoes it; the end, and
a beginning that fails halfway, unwind that stack (`undo`).
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import multiprocessing
import os
import pickle
import secrets
import warnings
from threading import TIMEOUT_MAX, RLock
from time import monotonic
from typing import Any, Callable

from .._delivery.delivery import Delivery
from .._errors import MPLoggingWarning, SessionClosedError, SessionError
from .._file.handler import DatedFileHandler
from .._levels import Levels
from .._limit import take_all_held
from .._wire.place import ENVIRONMENT
from .._wire.processes import this_process
from .._worker.attaching import (
    Attachment,
    attached,
    multiprocessing_utils,
    set_attached,
    warn_of_set_up,
)
from .._worker.channels import Channel, QueueAddress, QueueChannel
from .._worker.config import Config, pickled
from .._worker.formatting import changes
from .._worker.passport import Passport
from .alone import Alone
from .console import tell_of_silence
from .formats import tell_of_unknown_fields
from .journal import SessionJournal
from .listener import ListenerSideHandler, SessionListener
from .outputs import Outputs
from .settings import Settings
from .signals import Signals
from .sources import QueueSource, Source
from .stats import SessionStats
from .undo import Undo
from .watching import LevelWatch

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
        self._token = secrets.token_hex(8)
        self.is_ending = False
        self._claim = iter((True,))  # who takes it ends the session
        self._undo = Undo()
        self._outputs: Outputs | None = None
        self._journal: SessionJournal | None = None
        self._listener: SessionListener | None = None
        self._alone: Alone | None = None
        self._attachment: Attachment | None = None
        self._deadline = _deadline(settings.stop_timeout)  # if it does not even begin
        self._was_set_up_anew = False
        self._is_abandoned = False
        self._unfinished: dict[str, int] = {}
        self._renewing = RLock()  # the listener may be at it, and a process be started
        try:
            self._begin()
        except BaseException as error:
            self.is_ending = True
            self._undo.run()
            if isinstance(error, (OSError, RuntimeError)) and not isinstance(error, SessionError):
                raise SessionError(f"the session can't begin: {error}") from error
            raise

    @property
    def file(self) -> DatedFileHandler | None:
        """The log, if there is one."""
        return None if self._outputs is None else self._outputs.file

    @property
    def is_open(self) -> bool:
        """True until its end begins."""
        return not self.is_ending

    def end(self, timeout: float | None) -> bool:
        """As `LogSession.stop`."""
        try:
            if not next(self._claim, False):
                return True  # another thread is at it, or has done it
            self.is_ending = True  # first: a signal from here on waits for the end
            timeout = self._settings.stop_timeout if timeout is None else timeout
            self._deadline = _deadline(timeout)
            self._undo.run(self._hasten)
        except BaseException:
            self.is_ending = True  # it may have come before that was said
            self._undo.run(self._hasten)  # what it has left
            raise
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

    def _hasten(self) -> None:
        """A second Ctrl-C: to be quick, but not to close the journal under the listener."""
        self._deadline = min(self._deadline, monotonic() + _HASTE)

    def flush(self, timeout: float | None) -> bool:
        """As `LogSession.flush`."""
        listener = self._listener
        assert listener is not None
        if self.pid != os.getpid():
            raise SessionClosedError("flush() works in the session's own process only")
        if listener.is_listening_thread():
            return False  # it would wait for itself
        deadline = float("inf") if timeout is None else monotonic() + timeout
        reached = listener.expect()
        while not reached.is_set():
            remaining = deadline - monotonic()
            if remaining <= 0 or not self.is_open:
                return reached.is_set()
            reached.wait(min(remaining, 1.0))
        return True

    def present_address(self) -> str | QueueAddress:
        """As `LogSession.address`; who takes it there finds the levels as they are now."""
        return self._renew()

    def stats(self) -> SessionStats:
        """As `LogSession.stats`."""
        self._delivery.absorb()
        assert self._outputs is not None
        return SessionStats.of(self._delivery, self._outputs, self.pid, self._unfinished)

    # -- the beginning ------------------------------------------------------------------

    def _begin(self) -> None:
        push = self._undo.push
        if self._settings.handles_signals:
            signals = Signals(self._stop, lambda: self.is_ending)
            push(signals.restore)
            signals.take()
        push(self._release_file)
        self._outputs = outputs = Outputs(self._settings)
        outputs.open()
        self._delivery = delivery = Delivery(outputs.file, outputs.sidelines)
        self._channel = channel = self._make_channel()
        self._config = self._make_config()
        self.address = self._publish()
        handler = ListenerSideHandler(channel, self._config)
        push(self._close_alone)
        source = self._make_source(channel, handler)
        listener = SessionListener(source, delivery, outputs.sidelines)
        handler.listener = listener
        attachment = Attachment(self.address, channel, self._config, handler)
        attachment.session_pid = self.pid
        attachment.outlets = outputs.handlers()
        attachment.renew = self._renew
        push(attachment.close)
        push(self._stop_listener)
        self._listener = listener
        listener.start()
        push(functools.partial(self._detach, attachment, attached()))
        self._route(attachment)
        self._invite()
        self._watch_levels()
        push(functools.partial(atexit.unregister, self._stop))
        atexit.register(self._stop)
        # For a child of `multiprocessing`, which does not run `atexit`.
        for util in multiprocessing_utils():
            push(util.Finalize(None, self._stop, exitpriority=-100).cancel)

    def _make_channel(self) -> Channel:
        queue = self._settings.queue
        if queue is None and not hasattr(os, "mkfifo"):
            queue = multiprocessing.Queue()
        if queue is not None:
            return QueueChannel(queue)
        self._journal = journal = SessionJournal(
            self.file, self._settings.journal_dir, self._delivery, self._undo
        )
        return journal.channel

    def _make_source(self, channel: Channel, handler: ListenerSideHandler) -> Source:
        if isinstance(channel, QueueChannel):
            return QueueSource(channel.queue, self._delivery)
        assert self._journal is not None and self._outputs is not None
        source = self._journal.source()
        # A handler that records wait for holds up the listener, not whoever logs.
        waits = self._settings.are_handlers_patient and self._outputs.sidelines
        if self.file is not None and not waits:
            self._alone = handler.alone = Alone(source, self._delivery, self.file)
        return source

    def _make_config(self) -> Config:
        file, journal, outputs = self.file, self._journal, self._outputs
        assert outputs is not None
        levels = Levels.now()
        if self._settings.level is not None:
            levels.of_loggers[""] = self._settings.level
        return Config(
            file=None if file is None else pickled(file),
            bare_file=None if file is None else pickle.dumps(file.bare_copy()),
            record_level=outputs.record_level(),
            drop_below=self._settings.drop_below,
            capacity_bytes=0 if journal is None else journal.capacity_bytes,
            bell="" if journal is None else journal.bell,
            process=this_process(),
            captures_warnings=self._settings.captures_warnings,
            levels=levels,
            formatting=changes(),
        )

    def _publish(self) -> str | QueueAddress:
        """Let processes that start from now on find the session; returns its address."""
        if self._journal is None:
            assert isinstance(self._channel, QueueChannel)
            return QueueAddress(self._channel.queue, pickle.dumps(self._config), self._token)
        return self._journal.publish(self._config)

    def _renew(self) -> str | QueueAddress:
        """A process is about to be started: it shall find the session, and things as they are."""
        attachment = self._attachment
        if attachment is None or self.pid != os.getpid():
            return self.address
        with self._renewing:
            config = self._config._replace(levels=Levels.now(), formatting=changes())
            is_new = config != self._config
            if is_new or not (self._journal is None or self._journal.is_there()):
                self._config = attachment.config = config
                with contextlib.suppress(OSError, SessionError):  # nobody can attach then
                    self.address = attachment.address = address = self._publish()
                    if isinstance(address, str):
                        attachment.addresses.add(address)
                        if not self.is_ending:  # or it would stay for what comes after us
                            os.environ[ENVIRONMENT] = address
        return self.address

    def _watch_levels(self) -> None:
        """For processes that are started without a word to us: they find the levels as now."""
        watch = LevelWatch(self._wake)
        self._undo.push(watch.end)
        watch.begin()
        assert self._listener is not None
        self._listener.see_to = lambda: watch.has_changed() and self._renew()

    def _wake(self) -> None:
        if self._journal is not None and self._listener and self.pid == os.getpid():
            self._listener.queue.wake()

    def _route(self, attachment: Attachment) -> None:
        """Let the root logger lead into the session."""
        attachment.follows_forks = self._settings.auto_attach
        if self._settings.is_file_all and self.file is not None:
            tell_of_silence(logging.getLogger().handlers, self.file)
        if self._settings.owns_file and self.file is not None:
            tell_of_unknown_fields(self.file)
        attachment.install()
        if self._settings.level is not None:
            logging.getLogger().setLevel(self._settings.level)
        set_attached(attachment)
        self._attachment = attachment
        self._renew()

    def _invite(self) -> None:
        """Let processes that are started from here on find the session."""
        if isinstance(self.address, str):
            before = os.environ.get(ENVIRONMENT)
            self._undo.push(functools.partial(self._restore_environment, before))
            os.environ[ENVIRONMENT] = self.address
        if self._settings.auto_attach:
            passport = Passport(self._renew)
            self._undo.push(passport.withdraw)
            passport.issue()

    # -- the end --------------------------------------------------------------------------

    def _restore_environment(self, before: str | None) -> None:
        is_alone = self._renewing.acquire(timeout=_HASTE)  # the listener may be about to set it
        try:
            _set_environment(before)
        finally:
            if is_alone:
                self._renewing.release()

    def _detach(self, attachment: Attachment, previous: Attachment | None) -> None:
        if attached() is attachment:
            self._was_set_up_anew = not attachment.is_in_place
            attachment.detach()
            set_attached(previous)
        elif attachment.is_in_place:  # it was not even attached
            attachment.detach()

    def _stop_listener(self) -> None:
        if self._listener is not None:
            is_ended = self._end_listener(self._listener)
            self._settle(self._listener, is_ended)

    def _end_listener(self, listener: SessionListener) -> bool:
        remaining = self._deadline - monotonic()
        return listener.stop_at(self._deadline - remaining / 2) or listener.stop_at(
            self._deadline, is_patient=False
        )

    def _settle(self, listener: SessionListener, is_ended: bool) -> None:
        """Sum up what there is to tell, and let the further handlers end."""
        assert self._outputs is not None
        if is_ended and not listener.is_settled:
            for pid, dropped in self._journal.drops() if self._journal is not None else ():
                self._delivery.settle_drops(pid, dropped)
            for held in take_all_held():
                self._delivery.tell(held)
            self._delivery.sum_up()
        self._unfinished.update(self._outputs.finish_handlers(self._deadline))
        if is_ended and not listener.is_settled:
            self._delivery.sum_up_handlers(self._unfinished)
            listener.is_settled = True
        elif not is_ended:
            self._is_abandoned = True
            listener.abandon()
        left = listener.queue.left(is_ended)
        if left:
            self._unfinished[repr(self.file)] = left

    def _release_file(self) -> None:
        if self._outputs is None or self._is_abandoned:
            return  # the listener is stuck in it, and has its lock
        waiting = self._outputs.release_file(self._deadline)
        if waiting:
            self._unfinished[repr(self.file)] = waiting

    def _close_alone(self) -> None:
        if self._alone is not None:
            self._alone.close()


def _deadline(timeout: float) -> float:
    return monotonic() + min(timeout, TIMEOUT_MAX / 2)


def _set_environment(value: str | None) -> None:
    if value is None:
        os.environ.pop(ENVIRONMENT, None)
    else:
        os.environ[ENVIRONMENT] = value
