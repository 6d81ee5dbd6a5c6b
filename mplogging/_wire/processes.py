"""Which process this is, told apart from others that had, or elsewhere have, its number."""

from __future__ import annotations

import os


def this_process() -> str:
    """The same in all interpreters of a process, and in no other process of this machine."""
    pid = os.getpid()
    try:
        with open("/proc/self/stat", "rb") as file:
            # The name, in parentheses, may hold anything; the time of its start comes after.
            fields = file.read().rpartition(b")")[2].split()
        return f"{pid} {fields[19].decode()}"
    except (OSError, IndexError):
        return str(pid)  # no /proc
