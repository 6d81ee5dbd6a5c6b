"""A stable name to follow: a symbolic link to the active file."""

from __future__ import annotations

import os
import warnings

from .._closing import close
from .._errors import ConfigError, MPLoggingWarning
from .._lock import FileLock
from .names import FileNames


class StableLink:
    """Keeps the link `path` on the newest file of `names`, for `tail -F` and the like.

    Args:
        lock: Is taken on the link's directory, so that of two processes the one
            with the older file cannot come last.

    Raises:
        ConfigError: The link would stand where a log file belongs.
    """

    def __init__(self, path: str, names: FileNames, lock: FileLock) -> None:
        if names.parse(path) is not None:
            raise ConfigError(f"symlink must not have a dated file's own name, got {path!r}")
        self._path = path
        self._names = names
        self._lock = lock
        self._is_told = False

    def point_to(self, target: str) -> None:
        """Replace the link in one step, unless it points to a later file.

        Anything but a link that stands in its place is somebody's: it stays.

        Raises:
            OSError: The link cannot be made.
            MPLoggingWarning: As an error, if warnings are: it is in somebody's place.
        """
        if os.path.lexists(self._path) and not os.path.islink(self._path):
            self._warn(target)
            return
        directory = os.open(os.path.dirname(self._path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._lock.acquire(directory)
            if not self._points_beyond(target):
                self._replace(target)
        finally:
            self._lock.release(directory)
            close(directory)

    def _warn(self, target: str) -> None:
        if self._is_told:
            return
        self._is_told = True
        what = "a directory" if os.path.isdir(self._path) else "a file of its own"
        warnings.warn(
            f"symlink: {self._path} is {what}, so no link to {target} can stand there:"
            f" rename it (mv {self._path} {self._path}.old), or give symlink= another name",
            MPLoggingWarning,
            stacklevel=2,
        )

    def _points_beyond(self, target: str) -> bool:
        """True if the link is on this file already, or on a later one that exists."""
        try:
            present = os.readlink(self._path)
        except OSError:
            return False
        present = os.path.normpath(os.path.join(os.path.dirname(self._path), present))
        return os.path.exists(self._path) and (
            present == target or self._rank(present) > self._rank(target)
        )

    def _replace(self, target: str) -> None:
        temporary = self._path + ".tmp"
        if os.path.islink(temporary):
            os.unlink(temporary)  # its maker was killed
        os.symlink(self._shortened(target), temporary)
        os.replace(temporary, self._path)

    def _shortened(self, target: str) -> str:
        """The target as seen from the link, so that both may be moved together."""
        here = os.path.dirname(self._path)
        relative = os.path.relpath(target, here)
        # The system goes up from where a link among the directories leads.
        seen = os.path.join(os.path.realpath(here), os.path.dirname(relative))
        is_same = os.path.realpath(seen) == os.path.realpath(os.path.dirname(target))
        return relative if is_same else target

    def _rank(self, path: str) -> tuple[int, int]:
        file = self._names.parse(path)
        return (file.period.start, file.part) if file else (-1, -1)


def link_path(symlink: bool | str | os.PathLike[str], names: FileNames) -> str | None:
    """The absolute name that the argument `symlink` asks for, None for no link.

    Raises:
        ConfigError: It asks for none that can be.
    """
    if symlink is False:
        return None
    if symlink is True:
        if names.stable is None:
            raise ConfigError(
                "symlink=True needs a filename without directives, "
                f"got {names.filename!r}: give the link's name"
            )
        return names.stable
    try:
        path = os.fspath(symlink)
    except TypeError:
        path = ""
    if not isinstance(path, str) or os.path.basename(path) in ("", ".", "..") or "\0" in path:
        raise ConfigError(f"symlink must be True, False or a link's name, got {symlink!r}")
    return os.path.abspath(path)
