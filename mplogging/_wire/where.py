"""Where the private directory of a session may stand.

Beside the log comes first: that outlives a logout, a cleaner of temporary files, and a
container whose log directory is a volume. Then the user's runtime directory, then the
one for temporary files. A place that can't be written, is full, has no locks, or whose
owner could put another directory in its place, is passed over.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import Callable

from .._errors import SessionError, UnsafeSessionError
from .frames import COOKIE_BYTES, Framing
from .note import Note
from .place import Place, prefix
from .segments import Segments

# File systems whose locks say nothing of processes on other machines.
_SHARED = ("nfs", "cifs", "smb", "9p", "virtiofs", "fuse", "ceph", "glusterfs", "lustre", "afs")
_TRIAL_BYTES = 4096


def candidates(beside: str | None, journal_dir: str | None) -> list[str]:
    """Directories to try, in that order.

    Args:
        beside: The log's directory, if there is a log.
        journal_dir: The user's choice, which rules out all others.
    """
    if journal_dir is not None:
        return [journal_dir]
    return [*([beside] if beside else []), *runtime_directories()]


def runtime_directories() -> list[str]:
    """Where what lives no longer than a session may stand: the bell, for instance."""
    import tempfile  # a quarter of our import time, for sessions only

    found = []
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    try:
        # Not another user's, which `sudo` may have left in the environment.
        if runtime and os.stat(runtime).st_uid == os.geteuid():
            found.append(os.path.abspath(runtime))  # workers may start elsewhere
    except OSError:
        pass
    return [*found, os.path.abspath(tempfile.gettempdir())]


def bell_paths(place: Place) -> list[str]:
    """Where the bell of this place may hang, under a name that is no other's."""
    name = os.path.basename(place.path).lstrip(".") + ".bell"
    return [os.path.join(directory, name) for directory in runtime_directories()]


def make_place(
    directories: list[str], keep: Callable[[Place], object] = lambda place: None
) -> Place:
    """Make a session's directory in the first of these that is fit for it.

    Args:
        keep: Gets each place that is tried, before it is made; the last is the one.

    Raises:
        SessionError: None is; says of each why.
    """
    reasons = []
    for directory in directories:
        try:
            check_owner(directory)
            place = Place.make(directory, keep)
        except (OSError, UnsafeSessionError) as error:  # the latter: modes do not work there
            reasons.append(f"{directory!r}: {_told(error)}")
            continue
        try:
            place.write_recovery(bytes(_TRIAL_BYTES))
            with contextlib.closing(Segments(place)) as segments:
                offset = segments.create(1, Framing(os.urandom(COOKIE_BYTES)))
            place.save(Note(1, offset))
            return place
        except OSError as error:
            place.remove()
            place.close()
            reasons.append(f"{directory!r}: {_told(error)}")
    raise SessionError(
        f"no session directory can be made ({'; '.join(reasons)}):"
        " give journalDir= a directory of yours on a local disk"
    )


def _told(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def check_owner(directory: str) -> None:
    """Refuse a directory whose owner could put something else in our place.

    Raises:
        OSError: It belongs to somebody else and is not sticky, or is not there.
    """
    status = os.stat(directory)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(f"{directory!r} is no directory")
    others_write = status.st_mode & 0o002 and not status.st_mode & stat.S_ISVTX
    is_foreign = status.st_uid not in (os.geteuid(), 0)
    if (is_foreign and not status.st_mode & stat.S_ISVTX) or others_write:
        raise PermissionError(
            f"{directory!r} is another user's, or writable by others, and not sticky"
        )


def leftovers(directories: list[str]) -> Iterator[str]:
    """Paths of this user's session directories in there, of the living and the dead."""
    for directory in dict.fromkeys(directories):
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue
        for name in names:
            path = os.path.join(directory, name)
            if name.startswith(prefix()) and os.path.isdir(path) and not os.path.islink(path):
                yield path


def is_shared_with_other_machines(path: str) -> bool:
    """True if locks on this file system may say nothing of another machine's processes."""
    try:
        device = os.stat(path).st_dev
        wanted = f"{os.major(device)}:{os.minor(device)}"
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                fields, _, rest = line.partition(" - ")
                if fields.split()[2] == wanted:
                    return rest.split()[0].startswith(_SHARED)
    except (OSError, IndexError):
        pass
    return False


def boot_id() -> str:
    """What tells this run of the machine from others; "" where there is no such thing."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
