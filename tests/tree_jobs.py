"""What tests of the logging tree run in workers."""

from __future__ import annotations

import logging


def say_at(*jobs):
    """Log each text to the logger of its name, at its level."""
    for name, level, text in jobs:
        logging.getLogger(name or None).log(level, text)


def _stream_to(path):
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def set_up_and_say(name, path, text):
    """As a module does that sets up its logger when it is imported."""
    logging.getLogger(name).addHandler(_stream_to(path))
    logging.getLogger(name).warning(text)


class OnlyOf:
    """A filter that can be pickled."""

    def __init__(self, word):
        self.word = word

    def filter(self, record):
        return self.word in record.getMessage()


def say_many(count):
    for number in range(count):
        logging.info("%d", number)
