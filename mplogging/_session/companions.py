"""What goes with each process of a session, by the session's arguments."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from .._errors import ConfigError
from .._levels import check_level
from .._numbers import is_whole
from .._watch.exceptions import UncaughtExceptions
from .._watch.output import WorkerOutput
from .._watch.presence import ReportDeaths
from .._watch.recorder import FlightRecorder
from .._worker.companions import Companion

_MOST_RECORDS = 10_000  # 20 MB on the disk, for each process


def companions(
    *,
    captures_exceptions: bool,
    output_level: int | None,
    reports_deaths: bool,
    flight_recorder: int,
    recorder_level: int | str,
) -> Iterator[Companion]:
    """In the order in which they begin; the last one ends first.

    What logs at the end comes after what looks at the records of this process.

    Raises:
        ConfigError: One has an argument that cannot work.
    """
    level = check_level("flightRecorderLevel", recorder_level)
    if not is_whole(flight_recorder, 0) or flight_recorder > _MOST_RECORDS:
        raise ConfigError(
            "flightRecorder must be a number of records, 0 for none and"
            f" {_MOST_RECORDS} at most, got {flight_recorder!r}"
        )
    if reports_deaths:
        yield ReportDeaths()
    if flight_recorder:
        yield FlightRecorder(flight_recorder, level)
    if output_level is not None:
        yield WorkerOutput(output_level)
    if captures_exceptions:
        yield UncaughtExceptions()


def check_companions(wanted: Iterable[Companion], file: logging.Handler | None) -> None:
    """Refuse what can't be for a session that has this log.

    Raises:
        ConfigError: There is none.
    """
    for one in wanted:
        if isinstance(one, FlightRecorder) and file is None:
            raise ConfigError(
                f"flightRecorder={one.records} needs a log for what it keeps: give the session"
                " a filename, or the root logger a DatedFileHandler"
            )
