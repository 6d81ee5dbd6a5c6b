"""How a worker whose session is over goes on with the program's next one.

    record ─ a handler of the old session ─ Over ─ GoingOn ─┬─ the next session's handlers
                                                           └─ the old one's log, directly

A record belongs to one session as a whole. It may have come to other handlers of the old one
before the end was noticed: then it stays there. Otherwise it is handed on, and the handlers
of the old session that it still comes to are to leave it alone.
"""

from __future__ import annotations

import logging
import os
from _thread import get_ident
from time import monotonic
from typing import Callable

from .._errors import tell
from .._file.handler import DatedFileHandler
from .._levels import NEVER
from .attachment import Attachment
from .channels import JournalChannel
from .successors import Successors

# Until a session is tried again that could not be gone on with.
_RETRY_SECONDS = 5.0


class GoingOn:
    """Knows for a worker's attachment where records go once its session is over.

    Args:
        attachment: To that session.
        follow: Is to attach this process to the program's next session, if there is one,
            and to say so by `successor`.
    """

    def __init__(self, attachment: Attachment, follow: Callable[[GoingOn], object]) -> None:
        self.attachment = attachment
        self.successor: Attachment | None = None
        self._follow = follow
        channel, config = attachment.channel, attachment.config
        self._successors: Successors | None = None
        if isinstance(channel, JournalChannel):
            self._successors = Successors(channel.place.path, config.process)
        self._due = 0.0
        self._gone_on: dict[int, logging.LogRecord] = {}  # by thread, the last one that has
        self._has_told = False

    def may_begin(self) -> bool:
        """True if another session may have begun."""
        if self.successor is not None:
            return True
        if self._successors is None or monotonic() < self._due:
            return False
        return self._successors.may_have_come()

    def next_address(self) -> str | None:
        """That of the program's next session, if there is one."""
        if self._successors is None or monotonic() < self._due:
            return None
        return self._successors.address()

    def pass_over(self, address: str) -> None:
        """That one is of no use."""
        if self._successors is not None:
            self._successors.pass_over(address)

    def hand_over(self) -> bool:
        """Bring all that was sent into the logs, so that nothing of another session passes it.

        Returns:
            False if that can't be done just now.
        """
        if self.attachment.hand_over():
            return True
        self._due = monotonic() + _RETRY_SECONDS
        return False

    def go_on(self, record: logging.LogRecord, handler: logging.Handler) -> bool:
        """Hand the record on to the program's next session, if there is one.

        Returns:
            False if this handler is to bring it into the old session's log.
        """
        if self._gone_on.get(get_ident()) is record:
            return True  # by way of a handler that had it before this one
        found = self._first(record)
        if self.successor is None:
            self._follow(self)
        if self.successor is None:
            self._tell_of_end()
            return False
        if found is None or found[1] is not handler:
            return False
        if not self.successor.take(record, self.attachment, found[0]):
            return False
        self._gone_on[get_ident()] = record
        return True

    def _first(self, record: logging.LogRecord) -> tuple[str, logging.Handler] | None:
        """The name of the logger, and which of our handlers on it gets the record first."""
        name = record.name
        while True:
            for handler in self.attachment.standing_on(name):
                if handler.takes(record):
                    return name, handler
            if name == logging.root.name:
                return None
            name = name.rpartition(".")[0] or logging.root.name

    def _tell_of_end(self) -> None:
        """Say where records go, if handlers in the session's process have got them too."""
        if self._has_told:
            return
        self._has_told = True  # first: a warning may be logged
        attachment = self.attachment
        branches = (attachment.config.tree or {}).values()
        is_routed = any(way.lane < 0 for branch in branches for way in branch.ways)
        if attachment.config.record_level == NEVER and not is_routed:
            return
        outlets = attachment.outlets
        files = [one.activeFilename for one in outlets if isinstance(one, DatedFileHandler)]
        where = ", ".join(map(repr, files)) or "stderr, from WARNING on,"
        tell(
            f"the session of process {os.getpid()} is over: what it logs goes to {where} from"
            " now on, and to no handler of the session",
            stacklevel=2,
        )
