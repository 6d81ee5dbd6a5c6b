"""A session's figures, for who looks at it from outside: a small file in its directory.

Its reader writes them in place, over those before. Who looks takes no lock and asks for
nothing; a sum over all tells figures of which only a part is written yet.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import NamedTuple

from .._closing import close
from .._errors import UnsafeSessionError
from .place import FIGURES, Place

_MAGIC = b"mplfigs1"
_FIGURES = struct.Struct("<8sQQdQQ")
_SUM = struct.Struct("<I")
_BYTES = _FIGURES.size + _SUM.size
_TRIES = 3  # to meet them whole


class Figures(NamedTuple):
    """What only the reader knows."""

    at: int  # when they were made: unix seconds
    records: int  # written, to all files of the session
    rate: float  # of them, a second
    told: int  # records that were dropped, by what the processes have told so far
    beside: int  # further ones: a handler was too slow, or there was no memory for them

    def dump(self) -> bytes:
        """As they stand in the file."""
        data = _FIGURES.pack(_MAGIC, *self)
        return data + _SUM.pack(zlib.crc32(data))

    @classmethod
    def load(cls, data: bytes) -> Figures | None:
        """From what stands in the file; None if that is not whole, or another version's."""
        if len(data) < _BYTES or data[: len(_MAGIC)] != _MAGIC:
            return None
        if _SUM.unpack_from(data, _FIGURES.size)[0] != zlib.crc32(data[: _FIGURES.size]):
            return None
        return cls(*_FIGURES.unpack_from(data)[1:])


def write_figures(place: Place, figures: Figures) -> None:
    """Write them over those before.

    Raises:
        OSError, UnsafeSessionError: They can't be written.
    """
    # Opened each time: a descriptor that is kept may be closed by the program, as by daemons.
    descriptor = place.open_file(FIGURES, os.O_WRONLY | os.O_CREAT)
    try:
        os.pwrite(descriptor, figures.dump(), 0)
    finally:
        close(descriptor)


def read_figures(place: Place) -> Figures | None:
    """What was written last; None if there is nothing yet."""
    for _ in range(_TRIES):
        try:
            figures = Figures.load(place.read(FIGURES))
        except (OSError, UnsafeSessionError):
            return None
        if figures is not None:
            return figures
    return None
