"""The sessions of this user, found by what their processes have open.

Nothing needs to be registered, and so nothing can be stale. Without /proc, those are found
that have their directory beside the log that is named, here, in `logs`, or where temporary
files are.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from .._errors import ConfigError
from .._wire.place import prefix
from .._wire.where import leftovers, runtime_directories
from .glimpse import RUNS, Glimpse, glimpse


class Found(NamedTuple):
    """One of them: what is seen of it."""

    address: str
    holders: Collection[int]  # the processes that are seen to have it open
    journals: list[Glimpse]  # the root logger's first

    @property
    def pid(self) -> int:
        """Of its own process."""
        return int(self.journals[0].config.process.partition(" ")[0])

    @property
    def logs(self) -> list[str]:
        """The root logger's first."""
        return [one.log for one in self.journals if one.log]

    @property
    def bell(self) -> str:
        """Path of its bell, "" if there is none."""
        return self.journals[0].config.bell

    @property
    def state(self) -> str:
        """What has become of it (see `glimpse`)."""
        return self.journals[0].state

    def is_meant_by(self, target: str) -> bool:
        """True if its address, its process or one of its logs is that."""
        if target.isdecimal():
            return self.pid == int(target)
        path = os.path.abspath(target)
        return os.path.realpath(path) in map(os.path.realpath, (self.address, *self.logs))

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
    targets = [] if target is None else [target]
    running = [one for one in sessions(targets) if one.state == RUNS]
    meant = [one for one in running if target is None or one.is_meant_by(target)]
    if len(meant) == 1:
        return meant[0]
    listed = "".join(f"\n  {one}" for one in meant or running)
    if not running:
        raise ConfigError("no session of this user runs here")
    if not meant:
        raise ConfigError(f"{target!r} is none of the sessions that run:{listed}")
    which = "several sessions run" if target is None else f"{target!r} means several sessions"
    raise ConfigError(f"{which}: give the address of one{listed}")


def sessions(targets: Iterable[str] = ()) -> list[Found]:
    """All of this user's that can be found, the living and the dead.

    Args:
        targets: Names of logs; directories of sessions that stand beside them are looked at too.
    """
    holders = _holders()
    beside = [os.path.dirname(os.path.abspath(target)) for target in targets]
    seen = {}
    for path in _paths(holders, beside):
        one = glimpse(path, holders.get(path, ()))
        if one is not None:
            seen[path] = one
    further = {lane for one in seen.values() for lane in one.config.lanes}
    return [
        Found(
            path, holders.get(path, ()),
            [seen[path], *(seen[lane] for lane in seen[path].config.lanes if lane in seen)],
        )
        for path in sorted(seen.keys() - further)
    ]  # fmt: skip


def _paths(known: Iterable[str], beside: Iterable[str]) -> Iterator[str]:
    """Where session directories are, each once."""
    yield from dict.fromkeys([
        *known,
        *leftovers([*beside, os.path.abspath("."), os.path.abspath("logs")]),
        *leftovers(runtime_directories()),
    ])  # fmt: skip


def _holders() -> dict[str, set[int]]:
    """Session directories that processes have open into which this one can look."""
    found: dict[str, set[int]] = {}
    for pid, path in _open_files():
        if _is_note(path):
            found.setdefault(os.path.dirname(path), set()).add(pid)
    return found


def _is_note(path: str) -> bool:
    directory, name = os.path.split(path)
    return name == "note" and os.path.basename(directory).startswith(prefix())


def _open_files() -> Iterator[tuple[int, str]]:
    for pid in filter(str.isdecimal, _names("/proc")):
        for number in _names(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                yield int(pid), os.readlink(f"/proc/{pid}/fd/{number}")


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
