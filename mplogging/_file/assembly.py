"""Puts together what stands under a handler, as its arguments say."""

from __future__ import annotations

import functools
from typing import Any, Callable

from .._lock import IS_AVAILABLE, FileLock, NoLock
from .._numbers import seconds_of
from .compression import Compressor
from .lines import LineFormat
from .link import StableLink
from .names import FileNames
from .opening import Access
from .periods import Calendar
from .retention import Retention
from .series import FileSeries


def made_compressor(
    names: FileNames, settings: dict[str, Any], report: Callable[[str], None]
) -> Compressor | None:
    """What compresses finished files, if they are to be."""
    if not settings["compress"]:
        return None
    return Compressor(names, settings["compress"], settings["compressAfter"], report)


def made_series(
    calendar: Calendar,
    names: FileNames,
    settings: dict[str, Any],
    lines: LineFormat,
    compressor: Compressor | None,
    report: Callable[[str], None],
    see_to_house: Callable[[], None],
) -> FileSeries:
    """The files, and what a new one brings with it."""
    has_lock = bool(settings["lock"]) and IS_AVAILABLE
    is_shared = settings["lock"] != "exclusive"
    new_lock = functools.partial(FileLock, settings["lockTimeout"], is_shared)
    link = settings["symlink"]
    return FileSeries(
        calendar,
        names,
        new_lock if has_lock else NoLock,
        Access(
            settings["mode"],
            settings["dirMode"],
            lines.file_header,
            lines.terminator,
            lines.unit_bytes,
        ),
        settings["maxBytes"],
        Retention(
            names,
            settings["backupCount"],
            seconds_of(settings["maxAge"]),
            settings["maxTotalBytes"],
            report,
        ),
        StableLink(link, names, FileLock(1.0) if has_lock else NoLock()) if link else None,
        compressor,
        report,
        see_to_house,
    )
