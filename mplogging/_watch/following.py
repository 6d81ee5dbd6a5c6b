"""In the session's process: what workers write is read, and logged as theirs."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from threading import Thread
from time import monotonic
from typing import Callable

from .._delivery.output import line_fields
from .._event import Event
from .._records import is_silenced, own_record
from .._wire.output import Chunk, Output, Stream, output_keys
from .._wire.place import Place

_BUSY_PAUSE, _IDLE_PAUSE = 0.1, 0.2  # seconds
_ENDED_SECONDS = 2.0  # so often it is looked who has ended
_FINISH_SECONDS = 5.0
_TURN_BYTES = 1 << 20  # of each stream, before the next one's turn


class Follower:
    """A thread that does it.

    Args:
        places: Of the session at present.
        capacity_bytes: Of a stream that is written to faster than it can be read, so much
            may wait; half of it is kept then.
    """

    def __init__(self, places: Callable[[], Iterable[Place]], capacity_bytes: int) -> None:
        self._places = places
        self._capacity_bytes = capacity_bytes
        self._outputs: dict[tuple[str, str], Output] = {}
        self._look_due = 0.0
        self._has_dropped = self._has_more = False
        self._is_over = Event()
        self._thread = Thread(target=self._run, name="mplogging-output", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Read what is there by now: who is still writing is read no more."""
        self._is_over.set()
        deadline = monotonic() + _FINISH_SECONDS
        self._thread.join(_FINISH_SECONDS)
        is_stuck = self._thread.is_alive()  # in a handler: what is left stays in the directory
        while not is_stuck and monotonic() < deadline:
            self._look_due = 0.0
            self._turn()
            if not self._has_more:
                break

    def disown(self) -> None:
        """A forked child has no such thread."""

    def go_on(self) -> bool:
        """It is a worker, and what that prints is led elsewhere."""
        return False

    def _run(self) -> None:
        pause = _BUSY_PAUSE
        while not self._is_over.wait(pause):
            has_moved = self._turn()
            pause = 0.0 if self._has_more else _BUSY_PAUSE if has_moved else _IDLE_PAUSE

    def _turn(self) -> bool:
        """Read on in all of them; True if there was anything."""
        is_time = monotonic() >= self._look_due
        if is_time:
            self._look_due = monotonic() + _ENDED_SECONDS
        self._has_more = has_moved = False
        for place in self._places():
            for key in _keys(place):
                # What fails, on a full disk say, is tried again.
                with contextlib.suppress(OSError, ValueError):
                    has_moved |= self._follow(place, key, is_time)
        return has_moved

    def _follow(self, place: Place, key: str, is_time: bool) -> bool:
        output = self._outputs.setdefault((place.path, key), Output(place, key))
        # First: what it has written by then is all that there will be.
        has_ended = is_time and not output.is_written()
        has_moved = [self._read(stream, has_ended) for stream in output.streams]
        if has_ended and output.unread() <= 0:
            del self._outputs[place.path, key]
            output.remove()
        return any(has_moved)

    def _read(self, stream: Stream, has_ended: bool) -> bool:
        unread = stream.unread()
        if unread > self._capacity_bytes:
            self._tell_dropped(stream, stream.skip(self._capacity_bytes // 2))
        start = stream.offset
        stop = start + min(unread, _TURN_BYTES)
        while stream.offset < stop and (chunk := stream.next(is_all=has_ended)) is not None:
            _log(stream, chunk)
            stream.advance(chunk.stop)
        self._has_more |= unread > _TURN_BYTES
        return stream.offset > start

    def _tell_dropped(self, stream: Stream, lines: int) -> None:
        if not self._has_dropped:
            self._has_dropped = True
            writer = stream.writer
            record = own_record(
                logging.WARNING,
                "%s of process %d (%s) comes faster than it can be read: %d lines were dropped"
                " (further ones are counted, and told at the end)",
                stream.stream, writer.pid, writer.process_name, lines,
            )  # fmt: skip
            if not is_silenced(record):
                logging.getLogger(record.name).handle(record)


def _keys(place: Place) -> list[str]:
    with contextlib.suppress(OSError):  # the directory was closed, or is gone
        return output_keys(place)
    return []


def _log(stream: Stream, chunk: Chunk) -> None:
    writer = stream.writer
    logger = logging.getLogger(stream.stream)
    if not logger.isEnabledFor(writer.level):
        return
    fields = line_fields(stream.stream, writer, chunk.created)
    for line in chunk.lines:
        record = logger.makeRecord(stream.stream, writer.level, "", 0, line, (), None, "")
        vars(record).update(fields)
        logger.handle(record)
