"""Patterns of file names: the few strftime directives that are all digits. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Callable

from .._errors import ConfigError

Token = tuple[str, str]  # a directive's letter and "", or "" and literal text

# How many digits each directive has; none of them depends on the locale.
DIGITS = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2, "j": 3, "G": 4, "V": 2, "u": 1}

# As `strftime` has them. That one is slow, does not pad a year below 1000 on Linux, and
# imports a module, which an interpreter that is ending no longer can; nor can it do more
# with a date than look at its fields (3.13.0 crashes).
_FIELDS: dict[str, Callable[[datetime], int]] = {
    "Y": lambda label: label.year,
    "y": lambda label: label.year % 100,
    "m": lambda label: label.month,
    "d": lambda label: label.day,
    "H": lambda label: label.hour,
    "M": lambda label: label.minute,
    "S": lambda label: label.second,
    "j": lambda label: label.toordinal() - date(label.year, 1, 1).toordinal() + 1,
    "G": lambda label: _iso_week(label)[0],
    "V": lambda label: _iso_week(label)[1],
    "u": lambda label: label.isoweekday(),
}


def _iso_week(label: datetime) -> tuple[int, int]:
    """Year and week: those that the week's Thursday is in."""
    thursday = label.toordinal() - label.isoweekday() + 4
    year = label.year + (label.month == 12 and thursday > date(label.year, 12, 31).toordinal())
    year -= thursday < date(year, 1, 1).toordinal()
    return year, (thursday - date(year, 1, 1).toordinal()) // 7 + 1


def tokens_of(pattern: str, argument: str) -> list[Token]:
    """The pattern, taken apart.

    Raises:
        ConfigError: It has a directive that we don't know; `argument` is to blame.
    """
    tokens = []
    for found in re.finditer(r"%(.?)|[^%]+", pattern, re.DOTALL):
        letter = found[1]
        if letter is None or letter == "%":
            tokens.append(("", letter or found[0]))
        elif letter in DIGITS:
            tokens.append((letter, ""))
        else:
            supported = " ".join(f"%{directive}" for directive in DIGITS)
            raise ConfigError(
                f"{argument} has {found[0]!r} in {pattern!r}: "
                f"use {supported}, and %% for a percent sign"
            )
    return tokens


def name_of(tokens: list[Token], label: datetime = datetime.min) -> str:
    """The name of this date."""
    return "".join(
        str(_FIELDS[directive](label)).zfill(DIGITS[directive]) if directive else text
        for directive, text in tokens
    )


def regex_of(tokens: list[Token]) -> str:
    """What matches these names; a directive met again must have the same digits."""
    met: set[str] = set()
    regex = ""
    for directive, text in tokens:
        if not directive:
            regex += re.escape(text)
        elif directive in met:
            regex += f"(?P={directive})"
        else:
            met.add(directive)
            regex += f"(?P<{directive}>[0-9]{{{DIGITS[directive]}}})"
    return regex
