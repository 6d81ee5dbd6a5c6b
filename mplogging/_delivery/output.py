"""What processes have written to their descriptors 1 and 2, as records.

While the session runs, its own process logs them (`_watch.output`). What it has not come
to is brought into the log by the last process that leaves, or by the recovery.
"""

from __future__ import annotations

import contextlib
import logging

from .._records import make_record
from .._wire.output import Chunk, Stream, Writer, outputs
from .._wire.place import Place
from .delivery import Delivery


def line_fields(stream: str, writer: Writer, created: float) -> dict[str, object]:
    """What is known of the record that a line becomes."""
    return {
        "name": stream, "levelno": writer.level,
        "levelname": logging.getLevelName(writer.level), "created": created,
        "msecs": int(created % 1 * 1000) + 0.0, "process": writer.pid,
        "processName": writer.process_name, "thread": 0, "threadName": "",
    }  # fmt: skip


def bring_output(place: Place, delivery: Delivery) -> int:
    """Write what is left of it, now that no session reads it; returns how many lines."""
    count = 0
    for output in outputs(place):
        for stream in output.streams:
            with contextlib.suppress(OSError, ValueError):
                while (chunk := stream.next(is_all=True)) is not None:
                    count += _bring(stream, chunk, delivery)
    return count


def _bring(stream: Stream, chunk: Chunk, delivery: Delivery) -> int:
    fields = line_fields(stream.stream, stream.writer, chunk.created)
    for line in chunk.lines:
        delivery.tell(make_record({**fields, "msg": line}))
        delivery.counts["records"] += 1
    stream.advance(chunk.stop)
    return len(chunk.lines)


def count_output(place: Place) -> int:
    """How many lines that would be; changes nothing."""
    count = 0
    for output in outputs(place):
        for stream in output.streams:
            with contextlib.suppress(OSError, ValueError):
                while (chunk := stream.next(is_all=True)) is not None:
                    count += len(chunk.lines)
                    stream.offset = chunk.stop
    return count


def has_output(place: Place) -> bool:
    """Whether there is anything that has not been read."""
    with contextlib.suppress(OSError, ValueError):
        return any(output.unread() > 0 for output in outputs(place))
    return False
