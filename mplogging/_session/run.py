"""One run of a session: what it has set up, and how that is taken down again.

Whatever is set up goes onto a stack together with what undoes it; the end, and
a beginning that fails halfway, unwind that stack (`undo`).
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from threading import TIMEOUT_MAX, RLock, get_ident
from time import monotonic
from typing import Any, Callable

from .._errors import MPLoggingWarning, SessionClosedError, SessionError
from .._file.handler import DatedFileHandler
from .._levels import Levels
from .._limit import take_all_held
from .._wire.place import ENVIRONMENT
from .._wire.requests import Request
from .._worker.attaching import (
    attached,
    set_attached,
    warn_of_set_up,
)
from .._worker.attachment import Attachment, End
from .._worker.channels import QueueAddress
from .._worker.factory import FactoryPickle
from .._worker.formatting import changes
from .._worker.packages import multiprocessing_utils
from .._worker.passport import Passport
from .._worker.tree import Branch
from .asked import AskedLevels
from .console import tell_of_silence
from .fields import unneeded
from .formats import tell_of_unknown_fields
from .lane import Lane
from .outputs import Outputs
from .settings import Settings
from .signals import Signals
from .stats import SessionStats
from .steering import Change, SessionLevels
from .tree import ProgramTree
from .undo import Undo
from .watching import HandlerWatch, LevelWatch

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
        self._claim = iter((True,))  # who takes it ends the session
        self._undo = Undo()
        self._outputs: Outputs | None = None
        self._lanes: list[Lane] = []  # the first one has the root logger's file
        self._tree: ProgramTree | None = None
        self._factory = FactoryPickle()
        self._attachment: Attachment | None = None
        self._levels: SessionLevels | None = None
        self._deadline = _deadline(settings.stop_timeout)  # if it does not even begin
        self._was_set_up_anew = False
        self._is_settled = False  # all has been told that there was to tell at its end
        self._is_in_environment = False
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
        return None if self._outputs is None else self._outputs.files[0]

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
        if self.pid != os.getpid():
            raise SessionClosedError("flush() works in the session's own process only")
        listeners = [lane.listener for lane in self._lanes if lane.listener is not None]
        if any(listener.thread_ident == get_ident() for listener in listeners):
            return False  # it would wait for itself
        deadline = float("inf") if timeout is None else monotonic() + timeout
        for reached in [listener.expect() for listener in listeners]:
            while not reached.is_set():
                remaining = deadline - monotonic()
                if remaining <= 0 or not self.is_open:
                    return reached.is_set()
                reached.wait(min(remaining, 1.0))
        return True

    def set_level(self, change: Change, by: str) -> None:
        """As `LogSession.setLevel`."""
        if self.pid != os.getpid() or self._levels is None:
            raise SessionClosedError("setLevel() works in the session's own process only")
        self._levels.set_level(change, by)

    def present_address(self) -> str | QueueAddress:
        """As `LogSession.address`; who takes it there finds the levels as they are now."""
        return self._renew()

    def stats(self) -> SessionStats:
        """As `LogSession.stats`."""
        assert self._outputs is not None
        deliveries = [lane.delivery for lane in self._lanes]
        for delivery in deliveries:
            delivery.absorb()
        return SessionStats.of(deliveries, self._outputs, self.pid, self._unfinished)

    # -- the beginning ------------------------------------------------------------------

    def _begin(self) -> None:
        push = self._undo.push
        if self._settings.handles_signals:
            signals = Signals(self._stop, lambda: self.is_ending)
            push(signals.restore)
            signals.take()
        push(self._release_files)
        self._outputs = outputs = Outputs(self._settings)
        outputs.open()
        quiet_threads: set[int | None] = set()
        for sideline in outputs.sidelines:
            sideline.when_started = quiet_threads.add
        self._tree = self._open_lanes(outputs, quiet_threads)
        main, *others = self._lanes
        self._config = main.config
        self.address = main.address
        ends = [End(lane.channel, lane.config, lane.handler) for lane in others]
        attachment = Attachment(self.address, main.channel, main.config, main.handler, ends)
        attachment.session_pid = self.pid
        attachment.outlets = outputs.handlers()
        attachment.renew = self._renew
        attachment.served = self._served
        attachment.see_tree = self._see_tree
        push(attachment.close)
        push(self._stop_listeners)
        for lane in self._lanes:
            assert lane.listener is not None
            lane.listener.start()
            quiet_threads.add(lane.listener.thread_ident)
        push(functools.partial(self._detach, attachment, attached()))
        self._route(attachment)
        self._invite()
        self._levels = SessionLevels(attachment.steering, self._renew, self._wake)
        self._asked = AskedLevels(self._levels, self._requests)
        self._watch_levels()
        push(functools.partial(atexit.unregister, self._stop))
        atexit.register(self._stop)
        # For a child of `multiprocessing`, which does not run `atexit`.
        for util in multiprocessing_utils():
            push(util.Finalize(None, self._stop, exitpriority=-100).cancel)

    def _open_lanes(self, outputs: Outputs, quiet_threads: set[int | None]) -> ProgramTree:
        for file in outputs.files:
            sidelines = [] if self._lanes else outputs.sidelines
            self._lanes.append(Lane(file, sidelines, self._settings, self._undo))
        main, *others = self._lanes
        for lane in others:
            lane.open(lane.first_config())
        levels = Levels.now()
        if self._settings.level is not None:
            levels.of_loggers[""] = self._settings.level
        main.open(main.first_config(outputs.record_level())._replace(
            levels=levels,
            lanes=tuple(str(lane.address) for lane in others),
            root_lanes=tuple(outputs.root_files[1:]),
        ))  # fmt: skip
        for lane in self._lanes:
            lane.handler.quiet_threads = quiet_threads
        main.delivery.routes = outputs.routes
        tree = ProgramTree(outputs, [lane.handler for lane in self._lanes])
        for one in (tree, self._factory):
            one.now()  # what it has to tell is told before warnings are captured
        return tree

    def _served(self) -> list[logging.Handler]:
        """What a forked child is to have no more."""
        assert self._outputs is not None and self._tree is not None
        lanes = [lane.handler for lane in self._lanes]
        return [*self._outputs.all_handlers(), *lanes, *self._tree.stand_ins()]

    def _see_tree(self) -> Mapping[str, Branch]:
        """A process is about to be forked."""
        assert self._tree is not None
        branches = self._tree.now()
        if self._settings.leaves_out_fields:
            self._renew()
        return branches

    def _publish(self) -> str | QueueAddress:
        """Let processes that start from now on find the session; returns its address."""
        return self._lanes[0].publish(self._config)

    def _renew(self) -> str | QueueAddress:
        """A process is about to be started: it shall find the session, and things as they are."""
        attachment, tree = self._attachment, self._tree
        if attachment is None or tree is None or self.pid != os.getpid():
            return self.address
        with self._renewing, contextlib.suppress(OSError, SessionError):  # nobody can attach then
            formatting = changes()
            lanes = tuple(self._place_of(lane, formatting) for lane in self._lanes[1:])
            config = self._config._replace(
                levels=attachment.steering.without(Levels.now()), tree=tree.now(),
                orders=attachment.steering.orders, factory=self._factory.now(), lanes=lanes,
                line_level=self._lanes[0].line_level(), record_level=self._record_level(),
                formatting=formatting, left_out=self._left_out(),
            )  # fmt: skip
            if config != self._config or not self._lanes[0].is_there():
                self._config = config
                attachment.adopt(config)
                self._lanes[0].handler.follow(config)
                self.address = attachment.address = address = self._publish()
                if isinstance(address, str):
                    attachment.addresses.add(address)
                    # Before or after, it would stay for what comes after us.
                    if self._is_in_environment and not self.is_ending:
                        os.environ[ENVIRONMENT] = address
        return self.address

    def _left_out(self) -> frozenset[str]:
        assert self._outputs is not None
        if not self._settings.leaves_out_fields:
            return frozenset()
        return unneeded(self._outputs.all_handlers())

    def _record_level(self) -> int:
        assert self._outputs is not None
        return self._outputs.record_level()

    @staticmethod
    def _place_of(lane: Lane, formatting: Mapping[str, bytes | None]) -> str:
        config = lane.config._replace(line_level=lane.line_level(), formatting=formatting)
        if config != lane.config or not lane.is_there():
            lane.config = config
            lane.address = lane.publish(lane.config)
            lane.handler.follow(lane.config)
        return str(lane.address)

    def _watch_levels(self) -> None:
        """For processes that are started without a word to us: they find the levels as now."""
        assert self._outputs is not None
        handlers = HandlerWatch(self._outputs.all_handlers, self._renew)
        self._undo.push(handlers.end)
        handlers.begin()
        watch = LevelWatch(self._wake)
        self._undo.push(watch.end)
        watch.begin()
        listener = self._lanes[0].listener
        assert listener is not None
        listener.see_to = functools.partial(self._see_to, watch)

    def _see_to(self, watch: LevelWatch) -> None:
        """In the listener's thread, at times."""
        assert self._levels is not None
        self._levels.see_to()
        self._asked.see_to()
        if watch.has_changed():
            self._renew()
        self._tell_news()

    def _requests(self) -> Iterator[Request]:
        for lane in self._lanes:
            yield from lane.requests()

    def _tell_news(self) -> None:
        for record in () if self._levels is None else self._levels.news():
            self._lanes[0].delivery.tell(record)

    def _wake(self) -> None:
        if self.pid == os.getpid():
            self._lanes[0].wake()

    def _route(self, attachment: Attachment) -> None:
        """Let the root logger lead into the session."""
        attachment.follows_forks = self._settings.auto_attach
        if self._settings.is_file_all and self.file is not None:
            tell_of_silence(logging.getLogger().handlers, self.file)
        if self._settings.owns_file and self.file is not None:
            tell_of_unknown_fields(self.file)
        attachment.install()
        assert self._tree is not None
        self._undo.push(self._tree.put_back)
        self._tree.route_files()
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
            self._is_in_environment = True
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

    def _stop_listeners(self) -> None:
        """Sum up what there is to tell, and let the further handlers end."""
        assert self._outputs is not None
        ended = [lane.end_listener(self._deadline) for lane in self._lanes]
        is_first = not self._is_settled
        if ended and ended[0] and is_first:
            self._tell_news()
            for held in take_all_held():
                self._lanes[0].delivery.tell(held)
        for lane, is_ended in zip(self._lanes, ended):
            if is_ended and is_first:
                lane.sum_up()
        self._unfinished.update(self._outputs.finish_handlers(self._deadline))
        if ended and ended[0] and is_first:
            self._lanes[0].delivery.sum_up_handlers(self._unfinished)
        self._is_settled = self._is_settled or all(ended)
        for lane, is_ended in zip(self._lanes, ended):
            if not is_ended:
                lane.abandon()
            left = lane.left(is_ended)
            if left:
                self._unfinished[repr(lane.file)] = left

    def _release_files(self) -> None:
        if self._outputs is None:
            return
        # Of one that was abandoned the listener is stuck in it, and has its lock.
        stuck = {lane.file for lane in self._lanes if lane.is_abandoned}
        for file in self._outputs.files:
            if file is not None and file not in stuck:
                waiting = self._outputs.release_file(file, self._deadline)
                if waiting:
                    self._unfinished[repr(file)] = waiting


def _deadline(timeout: float) -> float:
    return monotonic() + min(timeout, TIMEOUT_MAX / 2)


def _set_environment(value: str | None) -> None:
    if value is None:
        os.environ.pop(ENVIRONMENT, None)
    else:
        os.environ[ENVIRONMENT] = value
