"""What a worker needs to know of its session: as the session says it, and the worker reads it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any, NamedTuple

from .._file.handler import DatedFileHandler
from .._levels import Levels
from .companions import Companion
from .formatting import adopt
from .steering import Orders


class Config(NamedTuple):
    """What a worker needs to know of its session, besides its address."""

    # The pickled DatedFileHandler; None if there is none, or a worker can't make
    # its lines just as the session's own process would.
    file: bytes | None
    bare_file: bytes | None  # the same without formatter and filters, if there is one
    line_level: int  # the file's, which may change
    record_level: int  # from here on the record itself is wanted too
    drop_below: int  # records of lower levels are dropped if the journal is full
    capacity_bytes: int  # when that is
    bell: str  # path of the reader's bell
    process: str  # of the session, see `_wire.processes`
    captures_warnings: bool
    levels: Levels
    formatting: Mapping[str, bytes | None]  # as `formatting.changes` has it
    lanes: tuple[str, ...] = ()  # where the journals of further files are
    root_lanes: tuple[int, ...] = ()  # which of these files the root logger has
    tree: Mapping[str, Any] | None = None  # by name, a `tree.Branch`
    factory: bytes | None = None  # of records, pickled
    left_out: frozenset[str] = frozenset()  # of `fields.FIELDS`, what records do without
    orders: Orders = ()  # what `setLevel` of the session was given; `levels` is without
    companions: tuple[Companion, ...] = ()  # what goes with each process

    def has_file_of(self, other: Config) -> bool:
        """True if `load_file` of the other brings just what that of this one does."""
        return (
            self.file == other.file
            and self.bare_file == other.bare_file
            and self.formatting == other.formatting
        )

    def load_file(self) -> tuple[DatedFileHandler | None, bool]:
        """The file's handler as far as this process can have it; True if it makes lines."""
        if self.bare_file is None:
            return None, True
        file: DatedFileHandler
        if self.file is not None and adopt(self.formatting):
            try:
                file = pickle.loads(self.file)
                return file, True
            except Exception:
                pass  # its formatter's class is not to be found here: the listener has it
        file = pickle.loads(self.bare_file)
        return file, False


def pickled(file: DatedFileHandler) -> bytes | None:
    """The handler, if a worker can make its lines just as this process would."""
    if not file._makes_plain_lines:
        return None
    try:
        return pickle.dumps(file)
    except Exception:
        return None
