"""What the tests of this wing let other processes do; importable under any start method."""

from __future__ import annotations

import logging
import os

from mplogging import DatedFileHandler

NOON = 1_000_000_000.0
NAME = "app.log.2001-09-09"


def end_while_lines_wait(directory, is_there_room):
    """A directory stands where the file belongs; before the end it goes, or stays."""
    handler = DatedFileHandler(os.path.join(directory, "app.log"), utc=True, delay=True)
    os.mkdir(os.path.join(directory, NAME))
    for text in ("one", "two"):
        handler.handle(logging.makeLogRecord({"msg": text, "created": NOON}))
    if is_there_room:
        os.rmdir(os.path.join(directory, NAME))
