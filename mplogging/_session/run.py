"""One run of a session: what it has set up, and how that is taken down again.

Whatever is set up goes onto a stack together with what undoes it; the end, and
a beginning that fails halfway, unwind that stack (`undo`).
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import warnings
from threading import TIMEOUT_MAX, get_ident
from time import monotonic
from typing import Any, Callable

from .._errors import ConfigError, MPLoggingWarning, SessionClosedError, SessionError
from .._file.handler import DatedFileHandler
from .._levels import Levels
from .._watch.recorder import Recorder
from .._worker.attaching import attached, set_attached
from .._worker.attachment import Attachment, End
from .._worker.channels import QueueAddress
from .._worker.factory import FactoryPickle
from .._worker.packages import multiprocessing_utils
from .companions import check_companions
from .console import tell_of_silence
from .formats import tell_of_unknown_fields
from .guests import residents_among
from .invitation import Invitation
from .lane import Lane
from .outputs import Outputs
from .rounds import Rounds
from .settings import Settings
from .signals import Signals
from .stats import SessionStats
from .staying import stay
from .steering import Change
from .telling import OwnRecords
from .tree import ProgramTree
from .undo import Undo

_HASTE = 1.0  # seconds that remain after a second Ctrl-C


class Run:
    """A session from its beginning to its end.

    Args:
        stop: What a signal, or the interpreter's exit, calls to end it.

    Raises:
        ConfigError: The log can't be written at this place, or nothing is to be adopted.
        SessionError: There can be no session directory.
    """

    _invitation: Invitation

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
        self._rounds: Rounds | None = None
        self._attachment: Attachment | None = None
        self._deadline = _deadline(settings.stop_timeout)  # if it does not even begin
        self._is_settled = False  # all has been told that there was to tell at its end
        self._unfinished: dict[str, int] = {}
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

    def settle(self, timeout: float) -> bool:
        """As `flush`, and until the further handlers have had it all."""
        deadline = monotonic() + timeout
        assert self._outputs is not None
        return self.flush(timeout) and self._outputs.settle_handlers(deadline)

    def set_level(self, change: Change, by: str | None) -> None:
        """As `LogSession.setLevel`; the log is told by whom, unless that is None."""
        if self.pid != os.getpid() or self._rounds is None:
            raise SessionClosedError("setLevel() works in the session's own process only")
        self._rounds.levels.set_level(change, by)

    def recorder(self, call: str) -> Recorder:
        """What `LogSession.dump` goes to."""
        if self.pid != os.getpid():
            raise SessionClosedError(f"{call} works in the session's own process only")
        attachment = self._attachment
        recorder = None if attachment is None else attachment.companions.at_work(Recorder)
        if recorder is None:
            raise ConfigError(f"{call} needs a session with flightRecorder=200, or as many")
        return recorder

    @property
    def address(self) -> str | QueueAddress:
        """Where it is."""
        return self._invitation.address

    def present_address(self) -> str | QueueAddress:
        """As `LogSession.address`; who takes it there finds the levels as they are now."""
        return self._invitation.renew()

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
        self._tree = tree = self._open_lanes(outputs, quiet_threads)
        main, *others = self._lanes
        ends = [End(lane.channel, lane.config, lane.handler) for lane in others]
        attachment = Attachment(main.address, main.channel, main.config, main.handler, ends)
        attachment.session_pid = self.pid
        self._attachment = attachment
        attachment.outlets = outputs.handlers()
        self._invitation = invitation = Invitation(
            self._settings, outputs, self._lanes, tree, self._factory, attachment,
            lambda: self.is_ending,
        )  # fmt: skip
        attachment.renew = invitation.renew
        attachment.served = self._served
        attachment.places = main.places
        attachment.see_tree = invitation.see_tree
        push(attachment.close)
        push(self._stop_listeners)
        for lane in self._lanes:
            assert lane.listener is not None
            lane.listener.start()
            quiet_threads.add(lane.listener.thread_ident)
        push(functools.partial(self._detach, attachment, attached()))
        self._route(attachment, tree)
        invitation.begin()
        invitation.issue(self._undo)
        self._rounds = Rounds(
            self._settings, self._lanes, outputs, invitation, attachment, self.recorder
        )
        self._rounds.begin(self._undo)
        push(functools.partial(atexit.unregister, self._stop))
        atexit.register(self._stop)
        # For a child of `multiprocessing`, which does not run `atexit`.
        for util in multiprocessing_utils():
            push(util.Finalize(None, self._stop, exitpriority=-100).cancel)

    def _open_lanes(self, outputs: Outputs, quiet_threads: set[int | None]) -> ProgramTree:
        check_companions(self._settings.companions, outputs.files[0])
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
            companions=self._settings.companions,
        ))  # fmt: skip
        own_records = OwnRecords(outputs)
        for lane in self._lanes:
            lane.handler.quiet_threads = quiet_threads
            lane.delivery.lead = own_records.lead
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

    def _route(self, attachment: Attachment, tree: ProgramTree) -> None:
        """Let the root logger lead into the session."""
        attachment.follows_forks = self._settings.auto_attach
        if self._settings.is_file_all and self.file is not None:
            tell_of_silence(logging.getLogger().handlers, self.file)
        if self._settings.owns_file and self.file is not None:
            tell_of_unknown_fields(self.file)
        staying = residents_among(logging.getLogger().handlers)
        attachment.install()
        logging.getLogger().handlers += staying
        stay(attachment, self._undo)
        self._undo.push(tree.put_back)
        tree.route_files()
        if self._settings.level is not None:
            logging.getLogger().setLevel(self._settings.level)
        set_attached(attachment)
        attachment.companions.begin(attachment.config.companions)

    # -- the end --------------------------------------------------------------------------

    def _detach(self, attachment: Attachment, previous: Attachment | None) -> None:
        if attached() is attachment:
            attachment.detach()
            set_attached(previous)
        elif attachment.is_in_place:  # it was not even attached
            attachment.detach()

    def _stop_listeners(self) -> None:
        """Sum up what there is to tell, and let the further handlers end."""
        assert self._outputs is not None
        ended = [lane.end_listener(self._deadline) for lane in self._lanes]
        is_first = not self._is_settled
        if ended and ended[0] and is_first and self._rounds is not None:
            self._rounds.finish()
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
