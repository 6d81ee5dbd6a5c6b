"""System calls that fail when they are told to."""

from __future__ import annotations

import types
from typing import Any, Callable


def as_the_system(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose errors count as the system's and not as a signal handler's."""
    return types.FunctionType(
        function.__code__,
        {**function.__globals__, "__name__": "mplogging"},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )


def failing(code: int) -> Callable[..., Any]:
    """Fails with this errno whatever it is called with."""

    @as_the_system
    def fail(*arguments: object, **options: object) -> Any:
        raise OSError(code, "injected")

    return fail
