"""A process that is alone in its session writes straight into the log.

So its lines are there when the call returns, as a `FileHandler`'s are, and no end of
it, however sudden, leaves anything for others to recover. (Not so while a handler that is
waited for has all that it may have: there, the listener waits, and not the program.)
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic, sleep

from .._delivery.delivery import Delivery
from .._delivery.sidelines import Sideline
from .._file.handler import DatedFileHandler
from .._file.unwritten import Failed
from .._wire.frames import LINE, RECORD, Message, split_record
from .._wire.writer import LOOK_SECONDS
from .sources import JournalSource

_PAUSE = 0.001


class Alone:
    """Tells whether it is so, and writes then.

    Args:
        file: The log. It is written by way of a copy: whom a signal interrupts in a
            write holds up no listener that has to end.
        sidelines: The handlers beside it.
    """

    def __init__(
        self,
        source: JournalSource,
        delivery: Delivery,
        file: DatedFileHandler,
        sidelines: Sequence[Sideline],
    ) -> None:
        self._source = source
        self._delivery = delivery
        self._sidelines = sidelines
        self.file = file._bare_copy()
        self._look_due = 0.0
        self._is_alone = False

    def is_so(self) -> bool:
        """True if no other process is attached, all that was sent before is written, and
        nobody has to wait."""
        now = monotonic()
        if now >= self._look_due:
            try:
                self._is_alone = not self._source.is_attached_to()
            except OSError:
                self._is_alone = False
            self._look_due = now + LOOK_SECONDS
            if self._is_alone and not self._source.is_at_end():
                self._wait_for_reader()
        return self._is_alone and self._source.is_at_end() and self._is_there_room()

    def _is_there_room(self) -> bool:
        for sideline in self._sidelines:
            if not sideline.has_room():
                return False
        return True

    def _wait_for_reader(self) -> None:
        """Else one that has just come to be alone, and logs on, would never have it all read."""
        self._source.wake()
        deadline = monotonic() + LOOK_SECONDS
        while not self._source.is_at_end() and monotonic() < deadline:
            if self._source.is_refused() or not self._is_there_room():
                return
            sleep(_PAUSE)

    def write(self, message: Message) -> bool:
        """Write its line, and hand its record on; False if the file does not take it."""
        line = message.payload
        if message.kind == RECORD:
            line, is_stand_in, _ = split_record(message.payload)
            if is_stand_in:
                return False  # the listener makes a better one
        if line:
            try:
                self.file._append(message.created, (line,))
            except Failed:
                return False
            self._delivery.add_written(len(line))
        if message.kind != LINE:
            self._delivery.offer(message, may_wait=False)
        return True

    def close(self) -> None:
        """Close the file."""
        self.file.close()
