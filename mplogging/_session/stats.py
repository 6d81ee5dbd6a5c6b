"""What a session has done, in numbers."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .._delivery.delivery import Delivery
from .._public import public
from .outputs import Outputs


@public
class SessionStats(NamedTuple):
    """What a session has done so far."""

    records: int = 0  # written, to each file
    bytes: int = 0  # written
    workers: int = 0  # processes other than the session's own that logged
    late: int = 0  # of the records, those for an older file than the newest
    dropped: int = 0  # records, because the journal was full (overflow="drop")
    incomplete: int = 0  # records whose process died before their log call returned
    failed: int = 0  # records that could not be written or handed to a handler
    corrupt: int = 0  # times that something came that was no record
    lost: int = 0  # records, because the log could not be written for too long
    recovered: int = 0  # records that earlier sessions had left when they were killed
    # What `stop` left behind: by handler, how many records. Those for the file are in
    # the journal, from where the next session brings them into the log.
    unfinished: dict[str, int] = {}

    @classmethod
    def of(
        cls,
        deliveries: Sequence[Delivery],
        outputs: Outputs,
        pid: int,
        unfinished: Mapping[str, int],
    ) -> SessionStats:
        """Put together from where each is counted; `pid` is the session's own process."""
        counts: collections.Counter[str] = collections.Counter()
        pids: set[int] = set()
        for delivery in deliveries:
            counts.update(delivery.counts)
            pids |= delivery.pids
        files = [file for file in outputs.files if file is not None]
        sidelines = outputs.all_sidelines()
        return cls(
            records=counts["records"],
            bytes=counts["bytes"],
            workers=len(pids - {pid}),
            late=sum(file.late for file in files),
            dropped=counts["dropped"] + sum(sideline.dropped for sideline in sidelines),
            incomplete=counts["incomplete"],
            failed=counts["failed"] + sum(sideline.failed for sideline in sidelines),
            corrupt=counts["corrupt"],
            lost=counts["lost"] + sum(file.lost for file in files),
            recovered=counts["recovered"],
            unfinished=dict(unfinished),
        )
