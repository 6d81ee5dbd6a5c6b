"""Which process this is, told apart from others that had, or elsewhere have, its number."""

from __future__ import annotations

import contextlib
import os

_PF_EXITING = 4  # of the kernel's flags for a process


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


def may_live(process: str) -> bool:
    """False if there is no process of that number."""
    try:
        os.kill(int(process.partition(" ")[0]), 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        pass
    return True


def is_dead(process: str) -> bool:
    """True if this process is seen to have ended, or to be just about to.

    What it held may still be held for a moment: its threads end one by one.
    """
    pid, _, start = process.partition(" ")
    if not start:
        return not may_live(process)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return fields[19].decode() != start or fields[0] in (b"Z", b"X")
    except (OSError, IndexError):
        return True


def is_exiting(pid: int) -> bool:
    """True if it is seen to be on its way out: it lets go of what it holds one by one."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return bool(int(fields[6]) & _PF_EXITING)
    except (OSError, IndexError, ValueError):
        return False


def is_gone(pid: int) -> bool:
    """True if no process of this number runs, whichever that is; one that is dead does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except (OSError, IndexError):
        return not may_live(str(pid))


def has_open(process: str, identity: tuple[int, int]) -> bool | None:
    """True if this process is seen to live, and to have a file of that identity open.

    False also from another pid namespace; None without /proc, where nobody can tell.
    """
    pid, _, start = process.partition(" ")
    if not start:
        return None
    if is_dead(process):
        return False
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                status = os.stat(f"/proc/{pid}/fd/{number}")
                if (status.st_dev, status.st_ino) == identity:
                    return True
    return False
