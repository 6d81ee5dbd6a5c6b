"""How often the kernel has killed for want of memory, in the cgroup of this process."""

from __future__ import annotations

import os

_ROOT, _OWN = "/sys/fs/cgroup", "/proc/self/cgroup"


def oom_kills(root: str = _ROOT, own: str = _OWN) -> int:
    """The count, 0 where nobody tells.

    Args:
        root: Where the cgroups are.
        own: What says which of them is ours.
    """
    try:
        with open(own, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                if not controllers:
                    count = _count(os.path.join(root, path.lstrip("/"), "memory.events"))
                elif "memory" in controllers.split(","):
                    folder = os.path.join(root, "memory", path.lstrip("/"))
                    count = _count(os.path.join(folder, "memory.oom_control"))
                else:
                    continue
                if count is not None:
                    return count
    except (OSError, ValueError):
        pass
    return 0


def _count(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            for line in file:
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    return int(value)
    except (OSError, ValueError):
        pass
    return None
