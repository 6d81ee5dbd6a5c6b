"""One entry of a log."""

from __future__ import annotations

import logging
import os
from functools import cached_property
from typing import Any, Callable

from .._file.compression import ALGORITHMS
from .._public import public


@public
class Entry:
    """A line of a log, with those that belong to it, of a traceback for instance.

    What it says is taken out of its text when it is asked for.

    Attributes:
        text: Without the end of its last line.
        path: Of the file that it was read from.
        offset: Where it begins there, in bytes of the plain form.
        end: Where the next one begins.
    """

    def __init__(
        self, text: str, path: str, offset: int, end: int,
        parse: Callable[[str], dict[str, Any]],
    ) -> None:  # fmt: skip
        self.text = text
        self.path = path
        self.offset = offset
        self.end = end
        self._parse = parse

    @property
    def id(self) -> str:
        """What tells it from every other of the log: its file's plain name, and its offset."""
        name = os.path.basename(self.path)
        for algorithm in ALGORITHMS:
            name = name[: -len(algorithm) - 1] if name.endswith(f".{algorithm}") else name
        return f"{name}:{self.offset}"

    @cached_property
    def fields(self) -> dict[str, Any]:
        """What could be told, by the names that a `LogRecord` has for it, or JSON's own."""
        return self._parse(self.text)

    @property
    def created(self) -> float | None:
        """When its record was made, unix seconds; None if that can't be told."""
        created = self.fields.get("created")
        return created if isinstance(created, float) else None

    @property
    def levelname(self) -> str | None:
        """The level's name; None if that can't be told."""
        name = self.fields.get("levelname")
        return None if name is None else str(name)

    @property
    def levelno(self) -> int | None:
        """The level's number; None if that can't be told, or no level here has that name."""
        number = self.fields.get("levelno")
        if not isinstance(number, int):
            number = logging.getLevelName(self.levelname or "")
        return number if isinstance(number, int) else None

    @property
    def message(self) -> str:
        """The message, with what follows it; all of the text if that can't be told."""
        return str(self.fields.get("message", self.text))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Entry {self.path}:{self.offset} {self.text[:60]!r}>"
