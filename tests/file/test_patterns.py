"""Dates in names: as strftime would write them."""

from __future__ import annotations

import datetime
import random

from mplogging._file.patterns import DIGITS, name_of


def test_as_strftime_has_it():
    """Every directive, on the days around each new year and on any other."""
    choose = random.Random(1)
    days = [
        datetime.datetime(year, 1, 1) + datetime.timedelta(days)
        for year in range(1900, 2200) for days in range(-7, 8)
    ]  # fmt: skip
    days += [datetime.datetime(1000, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59)]
    for _ in range(2000):
        year, month, day = choose.randrange(1000, 10_000), choose.randrange(1, 13), 28
        days.append(datetime.datetime(year, month, day, *map(choose.randrange, (24, 60, 60))))
    pattern = " ".join(f"%{directive}" for directive in DIGITS)
    tokens = [(directive, "") for directive in " ".join(DIGITS)]
    tokens = [token if token[0] != " " else ("", " ") for token in tokens]
    for day in days:
        assert name_of(tokens, day) == day.strftime(pattern)
