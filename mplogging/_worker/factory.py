"""The record factory that the parent has set, in the processes that log."""

from __future__ import annotations

import logging
import os
import pickle
from typing import Any, Callable

from .._errors import tell

Factory = Callable[..., logging.LogRecord]


class FactoryPickle:
    """The present one, pickled each time that it is another."""

    def __init__(self) -> None:
        self._factory: Any = logging.LogRecord
        self._data: bytes | None = None

    def now(self) -> bytes | None:
        """None for the standard one, and for one that can't be pickled, which is told once."""
        factory: Any = logging.getLogRecordFactory()
        if factory is not self._factory:
            self._factory, self._data = factory, None
            if factory is not logging.LogRecord:
                self._data = _pickled(factory)
        return self._data


def _pickled(factory: Any) -> bytes | None:
    try:
        return pickle.dumps(factory)
    except Exception as error:
        tell(
            f"the record factory {factory!r} works in this process and in forked ones only,"
            f" since it can't be pickled: {error}",
            stacklevel=2,
        )
        return None


def use_factory(data: bytes | None) -> Factory:
    """Let this process make its records by it; returns the factory that it had."""
    before: Factory = logging.getLogRecordFactory()
    if data is not None:
        try:
            logging.setLogRecordFactory(pickle.loads(data))
        except Exception as error:
            tell(
                "the session's record factory is not to be had in process"
                f" {os.getpid()}: {error!r}",
                stacklevel=2,
            )
    return before
