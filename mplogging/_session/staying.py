"""The session stays, however its process's root logger is set up anew while it runs.

    a record ─ its logger ─ … ─ the root logger ─ Above ─ the session's handlers

gunicorn does so at each HUP, Celery and Django when they begin. What they put on the root
logger stands beside the session: a record goes on to the logger above, of which they do not
know, and that brings it to the session's handlers where these are no longer on the root
logger. They stay there as long as nobody takes them away, as in workers.
"""

from __future__ import annotations

import logging
import os
from typing import Any, cast

from .._worker.attachment import Attachment
from .undo import Undo


class _Unseen(list[logging.Handler]):
    """Handlers that only those find who go through them: `hasHandlers` does not."""

    def __bool__(self) -> bool:
        return False


class _Stead(logging.Handler):
    """Hands each record on to the session's handlers that have been taken away."""

    def __init__(self, attachment: Attachment) -> None:
        super().__init__()
        self._attachment = attachment
        self._root = logging.getLogger()

    def handle(self, record: logging.LogRecord) -> bool:
        """In place of `emit`: no lock is needed, as each of those handlers has its own."""
        attachment = self._attachment
        if attachment.handler in self._root.handlers:  # each record comes here: at once
            return True
        for handler in attachment.root_handlers():
            if record.levelno >= handler.level and handler not in self._root.handlers:
                handler.handle(record)
        return True


class _Above(logging.Logger):
    """What the root logger passes its records on to, as to any parent."""

    def __init__(self, attachment: Attachment) -> None:
        super().__init__(logging.root.name)
        self.handlers = _Unseen([_Stead(attachment)])


def stay(attachment: Attachment, undo: Undo) -> None:
    """Let this session stay from now on, until that is undone."""
    root = logging.getLogger()
    above, before = _Above(attachment), root.parent

    def leave() -> None:
        if root.parent is above:
            root.parent = before

    undo.push(leave)
    root.parent = above


def _leave_in_child() -> None:
    # There it is attached as a worker is.
    if isinstance(logging.root.parent, _Above):
        cast(Any, logging.root).parent = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_in_child)
