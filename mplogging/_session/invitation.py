"""What processes that start find of a session: where it is, and how things are there now.

    a process is started, a level is set ── renew ── Config ── the journal's directory
                                                └── the address, in the environment
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Mapping, Sequence
from threading import RLock
from typing import Callable

from .._errors import SessionError
from .._levels import Levels
from .._wire.place import ENVIRONMENT
from .._worker.attachment import Attachment
from .._worker.channels import QueueAddress
from .._worker.factory import FactoryPickle
from .._worker.formatting import changes
from .._worker.passport import Passport
from .._worker.tree import Branch
from .fields import unneeded
from .lane import Lane
from .outputs import Outputs
from .settings import Settings
from .tree import ProgramTree
from .undo import Undo

_HASTE = 1.0  # seconds that the end waits for another thread


class Invitation:
    """Of one run of a session.

    Args:
        attachment: Of the session's own process.
        lanes: The first one has the root logger's file.
        is_ending: True once the session's end has begun.

    Attributes:
        address: Where the session is.
    """

    def __init__(
        self,
        settings: Settings,
        outputs: Outputs,
        lanes: Sequence[Lane],
        tree: ProgramTree,
        factory: FactoryPickle,
        attachment: Attachment,
        is_ending: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._outputs = outputs
        self._lanes = lanes
        self._tree = tree
        self._factory = factory
        self._attachment = attachment
        self._is_ending = is_ending
        self._pid = os.getpid()
        self._config = lanes[0].config
        self._is_set_up = self._is_in_environment = False
        self._renewing = RLock()  # the listener may be at it, and a process be started
        self.address = lanes[0].address

    def begin(self) -> None:
        """The loggers lead into the session: from now on it is kept up to date."""
        self._is_set_up = True
        self.renew()

    def issue(self, undo: Undo) -> None:
        """Let processes that are started from here on find the session."""
        if isinstance(self.address, str):
            before = os.environ.get(ENVIRONMENT)
            undo.push(functools.partial(self._restore_environment, before))
            self._is_in_environment = True
            os.environ[ENVIRONMENT] = self.address
        if self._settings.auto_attach:
            passport = Passport(self.renew)
            undo.push(passport.withdraw)
            passport.issue()

    def renew(self) -> str | QueueAddress:
        """A process is about to be started: it shall find the session, and things as they are."""
        if not self._is_set_up or self._pid != os.getpid():
            return self.address
        with self._renewing, contextlib.suppress(OSError, SessionError):  # nobody can attach then
            attachment, main = self._attachment, self._lanes[0]
            formatting = changes()
            lanes = tuple(_place_of(lane, formatting) for lane in self._lanes[1:])
            config = self._config._replace(
                levels=attachment.steering.without(Levels.now()), tree=self._tree.now(),
                orders=attachment.steering.orders, factory=self._factory.now(), lanes=lanes,
                line_level=main.line_level(), record_level=self._outputs.record_level(),
                formatting=formatting, left_out=self._left_out(),
            )  # fmt: skip
            if config != self._config or not main.is_there():
                self._config = config
                attachment.adopt(config)
                main.handler.follow(config)
                self.address = attachment.address = address = main.publish(config)
                main.channel.know_config()
                if isinstance(address, str):
                    attachment.addresses.add(address)
                    # Before or after, it would stay for what comes after us.
                    if self._is_in_environment and not self._is_ending():
                        os.environ[ENVIRONMENT] = address
        return self.address

    def see_tree(self) -> Mapping[str, Branch]:
        """A process is about to be forked: what it is to have on named loggers."""
        branches = self._tree.now()
        if self._settings.leaves_out_fields:
            self.renew()
        return branches

    def _left_out(self) -> frozenset[str]:
        if not self._settings.leaves_out_fields:
            return frozenset()
        return unneeded(self._outputs.all_handlers())

    def _restore_environment(self, before: str | None) -> None:
        is_alone = self._renewing.acquire(timeout=_HASTE)  # the listener may be about to set it
        try:
            _set_environment(before)
        finally:
            if is_alone:
                self._renewing.release()


def _place_of(lane: Lane, formatting: Mapping[str, bytes | None]) -> str:
    config = lane.config._replace(line_level=lane.line_level(), formatting=formatting)
    if config != lane.config or not lane.is_there():
        lane.config = config
        lane.address = lane.publish(lane.config)
        lane.handler.follow(lane.config)
    return str(lane.address)


def _set_environment(value: str | None) -> None:
    if value is None:
        os.environ.pop(ENVIRONMENT, None)
    else:
        os.environ[ENVIRONMENT] = value
