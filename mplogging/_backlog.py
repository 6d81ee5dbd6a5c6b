"""Lines that wait in memory for a disk that is full, or otherwise refuses them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

# Seconds between two attempts while writing fails.
_RETRY_INTERVAL = 0.5


class Backlog:
    """What could not be written yet, oldest first.

    Args:
        limit_bytes: How much may wait while writing fails. What comes beyond it
            is counted in `lost`.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.clear()

    def clear(self) -> None:
        """Forget everything: it belongs to another process."""
        self.waiting: deque[tuple[float, Sequence[bytes]]] = deque()
        self.lost = 0
        self.cause: BaseException | None = None  # why writing fails, None if it doesn't
        self._waiting_bytes = 0  # kept only while writing fails
        self._retry_at = 0.0

    def count(self) -> int:
        """How many lines wait."""
        return sum(len(chunks) for _, chunks in self.waiting)

    def add(self, created: float, chunks: Sequence[bytes]) -> None:
        """Keep the chunks as the newest, as far as there is room for them."""
        if self.cause is not None:
            chunks = self._fitting(chunks)
        if chunks:
            self.waiting.append((created, chunks))

    def failed(self, cause: BaseException) -> bool:
        """Writing failed; True if this begins an incident, worth one report."""
        is_new, self.cause = self.cause is None, cause
        self._retry_at = time.monotonic() + _RETRY_INTERVAL
        if is_new:
            self._waiting_bytes = 0
            waiting, self.waiting = self.waiting, deque()
            for created, chunks in waiting:
                self.add(created, chunks)
        return is_new

    def written(self, rest: Sequence[bytes] = ()) -> None:
        """The oldest entry is in the file, but for `rest`."""
        created, chunks = self.waiting.popleft()
        self._waiting_bytes -= sum(map(len, chunks)) - sum(map(len, rest))
        if rest:
            self.waiting.appendleft((created, rest))

    def is_resting(self) -> bool:
        """True while it is too early to try again."""
        return self.cause is not None and time.monotonic() < self._retry_at

    def _fitting(self, chunks: Sequence[bytes]) -> Sequence[bytes]:
        count = 0
        for chunk in chunks:
            if self._waiting_bytes + len(chunk) > self._limit_bytes:
                self.lost += len(chunks) - count
                return chunks[:count]
            self._waiting_bytes += len(chunk)
            count += 1
        return chunks
