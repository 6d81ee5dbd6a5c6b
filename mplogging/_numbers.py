"""What counts as a number among arguments: `True` does not, though Python counts with it."""

from __future__ import annotations

import datetime
from typing import Any


def is_whole(value: Any, least: int = 0) -> bool:
    """True for an `int` of so much or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_seconds(value: Any) -> bool:
    """True for an `int` or `float` of 0 or more."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def seconds_of(value: Any) -> Any:
    """A timedelta in seconds; anything else as it is."""
    return value.total_seconds() if isinstance(value, datetime.timedelta) else value
