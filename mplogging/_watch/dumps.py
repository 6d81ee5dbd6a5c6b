"""How a ring comes into the log: its lines, between two that say whose it is and why.

All that belongs to one period's file goes there in one piece, which the journal takes or
does not take as a whole, and between which no other process writes.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator, Sequence

from .._delivery.delivery import Delivery
from .._file.handler import DatedFileHandler
from .._file.line_handler import own_line
from .._file.unwritten import Failed
from .._records import own_record
from .._wire.place import Place
from .ring import Entry, Head
from .rings import found_rings

DIED = "its process died"


def pieces(
    found: Sequence[Entry], head: Head, why: str, file: DatedFileHandler
) -> Iterator[tuple[float, bytes]]:
    """What is to be written: for each period a time in it, and the lines.

    Args:
        why: What brings them into the log.
        file: The log, or as much of it as this process has.
    """
    level = logging.WARNING if why == DIED else logging.INFO
    for _, of_period in itertools.groupby(found, lambda entry: _period(entry, file)):
        run = list(of_period)
        whose = f"flight recorder of process {head.pid} ({head.name})"
        # In times of their own, so that they stand in the same file.
        size = f"{len(run)} record{'s' * (len(run) > 1)}"
        first = _line(level, f"{whose}, {size}: {why}", run[0].created, head, file)
        last = _line(level, f"end of the {whose}", run[-1].created, head, file)
        yield run[0].created, b"".join([first, *(entry.line for entry in run), last])


def recover_rings(place: Place, delivery: Delivery) -> None:
    """Bring the rings of a dead session into its log.

    Raises:
        OSError: The log refuses them.
    """
    file = delivery.file
    for ring in found_rings(place):
        if not ring.take_charge():
            continue
        if file is not None and not ring.head.is_settled:
            with ring.taking() as found:
                for created, piece in pieces(found, ring.head, DIED, file):
                    try:
                        file._append(created, [piece])
                    except Failed as failed:
                        raise OSError(f"{file!r} takes no lines: {failed.__cause__}") from None
        ring.remove()


def _period(entry: Entry, file: DatedFileHandler) -> tuple[int, int]:
    try:
        return file._bounds(entry.created)
    except ValueError:  # a time beyond the calendar
        return file._bounds(time.time())


def _line(level: int, text: str, created: float, head: Head, file: DatedFileHandler) -> bytes:
    record = own_record(level, text)
    record.created, record.msecs = created, created % 1 * 1000
    record.process, record.processName = head.pid, head.name
    return own_line(file, record)
