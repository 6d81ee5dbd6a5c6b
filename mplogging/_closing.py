"""Closing a descriptor that nothing more is expected of."""

from __future__ import annotations

import os

from ._errors import is_foreign


def close(descriptor: int) -> None:
    """Close it. Whatever the system says to that: the number is free then, for others too."""
    try:
        os.close(descriptor)
    except OSError as error:
        if is_foreign(error):
            raise
