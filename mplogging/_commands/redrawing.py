"""Lines that come again and again: on a terminal over those before, else as further blocks."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence

_UP = "\x1b[{}A"
_REST_OF_LINE, _REST_OF_SCREEN = "\x1b[K", "\x1b[J"


class Redrawing:
    """Draws them on stdout.

    Args:
        is_plain: Also on a terminal one after the other, and nothing between them.
    """

    def __init__(self, is_plain: bool = False) -> None:
        self._is_plain = is_plain
        self._is_terminal = (
            not is_plain and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        )
        self._count = 0  # of the lines drawn last

    def draw(self, lines: Sequence[str]) -> None:
        """Draw these."""
        if self._is_terminal:
            self._draw_over(lines)
        else:
            if self._count and not self._is_plain:
                print()
            for line in lines:
                print(line)
            self._count = len(lines)
        sys.stdout.flush()

    def _draw_over(self, lines: Sequence[str]) -> None:
        # One that wraps, or scrolls away, could not be found again. The last row is the cursor's.
        width, height = shutil.get_terminal_size()
        if len(lines) >= height:
            kept = max(0, height - 2)
            lines = [*lines[:kept], f"… and {len(lines) - kept} more lines"]
        up = _UP.format(self._count) if self._count else ""
        text = "".join(f"{line[: width - 1]}{_REST_OF_LINE}\n" for line in lines)
        encoding = sys.stdout.encoding or "utf-8"
        text = text.encode(encoding, "replace").decode(encoding)
        self._count = len(lines)
        sys.stdout.write(f"{up}\r{text}{_REST_OF_SCREEN}")
