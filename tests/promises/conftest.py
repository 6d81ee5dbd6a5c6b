"""The start methods of the promises' tests."""

from __future__ import annotations

import multiprocessing

import pytest
from conftest import SHORTLY


@pytest.fixture(params=SHORTLY)
def context(request):
    """A multiprocessing context of each start method in turn."""
    return multiprocessing.get_context(request.param)
