"""The session stays on the root logger, whatever handlers the program sets up beside it.

Programs clear the root logger away in many ways: `dictConfig`, `basicConfig(force=True)`,
`root.handlers = []`, `.clear()`, or a loop that removes the first until none is left. To
all of them the list looks as it would without us; only to go through it, as a log call
does, comes to the session's handler too.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from .._worker.attaching import attached


class HandlersBeside(list[logging.Handler]):
    """The program's handlers; whoever goes through them meets the session's first."""

    def __iter__(self) -> Iterator[logging.Handler]:
        ours = _ours()
        return iter(ours + [handler for handler in self[:] if handler not in ours])

    def __contains__(self, handler: object) -> bool:
        return super().__contains__(handler) or handler in _ours()

    def copy(self) -> HandlersBeside:
        """Of the same kind: the library removes handlers from a copy, from 3.14 on."""
        copied = HandlersBeside()
        copied += list.copy(self)
        return copied

    def remove(self, handler: logging.Handler) -> None:
        """As of any list; the session's own is as good as gone."""
        if handler not in _ours():
            super().remove(handler)


def _ours() -> list[logging.Handler]:
    attachment = attached()
    return [] if attachment is None else [attachment.handler]


def keep_handlers() -> None:
    """Let the session stay on the root logger."""
    root = logging.getLogger()
    kind = type(root)

    class Root(kind):  # type: ignore[misc, valid-type]
        @property
        def handlers(self) -> list[logging.Handler]:
            handlers: list[logging.Handler] = self.__dict__["handlers"]
            return handlers

        @handlers.setter
        def handlers(self, handlers: Iterable[logging.Handler]) -> None:
            ours = _ours()
            self.__dict__["handlers"] = HandlersBeside(
                handler for handler in handlers if handler not in ours
            )

    Root.__name__, Root.__qualname__, Root.__module__ = (
        kind.__name__, kind.__qualname__, kind.__module__,
    )  # fmt: skip
    root.__class__ = Root
    root.handlers = root.handlers  # made fit
    configure = logging.basicConfig

    @functools.wraps(configure)
    def configure_if_asked(**arguments: Any) -> None:
        # `logging.info` and its like call it too, where there seems to be no handler.
        if sys._getframe(1).f_globals is not vars(logging):
            configure(**arguments)

    logging.basicConfig = configure_if_asked
