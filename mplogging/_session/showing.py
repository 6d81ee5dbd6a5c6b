"""Lets others see what a session does, without a word to it: `mplogging sessions`, `top`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from time import monotonic

from .._errors import MPLoggingError
from .._wire.figures import Figures, write_figures
from .lane import Lane
from .outputs import Outputs

# Less than an idle listener sleeps, so that it is time each time that it wakes.
_EVERY_SECONDS = 0.9


class ShownFigures:
    """Writes the session's figures into its directory, in the listener's thread.

    Once in a while, and only if they have changed: an idle session writes nothing. The
    first are written after that while, so that a short session has no work with it.

    Args:
        lanes: What is counted; the first one's directory has the figures.
    """

    def __init__(self, lanes: Sequence[Lane], outputs: Outputs) -> None:
        self._lanes = lanes
        self._outputs = outputs
        self._looked = monotonic()
        self._last: Figures | None = None
        self._records = 0

    def see_to(self) -> None:
        """Write them, if it is time, and if they are others."""
        now = monotonic()
        passed = now - self._looked
        if passed < _EVERY_SECONDS:
            return
        self._looked = now
        figures = self._figures(passed)
        self._records = figures.records
        last = self._last
        if last is not None and figures._replace(at=last.at) == last:
            return
        # A failure harms nobody: the next figures are tried again.
        with contextlib.suppress(OSError, MPLoggingError):
            for place in self._lanes[0].places()[-1:]:  # none over a queue
                if place.is_there():  # else its descriptor may be another's by now
                    write_figures(place, figures)
            self._last = figures

    def _figures(self, passed: float) -> Figures:
        # One count at a time: other lanes' threads add to theirs meanwhile.
        counts = [lane.delivery.counts for lane in self._lanes]
        records = sum(count["records"] for count in counts)
        files = [file for file in self._outputs.files if file is not None]
        sidelines = self._outputs.all_sidelines()
        return Figures(
            at=int(time.time()),
            records=records,
            rate=max(0, records - self._records) / passed,
            told=sum(count["dropped"] + count["lost"] for count in counts),
            beside=sum(one.dropped for one in sidelines) + sum(file.lost for file in files),
        )
