"""A session's directory for the tests of this wing."""

from __future__ import annotations

import pytest

from mplogging._wire.place import Place
from mplogging._wire.where import make_place


@pytest.fixture
def place(tmp_path) -> Place:
    """As its maker has it, whose is the reader's lock."""
    made = make_place([str(tmp_path)])
    yield made
    made.remove()
    made.close()
