"""Descriptors that a program might close without our knowledge, as daemons do."""

from __future__ import annotations

import os

from .._closing import close
from .._errors import is_foreign

try:
    import fcntl
    import resource
except ImportError:  # no POSIX system: a queue stands in for the journal
    pass

# So far up, programs hardly have descriptors; but no limit is passed.
_HIGH = 900


def leads_to(descriptor: int, identity: tuple[int, int]) -> bool:
    """True if the descriptor is open, and to this file."""
    if descriptor < 0:
        return False
    try:
        status = os.fstat(descriptor)
    except OSError as error:
        if is_foreign(error):
            raise
        return False
    return (status.st_dev, status.st_ino) == identity


def lifted(descriptor: int) -> int:
    """The same under a number that the program's own files hardly get.

    A daemon that closes all descriptors, and then opens files of its own, must not
    find our records in them.
    """
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    least = _HIGH if soft == resource.RLIM_INFINITY else min(soft * 3 // 4, _HIGH)
    if descriptor >= least:
        return descriptor
    try:
        lifted = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)
    except OSError:
        return descriptor  # none is free up there
    close(descriptor)
    return lifted
