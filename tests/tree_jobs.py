"""What tests of the logging tree run in workers."""

from __future__ import annotations

import logging


def say_at(*jobs):
    """Log each text to the logger of its name, at its level."""
    for name, level, text in jobs:
        logging.getLogger(name or None).log(level, text)
