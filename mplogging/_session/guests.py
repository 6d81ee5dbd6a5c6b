"""Who looks on at every session of this process: `mplogging.testing`, for a test runner."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Guest(NamedTuple):
    """One who looks on."""

    # Gets each record of every process, as a handler beside the file does.
    onlooker: logging.Handler
    # Handlers that stay on the root logger, where they get this process's records at once.
    # A session neither takes them away nor adopts them; other processes never have them.
    residents: Callable[[], Sequence[logging.Handler]]
    # Of a session that the guest itself has begun: one within it does not adopt them.
    own: Callable[[], Sequence[logging.Handler]]


_guests: list[Guest] = []


def invite(guest: Guest) -> None:
    """From now on, sessions of this process begin with that one."""
    _guests.append(guest)


def dismiss(guest: Guest) -> None:
    """Sessions that begin from now on have it no more."""
    _guests.remove(guest)


def onlookers() -> list[logging.Handler]:
    """One for each guest."""
    return [guest.onlooker for guest in _guests]


def residents_among(handlers: Sequence[logging.Handler]) -> list[logging.Handler]:
    """Those of the handlers that are guests'."""
    return _common(handlers, [one for guest in _guests for one in guest.residents()])


def without_guests(handlers: Sequence[logging.Handler]) -> list[logging.Handler]:
    """Those of the handlers that are for a session to adopt."""
    own = [one for guest in _guests for one in guest.own()]
    left = [*residents_among(handlers), *_common(handlers, own)]
    return [one for one in handlers if not _common([one], left)]


def _common(
    handlers: Sequence[logging.Handler], others: Sequence[logging.Handler]
) -> list[logging.Handler]:
    return [one for one in handlers if any(one is other for other in others)]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_guests.clear)
