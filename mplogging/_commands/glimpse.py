"""What can be seen of a session from outside: nothing is asked, locked, or changed."""

from __future__ import annotations

import contextlib
import json
import pickle
from collections.abc import Collection
from typing import NamedTuple

from .._errors import MPLoggingError
from .._wire.drops import read_drops
from .._wire.figures import Figures, read_figures
from .._wire.note import Note
from .._wire.place import Place
from .._wire.processes import may_live
from .._worker.config import Config

RUNS, ENDS, ORPHANED, DEAD = "runs", "ends", "orphaned", "dead"
_TRIES = 3  # to meet a note that is just being saved


class Glimpse(NamedTuple):
    """Of one directory."""

    config: Config
    log: str  # "" if there is none
    state: str  # one of the four
    figures: Figures | None
    waiting_bytes: int  # in the journal, not in the log
    dropped: int  # records that processes have dropped, each by its own account


def glimpse(path: str, holders: Collection[int] = ()) -> Glimpse | None:
    """What is seen there; None if it is just being made or removed, or another version's.

    Args:
        holders: The processes that are seen to have it open.
    """
    try:
        place = Place.open(path)
    except MPLoggingError:
        return None
    try:
        config = pickle.loads(place.read_config())
        file = json.loads(place.read_recovery())["file"]
        note = _note(place)
        seen = Glimpse(
            config,
            "" if file is None else str(file["filename"]),
            _state(place, note, config, holders),
            read_figures(place),
            _waiting_bytes(place, note),
            sum(dropped.records for _, dropped in read_drops(place)),
        )
        return seen if place.is_there() else None
    except Exception:
        return None
    finally:
        place.close()


def _note(place: Place) -> Note:
    for _ in range(_TRIES - 1):
        with contextlib.suppress(ValueError):
            return place.load()[0]
    return place.load()[0]


def _state(place: Place, note: Note, config: Config, holders: Collection[int]) -> str:
    reader = place.reader()
    is_with_owner = place.is_open_in(config.process)
    if is_with_owner is None:  # no /proc
        is_with_owner = may_live(config.process) and not note.is_over
    if is_with_owner:
        return ENDS if note.is_over else RUNS
    if holders or reader is not None or place.one_attached() is not None:
        return ORPHANED
    return DEAD


def _waiting_bytes(place: Place, note: Note) -> int:
    waiting = sum(stop - start for _, start, stop in note.passed_over)
    for number, offset in note.places.items():
        with contextlib.suppress(FileNotFoundError):  # read to its end meanwhile
            waiting += max(0, place.segment_bytes(number) - offset)
    return waiting
