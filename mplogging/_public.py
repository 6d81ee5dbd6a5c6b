"""What users meet, they meet as `mplogging.NAME`, whatever room it was made in."""

from __future__ import annotations

from typing import Any, TypeVar

_Public = TypeVar("_Public", bound=Any)


def public(thing: _Public) -> _Public:
    """Let it stand under its public name in reprs, pickles, tracebacks and `help`."""
    thing.__module__ = __name__.partition(".")[0]
    return thing
