"""The sessions of this user that run, found by what their processes have open.

Nothing needs to be registered, and so nothing can be stale. Without /proc, those are found
that have their directory beside the log that is named, here, in `logs`, or where temporary
files are.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .._errors import ConfigError, MPLoggingError
from .._wire.place import Place, prefix
from .._wire.where import leftovers, runtime_directories
from .._worker.config import Config


class Found(NamedTuple):
    """One that runs."""

    address: str
    pid: int  # of its own process
    logs: tuple[str, ...]  # the root logger's first
    bell: str

    def __str__(self) -> str:
        return f"{self.address} (process {self.pid}, log {', '.join(self.logs) or 'none'})"


def the_session(target: str | None) -> Found:
    """The one that is meant.

    Args:
        target: The address of a session, the number of its process, or the name of its
            log; None: the only one that runs.

    Raises:
        ConfigError: It is none, or could be several, which are named.
    """
    beside = [] if target is None else [os.path.dirname(os.path.abspath(target))]
    running = sessions(beside)
    meant = [one for one in running if target is None or _is(one, target)]
    if len(meant) == 1:
        return meant[0]
    listed = "".join(f"\n  {one}" for one in meant or running)
    if not running:
        raise ConfigError("no session of this user runs here")
    if not meant:
        raise ConfigError(f"{target!r} is none of the sessions that run:{listed}")
    which = "several sessions run" if target is None else f"{target!r} means several sessions"
    raise ConfigError(f"{which}: give the address of one{listed}")


def sessions(beside: Iterable[str]) -> list[Found]:
    """All of this user's that can be found, among them those in these directories."""
    places = {path: described for path in _paths(beside) if (described := _described(path))}
    further = {lane for config, _ in places.values() for lane in config.lanes}
    found = []
    for path, (config, log) in places.items():
        if path not in further:
            logs = [log, *(places[lane][1] for lane in config.lanes if lane in places)]
            pid = int(config.process.partition(" ")[0])
            found.append(Found(path, pid, tuple(name for name in logs if name), config.bell))
    return sorted(found)


def _is(one: Found, target: str) -> bool:
    if target.isdecimal():
        return one.pid == int(target)
    path = os.path.abspath(target)
    return os.path.realpath(path) in map(os.path.realpath, (one.address, *one.logs))


def _paths(beside: Iterable[str]) -> Iterator[str]:
    """Where session directories are, each once."""
    open_ones = (os.path.dirname(path) for path in _open_files() if _is_note(path))
    yield from dict.fromkeys([
        *open_ones,
        *leftovers([*beside, os.path.abspath("."), os.path.abspath("logs")]),
        *leftovers(runtime_directories()),
    ])  # fmt: skip


def _is_note(path: str) -> bool:
    directory, name = os.path.split(path)
    return name == "note" and os.path.basename(directory).startswith(prefix())


def _open_files() -> Iterator[str]:
    """Paths of what the processes have open into which this one can look."""
    for pid in filter(str.isdecimal, _names("/proc")):
        for number in _names(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                yield os.readlink(f"/proc/{pid}/fd/{number}")


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _described(path: str) -> tuple[Config, str] | None:
    """A running session's configuration, and its log; None if it is over, or can't be read."""
    try:
        place = Place.open(path)
    except MPLoggingError:
        return None
    try:
        config = pickle.loads(place.read_config())
        lives = place.is_open_in(config.process)
        if lives is None:
            lives = not place.is_reader_gone()
        if not lives or place.read_head().is_over:
            return None
        file = json.loads(place.read_recovery())["file"]
        return config, "" if file is None else str(file["filename"])
    except Exception:  # just ending, or another version's
        return None
    finally:
        place.close()
