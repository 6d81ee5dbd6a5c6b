"""`multiprocessing`, and what it has been forked into."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from typing import Any, Callable

_FORKED = ("multiprocess", "billiard")
PACKAGES = ("multiprocessing", *_FORKED)
_UTIL = "multiprocessing.util"
_PROCESSES = [f"{package}.process" for package in PACKAGES]


def process_modules() -> Iterator[Any]:
    """`multiprocessing.process`, and that of each fork of it, as far as they are loaded."""
    for name in _PROCESSES:
        module = sys.modules.get(name)
        if module is not None:
            yield module


def multiprocessing_utils() -> list[Any]:
    """That of `multiprocessing`, and of each fork of it that has one of its own."""
    utils = [multiprocessing_util()]
    for package in _FORKED:
        util: Any = sys.modules.get(f"{package}.util")
        if hasattr(util, "Finalize") and util.Finalize is not utils[0].Finalize:
            utils.append(util)
    return utils


def multiprocessing_util() -> Any:
    """The module."""
    if (util := sys.modules.get(_UTIL)) is None:
        util = importlib.import_module(_UTIL)  # loads `subprocess`: not for an import of ours
    return util


class ImportWatch:
    """Lets a package be served that is imported only later.

    Args:
        see: Looks what there is to be served. It may find a package half imported.
    """

    def __init__(self, see: Callable[[], object]) -> None:
        self._see = see

    def begin(self) -> None:
        """Look, and from now on at each import."""
        self.find_spec("")
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def end(self) -> None:
        """No more."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Find nothing, but look.

        It is asked for each module, and so at the latest for the one that makes processes
        out of what the package has given them.
        """
        with contextlib.suppress(Exception):  # lest somebody's import fail for that
            self._see()
