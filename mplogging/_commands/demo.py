"""What `python -m mplogging demo` does: real work in a real pool, logged.

A module of its own, since children under spawn do not import a `__main__.py`.
"""

from __future__ import annotations

import collections
import hashlib
import logging
import multiprocessing
import os
import sys
from collections.abc import Iterator

from .._errors import ConfigError
from .._session.session import LogSession
from .._worker.decorators import worker

_log = logging.getLogger("mplogging.demo")
_SHOWN_LINES = 8


@worker
def hash_file(path: str) -> str:
    """The file's SHA-256, logged; "" if it can't be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 16), b""):
                digest.update(block)
    except OSError as error:
        _log.warning("%s: %s", path, error.strerror)
        return ""
    _log.info("%s  %s", digest.hexdigest(), path)
    return digest.hexdigest()


def show(session: LogSession, directory: str, processes: int) -> None:
    """Hash the files below a directory in a pool, and print what came into the log.

    Raises:
        ConfigError: There is no such directory.
    """
    if not os.path.isdir(directory):
        raise ConfigError(f"directory must be one, got {directory!r}")
    paths = sorted(_files_below(directory))
    with session:
        _log.info("hashing %d files below %s", len(paths), directory)
        with multiprocessing.Pool(processes) as pool:
            pool.map(hash_file, paths, chunksize=1)
        _log.info("done")
    stats = session.stats()
    path = session.activeFilename
    assert path is not None
    # What the terminal can't show is no error.
    shown = sys.stdout.encoding or "utf-8"
    with open(path, encoding="utf-8") as file:
        tail = collections.deque(file, _SHOWN_LINES)
    print(f"{stats.records} records from {stats.workers + 1} processes are in {path}")
    print("its last lines:")
    for line in tail:
        print("  " + line.encode(shown, "backslashreplace").decode(shown), end="")


def _files_below(directory: str) -> Iterator[str]:
    for place, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(place, name)
            if os.path.isfile(path):
                yield path
