"""What `python -m mplogging recover` does: brings what killed sessions left into their logs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from .._delivery.recovery import recover
from .._errors import ConfigError
from .._watch.dumps import recover_rings
from .._wire.place import prefix
from .._wire.where import leftovers, runtime_directories


def recover_all(directories: Sequence[str], is_forced: bool, is_trial: bool) -> int:
    """Recover what is left in there, and print what became of it; returns the exit status.

    Args:
        directories: Session directories, or directories that hold some; none stands for
            this one, its `logs`, and those for what is temporary.
        is_trial: Only say what there is.

    Raises:
        ConfigError: One of them is no directory, or can't be read.
    """
    _check(directories)
    status = 0
    count = 0
    for path in _found(directories or [".", "logs", *runtime_directories()]):
        done = recover(path, is_forced, is_trial, recover_rings)
        print(done)
        count += 1
        if not is_trial and (done.left or done.problem):
            status = 1
    if not count:
        print("no session has left anything there")
    return status


def _check(directories: Sequence[str]) -> None:
    for directory in directories:
        try:
            os.listdir(directory)
        except OSError as error:
            raise ConfigError(
                f"{directory!r} can't be listed: {error.strerror}; give the directory that the"
                " log is in"
            ) from error


def _found(directories: Sequence[str]) -> Iterator[str]:
    for directory in map(os.path.abspath, directories):
        if os.path.basename(directory).startswith(prefix()):
            yield directory
        else:
            yield from leftovers([directory])
