"""Every example in the README runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import texts

README = Path(__file__).parent.parent / "README.rst"
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", re.MULTILINE)
EXAMPLES = [textwrap.dedent(block) for block in BLOCK.findall(README.read_text("utf-8"))]

# What each leaves in its logs, in the README's order: lines, and a word of one.
EXPECTED = [
    (1000, "square of 12 is 144"),
    (1, "DEBUG the session lasts"),
    (None, "ready for the second pool"),
    (None, "ZeroDivisionError"),
    (1, "hello from another program"),
    (3, "number 2"),
    (4, "app.db: number 2"),
    (3, "three"),
    (6, "995 more were held back within 60 s"),
    (10, "number 9"),
    (10, "number 9"),
    (1, "this line is in"),
]


def test_every_example_is_expected():
    """A new one gets a line above."""
    assert len(EXAMPLES) == len(EXPECTED)


@pytest.mark.parametrize("number", range(len(EXPECTED)))
def test_example(number, tmp_path):
    """It ends well, and what it says it logs is in the file."""
    (tmp_path / "example.py").write_text(EXAMPLES[number])
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "example.py"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (text,) = texts(tmp_path / "logs").values()
    lines, word = EXPECTED[number]
    assert word in text
    assert lines in (None, len(text.splitlines()))
