"""The table of recipes, the programs and the tests of them are complete."""

from __future__ import annotations

import re
from pathlib import Path

from integrations.recipes import PACKAGE, RECIPES

NAMES = {path.name for path in RECIPES.glob("*.py")}
DOCS = PACKAGE / "docs"


def test_every_recipe_is_in_the_table():
    """Which leads to no other file."""
    links = re.findall(r"<recipes/(\S+)>`_", (DOCS / "recipes.rst").read_text("utf-8"))
    assert sorted(links) == sorted(NAMES)


def test_every_recipe_is_run():
    """By a test that names it."""
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert {name for name in NAMES if f'"{name}"' not in tests} == set()


def test_every_recipe_is_short():
    """At most 30 lines, without those that are blank."""
    texts = {name: (RECIPES / name).read_text("utf-8").splitlines() for name in NAMES}
    lengths = {name: len([line for line in text if line]) for name, text in texts.items()}
    assert {name: length for name, length in lengths.items() if length > 30} == {}
