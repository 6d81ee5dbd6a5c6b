"""What tests of the logging tree run in workers."""

from __future__ import annotations

import logging
import time


def say_at(*jobs):
    """Log each text to the logger of its name, at its level."""
    for name, level, text in jobs:
        logging.getLogger(name or None).log(level, text)


def at_the_epoch(formatter, seconds):
    """A `converter` for `logging.Formatter`."""
    return time.gmtime(0)


def last_line_only(formatter, exception):
    """A `formatException` for it."""
    return f"{type(exception[1]).__name__}!"


def fail():
    """Log an exception."""
    try:
        raise LookupError("lost")
    except LookupError:
        logging.exception("failed")
