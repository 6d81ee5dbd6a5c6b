"""The bytes of one log file from an offset of its plain form on, whatever form it has by now."""

from __future__ import annotations

import contextlib
import importlib
import os
import struct
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from .._errors import ConfigError
from .._file.compression import ALGORITHMS, opener_of
from .files import Source

_BLOCK_BYTES = 1 << 20
_TRAILER = struct.Struct("<I")


class Opened(NamedTuple):
    """A file that is read."""

    file: IO[bytes]
    path: str
    is_sealed: bool  # nothing is added to it any more


@contextlib.contextmanager
def opened(source: Source) -> Iterator[Opened | None]:
    """The file, at its beginning; None if it is gone.

    Raises:
        ConfigError: There is nothing here that reads its compression.
        OSError: It can't be read.
    """
    with contextlib.ExitStack() as stack:
        yield _found(source, stack)


def _found(source: Source, stack: contextlib.ExitStack) -> Opened | None:
    # The compressed form gets its name before the plain one loses its own.
    for algorithm in ("", *ALGORITHMS):
        path = form(source.path, algorithm)
        try:
            plain = stack.enter_context(open(path, "rb", buffering=0, opener=_no_wait))
        except FileNotFoundError:
            continue
        if not algorithm:
            return Opened(plain, path, is_sealed=False)
        file: Any = stack.enter_context(_decompressing(algorithm, path, plain))
        return Opened(file, path, is_sealed=True)
    return None


def form(path: str, algorithm: str) -> str:
    """The name of a file's compressed form; "" is the plain one."""
    return f"{path}.{algorithm}" if algorithm else path


def is_there(source: Source) -> bool:
    """Has it any form?"""
    return any(os.path.lexists(form(source.path, algorithm)) for algorithm in ("", *ALGORITHMS))


def is_read_to(source: Source, offset: int) -> bool:
    """Whether a compressed file can be seen, without reading it, to end at this offset."""
    if source.compression != "gz" or offset <= 0:
        return False
    try:
        with open(form(source.path, "gz"), "rb", opener=_no_wait) as file:
            file.seek(-_TRAILER.size, os.SEEK_END)
            (size,) = _TRAILER.unpack(file.read(_TRAILER.size))
    except (OSError, struct.error):
        return False
    return bool(size == offset & 0xFFFFFFFF)


def _no_wait(path: str, flags: int) -> int:
    """An opener that waits for no pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _decompressing(algorithm: str, path: str, file: IO[bytes]) -> Any:
    try:
        return opener_of(algorithm)(file, "rb")
    except ConfigError:
        try:
            return importlib.import_module("zstandard").open(file, "rb")
        except ImportError:
            raise ConfigError(
                f"{path!r} can't be read here: that takes Python 3.14 or newer with"
                " compression.zstd, or the package zstandard"
            ) from None


def go_to(opened: Opened, offset: int) -> None:
    """Let what is read next be what stands at this offset of the plain form."""
    if not opened.is_sealed:
        opened.file.seek(offset)
        return
    while offset > 0 and (block := opened.file.read(min(offset, _BLOCK_BYTES))):
        offset -= len(block)
