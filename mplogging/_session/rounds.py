"""What a session sees to beside the reading: its listener's thread makes its rounds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Callable

from .._limit import take_all_held
from .._watch.deaths import SLEEP_SECONDS, DeathWatch
from .._watch.recorder import Recorder
from .._wire.requests import Request
from .._worker.attachment import Attachment
from .asked import Asked
from .invitation import Invitation
from .lane import Lane
from .outputs import Outputs
from .settings import Settings
from .showing import ShownFigures
from .steering import SessionLevels
from .undo import Undo
from .watching import HandlerWatch, LevelWatch


class Rounds:
    """Of one run of a session.

    Args:
        lanes: The first one's listener makes them.
        recorder: The flight recorder; raises ConfigError if there is none.

    Attributes:
        levels: What the session is told of them.
    """

    def __init__(
        self,
        settings: Settings,
        lanes: Sequence[Lane],
        outputs: Outputs,
        invitation: Invitation,
        attachment: Attachment,
        recorder: Callable[[str], Recorder],
    ) -> None:
        self._settings = settings
        self._lanes = lanes
        self._invitation = invitation
        self._pid = os.getpid()
        self.levels = SessionLevels(attachment.steering, invitation.renew, self._wake)
        self._asked = Asked(self.levels, recorder, self._requests)
        self._figures = ShownFigures(lanes, outputs)
        # For processes that are started without a word to us: they find the levels as now.
        self._handlers = HandlerWatch(outputs.all_handlers, invitation.renew)
        self._loggers = LevelWatch(self._wake)
        self._deaths: DeathWatch | None = None

    def begin(self, undo: Undo) -> None:
        """From now on."""
        for watch in (self._handlers, self._loggers):
            undo.push(watch.end)
            watch.begin()
        main = self._lanes[0]
        listener = main.listener
        assert listener is not None
        listener.see_to = self._see_to
        if self._settings.reports_deaths:
            deaths = DeathWatch(main.places, main.delivery, listener.queue.expect)
            undo.push(deaths.end)
            deaths.begin()
            listener.queue.sleep_seconds = SLEEP_SECONDS
            self._deaths = deaths

    def finish(self) -> None:
        """The session ends, and all is read: tell what there is to tell yet."""
        if self._deaths is not None:
            self._deaths.finish()
        self._tell_news()
        for held in take_all_held():
            self._lanes[0].delivery.tell(held)

    def _see_to(self) -> None:
        self.levels.see_to()
        self._asked.see_to()
        self._figures.see_to()
        if self._loggers.has_changed():
            self._invitation.renew()
        self._tell_news()
        if self._deaths is not None:
            self._deaths.see_to()

    def _requests(self) -> Iterator[Request]:
        for lane in self._lanes:
            yield from lane.requests()

    def _tell_news(self) -> None:
        for record in self.levels.news():
            self._lanes[0].delivery.tell(record)

    def _wake(self) -> None:
        if self._pid == os.getpid():
            self._lanes[0].wake()
