"""What users import is one flat set of names, which show where they are imported from."""

from __future__ import annotations

import pickle

import pytest

import mplogging

NAMES = sorted(mplogging.__all__)
CLASSES = [name for name in NAMES if isinstance(getattr(mplogging, name), type)]


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_shows_the_package(name):
    """In reprs, pickles, tracebacks and `help` it stands as it is imported."""
    public = getattr(mplogging, name)
    assert (public.__module__, public.__qualname__) == ("mplogging", name)
    assert pickle.loads(pickle.dumps(public)) is public


def test_an_error_travels_under_its_public_name():
    """A traceback, and a pickle for another process, say `mplogging.ConfigError`."""
    error = pickle.loads(pickle.dumps(mplogging.ConfigError("backupCount must be …")))
    assert type(error) is mplogging.ConfigError
    assert f"{type(error).__module__}.{type(error).__qualname__}" == "mplogging.ConfigError"


# What a class shows beside what `logging` or Python gives it: all that users need, and no more.
MEMBERS = {
    "DatedFileHandler": "activeFilename fileno formatter late lost open terminator waiting",
    "Entry": "created fields id levelname levelno message",
    "LogReader": "close cursor files",
    "LogSession": "activeFilename address dump flush initializer setLevel start stats stop wrap",
    "Missed": "bytes path why",
    "QueueHandler": "listener",
    "QueueListener": "stopTimeout",
    "RateLimit": "",
    "SessionStats": "bytes corrupt dropped failed incomplete late lost of records recovered"
    " unfinished workers",
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_help_shows_what_users_need(name):
    """What a class has for the package's own use begins with an underscore."""
    public = getattr(mplogging, name)
    others = [base for base in public.__mro__ if not base.__module__.startswith("mplogging")]
    shown = {member for member in dir(public) if not member.startswith("_")}
    shown = shown.difference(*map(vars, others))
    assert shown == set(MEMBERS.get(name, "").split())
