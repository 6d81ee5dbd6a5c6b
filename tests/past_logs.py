"""Logs to read back, written as a program writes them."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from mplogging import DatedFileHandler, LogReader

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# In the past, so that periods are over: 2026-11-24 10:00 UTC.
START = 1_795_514_400.0
HOUR = 3600.0


def record(created: float, msg: str = "", level: int = logging.INFO, **attributes):
    return logging.makeLogRecord({
        "created": created, "msecs": created % 1 * 1000, "msg": msg, "levelno": level,
        "levelname": logging.getLevelName(level), "name": "app", **attributes,
    })


def handler(directory: Path, form: str = FORMAT, **settings) -> DatedFileHandler:
    made = DatedFileHandler(
        directory / "app.log", **{"when": "H", "utc": True, "delay": True, **settings}
    )
    formatter = logging.Formatter(form)
    formatter.converter = time.gmtime
    made.setFormatter(formatter)
    return made


def write(to: DatedFileHandler, *records) -> None:
    for each in records:
        to.handle(each)
    to.close()


def messages(reader: LogReader) -> list[str]:
    return [entry.message for entry in reader]
