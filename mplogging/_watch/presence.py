"""Lets each process of a session be seen to die: `reportDeaths`.

    OwnPresence     a file with a lock, which says what is known of the process
    traces          and gets what `faulthandler` writes
    exits           says that it ends, where no exit handler runs
    starts          and which processes the program itself is about to end
"""

from __future__ import annotations

import errno
import functools
import os
import sys
from multiprocessing.process import current_process
from typing import Any

from .._wire.presence import OwnPresence, mark_as_meant
from .._worker.attaching import attached
from .._worker.attachment import Attachment
from .._worker.channels import JournalChannel
from .._worker.companions import Escort
from .._worker.packages import multiprocessing_utils
from .exits import Exits
from .starts import Starts
from .traces import Traces


class ReportDeaths:
    """The companion."""

    def begin(self) -> Escort:
        attachment = attached()
        assert attachment is not None
        try:
            return Watched(attachment)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            return Unwatched()  # the program needs its descriptors for something else


class Unwatched:
    """This process is not."""

    def end(self) -> None:
        """It leaves, as it came."""

    def disown(self) -> None:
        """In a fork of it, too."""

    def go_on(self) -> bool:
        """There may be descriptors by now."""
        return False


class Watched:
    """This process is seen to die.

    Raises:
        OSError: It goes without: there is no descriptor left, say.
    """

    def __init__(self, attachment: Attachment) -> None:
        channel = attachment.channel
        assert isinstance(channel, JournalChannel)
        place, is_sessions = channel.place, attachment.session_pid == os.getpid()
        name = current_process().name
        self._attachment = attachment
        self._presence = presence = OwnPresence(place, name, is_sessions)
        self._traces = Traces(presence.descriptor)
        self._exits = Exits(presence.leave, presence.stay)
        self._starts = Starts(lambda pid: mark_as_meant(place, pid))
        self._utils: list[Any] = []  # that have been told
        try:
            self._traces.begin()
            self._exits.begin()
            if not is_sessions:  # that has another, see `deaths`
                self._starts.begin()
            attachment.when_doing = presence.do
            self._see_to_names()
        except BaseException:
            self.end()
            raise

    def rename(self, name: str) -> None:
        """It has got its name."""
        self._presence.rename(name)

    def end(self) -> None:
        self._put_back()
        self._presence.leave()
        self._presence.close()

    def disown(self) -> None:
        self._put_back()
        self._presence.close()

    def go_on(self) -> bool:
        # Traces need nothing: the child's file has the descriptor that the parent's had.
        if not (self._traces.may_go_on() and self._presence.go_on(current_process().name)):
            return False
        self._exits.go_on()
        self._starts.begin()
        self._see_to_names()
        return True

    def _see_to_names(self) -> None:
        for util in multiprocessing_utils():
            if util not in self._utils:
                self._utils.append(util)
                util.register_after_fork(self, functools.partial(_rename, util))

    def _put_back(self) -> None:
        self._attachment.when_doing = None
        self._starts.end()
        self._exits.end()
        self._traces.end()


def _rename(util: Any, watched: Watched) -> None:
    package = util.__name__.rpartition(".")[0]
    watched.rename(sys.modules[f"{package}.process"].current_process().name)
