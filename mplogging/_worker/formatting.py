"""What a program has changed on `logging.Formatter` itself, from one process into another.

A forked process has it, a spawned one may not: lines of one file shall have one form.
"""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Mapping
from typing import Any

from .._file.standard import is_original

_METHODS = ("format", "formatTime", "formatMessage", "formatException", "formatStack", "usesTime")
# As every version of Python has them.
_ATTRIBUTES = {
    "converter": time.localtime,
    "default_time_format": "%Y-%m-%d %H:%M:%S",
    "default_msec_format": "%s,%03d",
}


def changes() -> dict[str, bytes | None]:
    """What is not the standard library's here, pickled; None for what can't be."""
    return {name: _pickled(value) for name, value in _changed().items()}


def _changed() -> dict[str, Any]:
    own = vars(logging.Formatter)
    return {
        name: own[name]
        for name in (*_METHODS, *_ATTRIBUTES)
        if name in own and not _is_standard(name, own[name])
    }


def _is_standard(name: str, value: object) -> bool:
    if name in _ATTRIBUTES:
        return bool(value == _ATTRIBUTES[name])
    return is_original(logging.Formatter, name)


def _pickled(value: object) -> bytes | None:
    try:
        return pickle.dumps(value)
    except Exception:
        return None


def adopt(changes: Mapping[str, bytes | None]) -> bool:
    """Have them here too, but for what this process has changed by itself.

    Returns:
        False if one of them can't be had, which then holds for all.
    """
    here = _changed()
    missing = {name: data for name, data in changes.items() if name not in here}
    try:
        values = {name: pickle.loads(data or b"") for name, data in missing.items()}
    except Exception:
        return False
    for name, value in values.items():
        setattr(logging.Formatter, name, value)
    return True
