"""A stable name to follow: a symbolic link to the active file."""

from __future__ import annotations

import os

from ._names import FileNames


class StableLink:
    """Keeps the link `path` on the newest file of `names`, for `tail -F` and the like."""

    def __init__(self, path: str, names: FileNames) -> None:
        self._path = path
        self._names = names

    def point_to(self, target: str) -> None:
        """Replace the link in one step, unless it points to a later file.

        Anything but a link that stands in its place is somebody's: it stays.

        Raises:
            OSError: The link cannot be made.
        """
        directory = os.path.dirname(self._path)
        if os.path.islink(self._path):
            present = os.path.normpath(os.path.join(directory, os.readlink(self._path)))
            if self._rank(present) >= self._rank(target):
                return
        elif os.path.exists(self._path):
            return
        temporary = f"{self._path}.{os.getpid()}.tmp"
        os.symlink(os.path.relpath(target, directory), temporary)
        os.replace(temporary, self._path)

    def _rank(self, path: str) -> tuple[int, int]:
        file = self._names.parse(path)
        return (file.period.start, file.part) if file else (-1, -1)
