"""What a session leaves behind when all its processes are dead, and how it comes into the log.

The settings of the log stand beside the journal as JSON: nothing is unpickled. Who
recovers makes a handler of the same settings, and reads the journal to its end.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import os
import time
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

from .._errors import MPLoggingError
from .._file.handler import DatedFileHandler
from .._wire.bell import remove_bell
from .._wire.drops import read_drops
from .._wire.frames import HEADER_BYTES
from .._wire.place import Place, is_open_here
from .._wire.processes import this_process
from .._wire.where import boot_id, is_shared_with_other_machines
from .crashes import mend_note
from .deaths import tell_of_the_dead
from .delivery import Delivery
from .output import bring_output, count_output
from .reading import Reader

_VERSION = 2
# A directory without settings may be just being made.
_UNFINISHED_SECONDS = 60.0
# A segment that has just been begun has no more.
_BEGUN_BYTES = HEADER_BYTES


class Recovery(NamedTuple):
    """What became of one directory."""

    path: str
    records: int = 0  # that are in the log now
    left: int = 0  # bytes that could not be written
    doubtful: int = 0  # of the records, those that may be there twice
    problem: str = ""  # why nothing was done

    def __str__(self) -> str:
        if self.problem:
            return f"{self.path}: {self.problem}"
        told = f"{self.path}: {self.records} records recovered"
        if self.doubtful:
            told += f", {self.doubtful} of them perhaps twice"
        if self.left:
            told += f"; {self.left} bytes could not be written, and stay there"
        return told


class _NotNow(Exception):
    """This directory can't be recovered, or not by itself.

    Args:
        left: Bytes that nobody will recover, if it is not told of them.
    """

    def __init__(self, why: str, left: int = 0) -> None:
        super().__init__(why)
        self.left = left


def describe(file: DatedFileHandler | None, bells: list[str]) -> bytes:
    """What `recover` has to know of a session: its file, and where its bell may hang."""
    described: dict[str, Any] = {
        "version": _VERSION, "boot": boot_id(), "process": this_process(),
        "file": None, "bells": bells,
    }  # fmt: skip
    if file is not None:
        described["file"] = {name: _plain(value) for name, value in file._settings.items()}
        formatter = file.formatter
        if type(formatter) is logging.Formatter:
            described["format"] = [formatter._fmt, formatter.datefmt, _style_of(formatter)]
    return json.dumps(described).encode()


Aftercare = Callable[[Place, Delivery], object]


def recover(
    path: str,
    is_forced: bool = False,
    is_trial: bool = False,
    aftercare: Aftercare = lambda place, delivery: None,
) -> Recovery:
    """Bring what stands in the journal of a dead session into its log, and remove it.

    Args:
        path: Of the session's directory.
        is_forced: Also if the machine has been started anew since, or if processes
            of other machines might be using it.
        is_trial: Only say how much there is.
        aftercare: Sees to what else is there, once the journal is read to its end.
    """
    if is_open_here(path):
        return Recovery(path, problem="in use")  # to open it again would cost us our locks
    try:
        place = Place.open(path)
    except MPLoggingError as error:
        _clear_away(path)
        return Recovery(path, problem=str(error))
    try:
        if not place.try_reader_lock() or place.is_held():
            return Recovery(path, problem="in use")
        return _recover(place, is_forced, is_trial, aftercare)
    except _NotNow as reason:
        return Recovery(path, left=reason.left, problem=str(reason))
    except (OSError, ValueError, MPLoggingError) as error:
        return Recovery(path, problem=f"can't be read: {error}")
    finally:
        place.close()


def remains(path: str) -> tuple[str, list[bytes]]:
    """The name of a dead session's log, and the lines in its journal; changes nothing.

    Both are empty of a session that lives, or that can't be read. One that was killed as
    it wrote to its log may have written some of these lines.
    """
    nothing: tuple[str, list[bytes]] = "", []
    if is_open_here(path):
        return nothing
    try:
        place = Place.open(path)
    except MPLoggingError:
        return nothing
    try:
        if not place.try_reader_lock() or place.is_held():
            return nothing
        settings = json.loads(place.read_recovery())["file"]
        with contextlib.closing(Reader(place, Delivery(None))) as reader:
            reader.look()
            return str(settings["filename"]), reader.unread_lines()
    except (OSError, ValueError, LookupError, TypeError, MPLoggingError):
        return nothing
    finally:
        place.close()


def _recover(
    place: Place, is_forced: bool, is_trial: bool, aftercare: Aftercare
) -> Recovery:
    described = _description(place)
    if described is None:
        return Recovery(place.path)
    process = described["process"]
    if process != this_process() and place.is_open_in(process):
        raise _NotNow("in use")  # for a moment without its locks
    has_crashed = described["boot"] != boot_id()
    if not (is_forced or is_trial):
        if has_crashed:
            raise _NotNow("left by an earlier run of the machine: recover it with --force")
        if is_shared_with_other_machines(place.path):
            raise _NotNow(
                "on a file system that other machines may use too:"
                " recover it with --force if no process of theirs does"
            )
    if has_crashed and not is_trial and not mend_note(place):
        place.remove()
        return Recovery(place.path)
    with _file_of(described) as file:
        delivery = Delivery(file)
        reader = Reader(place, delivery, is_suspicious=has_crashed)
        reader.is_final = True
        try:
            if is_trial:
                reader.look()
                return Recovery(place.path, left=reader.unread(), problem=_told(reader, place))
            reader.take_up()
            while reader.turn():
                pass
            records, left = delivery.counts["records"], reader.unread()
            doubtful = records if has_crashed else reader.doubtful
            reader.end()  # for one who attaches just now
        finally:
            reader.close()
        records += bring_output(place, delivery)
        for pid, dropped in read_drops(place):
            delivery.settle_drops(pid, dropped)
        if not has_crashed:  # with the machine, they all have
            tell_of_the_dead(place, delivery, are_all_gone=True)
        if records:
            delivery.warn(
                "%d records were recovered that a session had left in %s when it was killed%s",
                records, place.path, " (at least once: the machine crashed)" * has_crashed,
            )  # fmt: skip
        if not left:
            aftercare(place, delivery)
            for bell in described["bells"]:
                remove_bell(bell)
            place.remove()
        return Recovery(place.path, records, left, doubtful)


def _told(reader: Reader, place: Place) -> str:
    count = reader.count_unread() + count_output(place)
    return f"{count} records to recover" if count else "nothing to recover"


def _clear_away(path: str) -> None:
    """Remove the directory if it is empty, as one who was killed at its removal leaves it."""
    with contextlib.suppress(OSError):
        if time.time() - os.stat(path).st_mtime > _UNFINISHED_SECONDS:
            os.rmdir(path)


def _description(place: Place) -> dict[str, Any] | None:
    """What `describe` said; None if the directory was just being removed, and is gone now."""
    try:
        described = json.loads(place.read_recovery())
    except (FileNotFoundError, ValueError):
        # It goes first when a directory is removed, and comes last when one is made.
        if _is_over(place):
            place.remove()
            return None
        left = sum(place.segment_bytes(number) - _BEGUN_BYTES for number in place.segments())
        if left > 0:
            raise _NotNow("the machine's crash took its settings, not its records", left) from None
        if time.time() - place.made_at() > _UNFINISHED_SECONDS:
            place.remove()
            raise _NotNow("was never finished: removed") from None
        raise _NotNow("is just being made") from None
    if not isinstance(described, dict) or described.get("version") != _VERSION:
        raise _NotNow("was made by another version of mplogging: recover it with that")
    return described


def _is_over(place: Place) -> bool:
    try:
        return place.read_head().is_over
    except ValueError:
        return False  # who made it was killed before its first note


def _style_of(formatter: logging.Formatter) -> str:
    styles: dict[str, Any] = logging._STYLES
    for style, (kind, _) in styles.items():
        if type(formatter._style) is kind:
            return style
    return "%"


@contextlib.contextmanager
def _file_of(described: dict[str, Any]) -> Iterator[DatedFileHandler | None]:
    settings = described["file"]
    if settings is None:
        yield None
        return
    settings = {name: _restored(value) for name, value in settings.items()}
    file = DatedFileHandler(**{**settings, "delay": True})
    if "format" in described:
        # It is for our own words only: for a style of the program's own, any will do.
        with contextlib.suppress(ValueError):
            file.setFormatter(logging.Formatter(*described["format"]))
    file._cut_half_lines()
    try:
        yield file
    finally:
        file.close()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.time):
        return {"time": value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return value


def _restored(value: Any) -> Any:
    if isinstance(value, dict):
        return datetime.time.fromisoformat(value["time"])
    return value
