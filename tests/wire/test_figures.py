"""A session's figures: whole, or none at all."""

from __future__ import annotations

from mplogging._wire.figures import Figures

BEFORE = Figures(at=1_790_000_000, records=81_204, rate=2957.7, told=3, beside=1)
AFTER = Figures(at=1_790_000_001, records=84_162, rate=2958.1, told=3, beside=2)


def test_they_come_back():
    """As they were written; what follows is no part of them."""
    assert Figures.load(BEFORE.dump()) == BEFORE
    assert Figures.load(BEFORE.dump() + b"x") == BEFORE


def test_what_is_half_written_is_told():
    """Some bytes of those after over those before are neither; nor are too few."""
    before, after = BEFORE.dump(), AFTER.dump()
    assert len(before) == len(after)
    for written in range(len(before) + 1):
        mixed = after[:written] + before[written:]
        assert Figures.load(mixed) == {before: BEFORE, after: AFTER}.get(mixed)
        assert written == len(before) or Figures.load(before[:written]) is None
