"""What is to be done in a forked child with what it has from its parent.

One hook does it all, and looks at nothing else: each page that a child writes to is copied,
and reference counts make it write to whatever it calls.
"""

from __future__ import annotations

import os
import weakref
from typing import Any, Callable, TypeVar

_Thing = TypeVar("_Thing")
_things: dict[int, tuple[weakref.ref[Any], Callable[[Any], object]]] = {}


def see_to_forks(thing: _Thing, step: Callable[[_Thing], object]) -> None:
    """In each forked child, call `step` with this thing, if it is there by then."""
    key = id(thing)
    _things[key] = weakref.ref(thing, lambda _: _things.pop(key, None)), step


def _after_fork() -> None:
    for reference, step in list(_things.values()):
        thing = reference()
        if thing is not None:
            step(thing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
