"""What `DatedFileHandler` takes beside a filename, for type checkers and editors.

`LogSession` passes it on. A test compares it with the handler's own arguments.
"""

from __future__ import annotations

import datetime
import os
from typing import Literal, TypedDict, Union

Compress = Literal["gz", "zst"]
Newlines = Literal["keep", "escape", "indent"]
Lock = Union[bool, Literal["exclusive"]]


class FileOptions(TypedDict, total=False):
    """Its keyword arguments, each with the meaning that it has there."""

    when: str
    interval: int
    backupCount: int
    encoding: str | None
    delay: bool
    utc: bool
    atTime: datetime.time | None
    errors: str | None
    suffix: str | None
    maxAge: float | datetime.timedelta
    maxTotalBytes: int
    maxBytes: int
    compress: Compress | None
    compressAfter: float
    symlink: bool | str | os.PathLike[str]
    mode: int | None
    dirMode: int | None
    lock: Lock
    lockTimeout: float
    bufferBytes: int
    newlines: Newlines
