"""The tables that the README and the documentation show, written anew from what was measured.

Between `.. benchmarks: begin` and `.. benchmarks: end`, everything is ours.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable

from . import report
from .launch import ROOT
from .results import Results

PAGES: dict[str, Callable[[Results], str]] = {
    "README.rst": report.short,
    "mplogging/docs/speed.rst": report.rst,
}
OURS = re.compile(r"(^\.\. benchmarks: begin\n)(.*?)(^\.\. benchmarks: end\n)", re.M | re.S)


def refresh(results: Results, root: Path = ROOT) -> list[Path]:
    """Write each page's table, for which it has one place; returns the pages' paths."""
    for name, made in PAGES.items():
        page = root / name
        before, begin, _, end, after = OURS.split(page.read_text(encoding="utf-8"))
        text = "\n".join([before + begin, made(results), "", end + after])
        page.write_text(text, encoding="utf-8")
    return [root / name for name in PAGES]
