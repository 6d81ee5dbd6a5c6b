"""How a process logs when nobody reads the pipe: straight into the dated file.

That is so once the parent is dead, or its session is over. Whoever comes first
takes the place's lock, which the reader held, drains what still stands in the
pipe into the file, and goes on writing there; so do the others in their turn.
"""

from __future__ import annotations

import os
import threading
import time

from .._file.handler import DatedFileHandler
from .._lock import try_lock
from .._wire import pipe
from .._wire.frames import Batch, Decoder, Message
from .._wire.liveness import without_living
from .._wire.place import Place
from .delivery import Delivery, LastResort

# A reader that is about to finish holds the lock; one that has been stopped
# must not hold us for good.
_LOCK_TIMEOUT = 5.0
_LEAVING_TIMEOUT = 1.0
_LOCK_PAUSE = 0.002


class DirectWriter:
    """Takes a process's messages as `PipeWriter` does, and never refuses one.

    Args:
        file: Where the lines go; with None, records go where logging itself
            sends them when it has no handler.
        place: The place to take over before the first line; None if there is none.
        writer: A descriptor of its pipe's writing end.
    """

    def __init__(
        self, file: DatedFileHandler | None, place: Place | None = None, writer: int = -1
    ) -> None:
        self._delivery = Delivery(file, [] if file else [LastResort()])
        self._place = place
        self._writer = writer
        self._lock = threading.RLock()
        if file is not None:
            file.cut_half_lines()

    def send(self, kind: int, created: float, payload: bytes) -> None:
        """Write the message's line, after all that stands in the pipe."""
        with self._lock:
            place, self._place = self._place, None
            if place is not None:
                self._take_over(place, _LOCK_TIMEOUT)
            self._delivery.deliver(Batch([], [Message(kind, os.getpid(), created, payload)], 0))

    def take_over(self) -> None:
        """Write what stands in the pipe, unless somebody else is about to."""
        with self._lock:
            place, self._place = self._place, None
            if place is not None:
                self._take_over(place, _LEAVING_TIMEOUT)

    def wait(self, timeout: float | None = None) -> None:
        """There is always room."""

    def speak_first(self) -> None:
        """Nothing has to be said: there is nobody to hear it."""

    def _take_over(self, place: Place, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        try:
            while not try_lock(place.descriptor):
                if time.monotonic() >= deadline:
                    return
                time.sleep(_LOCK_PAUSE)
            try:
                self._drain(place)
            finally:
                place.unlock()
        except OSError as error:
            self._delivery.mishap("failed", f"what stood in the pipe could not be read: {error}")

    def _drain(self, place: Place) -> None:
        decoder = Decoder(pipe.FRAME_BYTES)
        delivery = self._delivery
        for data in pipe.drain(place, self._writer):
            delivery.deliver(decoder.decode(data, delivery.start, delivery.end))
        delivery.deliver(without_living(decoder.finish()))
