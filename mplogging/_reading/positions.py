"""How far each file of a log has been read; as text, a cursor. And what was gone before it was."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .._errors import ConfigError
from .._public import public
from .files import Source
from .opening import is_read_to, is_there

_VERSION = 1
# Of a compressed file: it has been read to its end, to which nothing comes any more.
SEALED = -1
_UNKNOWN = -1


@public
class Missed(NamedTuple):
    """A file that was removed, or damaged, before all of it had been read."""

    path: str  # of its plain form
    bytes: int | None  # so many at least were unread; None if that is not known
    why: str

    def __str__(self) -> str:
        size = "an unknown number of" if self.bytes is None else f"{self.bytes} or more"
        return f"{self.path}: {size} bytes could not be read: {self.why}"


class _Place:
    """How far one file has been read. It is changed for each entry: a tuple takes longer."""

    __slots__ = ("offset", "part", "seen", "start")

    def __init__(self, offset: int, seen: int, start: float, part: int) -> None:
        self.offset = offset  # all before it has been read
        self.seen = seen  # bytes that the file was seen to have, or _UNKNOWN of a compressed one
        self.start, self.part = start, part  # as in Source

    def plain(self) -> list[float]:
        """What it is made of."""
        return [self.offset, self.seen, self.start, self.part]


class Positions:
    """The places in all files.

    Args:
        cursor: What `dump` gave.

    Attributes:
        missed: What was gone unread, until somebody takes it from there.

    Raises:
        ConfigError: The cursor is none.
    """

    def __init__(self, directory: str, cursor: str | None = None) -> None:
        self._directory = directory
        self._places = {} if cursor is None else _loaded(cursor)
        self._is_resumed = cursor is not None
        self.missed: list[Missed] = []

    def dump(self) -> str:
        """All places, as text."""
        files = {name: place.plain() for name, place in self._places.items()}
        return json.dumps({"version": _VERSION, "files": files}, separators=(",", ":"))

    def offset(self, source: Source) -> int:
        """Where to read on."""
        place = self._places.get(source.name)
        return place.offset if place else 0

    def advance(self, source: Source, offset: int) -> None:
        """All before this offset has been read; SEALED for a compressed file's end."""
        place = self._places.get(source.name)
        if place is None:
            self._places[source.name] = _Place(offset, offset, source.start, source.part)
            return
        place.offset = offset
        if offset > place.seen:
            place.seen = offset

    def due(self, sources: list[Source]) -> Iterator[Source]:
        """Those of which something has not been read."""
        self._look_for_gone(sources)
        for source in sources:
            self._is_due(source)  # so that it is known if it goes before its turn
        for source in sources:
            if self._is_due(source):
                yield source

    def _is_due(self, source: Source) -> bool:
        offset = self.offset(source)
        if source.compression:
            if offset == SEALED or is_read_to(source, offset):
                self.advance(source, SEALED)
                return False
            self._places[source.name] = _Place(offset, _UNKNOWN, source.start, source.part)
            return True
        try:
            size = os.stat(source.path).st_size
        except FileNotFoundError:
            return True  # compressed just now
        if size < offset or offset == SEALED:
            # Whole lines are never cut off: this is another file of that name.
            self._places.pop(source.name, None)
            offset = 0
        self._places[source.name] = _Place(offset, size, source.start, source.part)
        return size > offset

    def _look_for_gone(self, sources: list[Source]) -> None:
        there = {source.name for source in sources}
        self._look_for_gaps(source for source in sources if source.name not in self._places)
        places = self._places
        newest = max(places, key=lambda name: places[name].plain()[2:], default="")
        for name in [name for name in self._places if name not in there]:
            place = self._places[name]
            source = Source(place.start, place.part, name, self._path(name), "")
            if is_there(source):
                continue  # it hid from the look at the directory, as it was compressed
            del self._places[name]
            if place.offset == SEALED:
                continue
            if place.seen != place.offset:
                unread = None if place.seen == _UNKNOWN else place.seen - place.offset
                self.missed.append(Missed(source.path, unread, "it was removed"))
            elif self._is_resumed and name == newest:
                why = "it was removed, and may have grown before that"
                self.missed.append(Missed(source.path, None, why))
        self._is_resumed = False

    def _look_for_gaps(self, new: Iterable[Source]) -> None:
        """Parts that are gone which nobody has seen."""
        last: dict[float, int] = {}
        for place in self._places.values():
            last[place.start] = max(place.part, last.get(place.start, 0))
        for source in sorted(new):
            known = last.get(source.start)
            if known is None:
                continue
            stem = source.path[: -len(f".{source.part}")] if source.part else source.path
            for part in range(known + 1, source.part):
                self.missed.append(Missed(f"{stem}.{part}", None, "it was removed"))
            last[source.start] = max(known, source.part)

    def give_up(self, source: Source, why: str) -> None:
        """The rest of this file can't be read."""
        self.missed.append(Missed(source.path, None, why))
        self.advance(source, SEALED)

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)


def _loaded(cursor: str) -> dict[str, _Place]:
    try:
        given = json.loads(cursor)
        if given["version"] != _VERSION:
            raise ValueError("of another version")
        places = {}
        for name, (offset, seen, start, part) in given["files"].items():
            if not isinstance(name, str) or os.path.isabs(name) or ".." in name.split(os.sep):
                raise ValueError("no name of a file")
            places[name] = _Place(int(offset), int(seen), float(start), int(part))
        return places
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"cursor must be a text that a LogReader's cursor has been, got {cursor!r}"
        ) from error
