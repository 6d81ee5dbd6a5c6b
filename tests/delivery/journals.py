"""Journals as tests prepare them, and readers of theirs."""

from __future__ import annotations

import contextlib
import os
import time

from conftest import texts

from mplogging import DatedFileHandler
from mplogging._delivery.delivery import Delivery
from mplogging._delivery.reading import Reader
from mplogging._wire.frames import LINE, Message
from mplogging._wire.place import Place
from mplogging._wire.segments import Segments

DAY = 86_400
NOON = time.time() // DAY * DAY + DAY / 2
TODAY = time.strftime("log.%Y-%m-%d", time.gmtime(NOON))
YESTERDAY = time.strftime("log.%Y-%m-%d", time.gmtime(NOON - DAY))


class Side:
    """Takes records as a sideline does."""

    handler = None
    dropped = failed = 0

    def __init__(self) -> None:
        self.messages: list[str] = []

    def offer(self, record, may_wait=True) -> None:
        self.messages.append(record.getMessage())


def line(text: str, created: float = NOON, pid: int = 7) -> Message:
    return Message(LINE, pid, created, text.encode() + b"\n")


class Journal:
    """The writing end, by hand."""

    def __init__(self, place: Place) -> None:
        self.place = place
        segments = Segments(place)
        self.framing = segments.framing
        segments.close()
        self.number = 1

    def path(self, number: int | None = None) -> str:
        return os.path.join(self.place.path, f"journal-{number or self.number}")

    def add(self, *messages: Message) -> None:
        self.add_bytes(b"".join(self.framing.frame(*message) for message in messages))

    def add_bytes(self, data: bytes) -> None:
        with open(self.path(), "ab") as file:
            file.write(data)


def new_file(tmp_path, **settings) -> DatedFileHandler:
    return DatedFileHandler(tmp_path / "log", utc=True, delay=True, **settings)


@contextlib.contextmanager
def reading(place: Place, file: DatedFileHandler | None, sidelines=(), **settings):
    """A reader that has taken up."""
    reader = Reader(place, Delivery(file, sidelines), **settings)
    try:
        reader.take_up()
        yield reader
    finally:
        reader.close()


def read_all(reader: Reader) -> None:
    while reader.turn():
        pass


def logs(tmp_path) -> dict[str, list[str]]:
    """The log's files, by name, as lines."""
    return {
        name: text.splitlines() for name, text in texts(tmp_path).items() if "/" not in name
    }
