"""What users import is one flat set of names, which show where they are imported from."""

from __future__ import annotations

import pickle

import pytest

import mplogging

NAMES = sorted(mplogging.__all__)


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
