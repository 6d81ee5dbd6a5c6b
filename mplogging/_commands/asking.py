"""What a command wants of a running session, and what it prints of the answer."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from .._errors import ConfigError
from .._wire.place import Place
from .._wire.requests import ask
from .finding import the_session

_TIMEOUT = 5.0


def ask_session(target: str | None, wanted: Mapping[str, Any]) -> int:
    """Ask for it, and print what the session says; returns the exit status.

    Args:
        target: As `the_session` has it.

    Raises:
        ConfigError: There is no such session, or it refuses.
    """
    found = the_session(target)
    try:
        place = Place.open(found.address)
        try:
            answer = ask(place, found.bell, wanted, _TIMEOUT)
        finally:
            place.close()
    except FileNotFoundError as error:
        raise ConfigError(f"the session has just ended: {found}") from error
    if answer is None:
        print(f"the session did not answer: {found}", file=sys.stderr)
        return 1
    if "error" in answer:
        raise ConfigError(answer["error"])
    print(answer["done"])
    return 0
