"""What is to be undone, the last first, whatever happens meanwhile."""

from __future__ import annotations

from typing import Callable

Step = Callable[[], object]


class Undo:
    """Steps that undo what has been set up.

    Each is registered before what it undoes is done, finds out by itself how far that
    came, and may be taken twice: so an exception that a signal handler raises, at
    whatever line, leaves nothing behind.
    """

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def push(self, step: Step) -> None:
        """This will have to be undone, before all that was registered until now."""
        self._steps.append(step)

    def run(self, when_interrupted: Callable[[], None] = lambda: None) -> None:
        """Take all steps.

        A step that raises is taken once more, since it may have been interrupted.

        Args:
            when_interrupted: Is called before that.

        Raises:
            BaseException: The first that a step has raised, after all have been taken.
                It keeps its context, so it hides no exception that led here.
        """
        first: BaseException | None = None
        step: Step | None = None
        last_failed: Step | None = None
        while self._steps:
            try:
                step = self._steps[-1]
                step()
                self._steps.pop()
            except BaseException as error:
                first = first or error
                if step is not None and last_failed is step:
                    self._steps.pop()
                else:
                    when_interrupted()
                last_failed = step
        if first is not None:
            raise first
