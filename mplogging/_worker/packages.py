"""`multiprocessing`, and what it has been forked into."""

from __future__ import annotations

import importlib
import sys
from typing import Any

FORKED_PACKAGES = ("multiprocess", "billiard")
_UTIL = "multiprocessing.util"


def multiprocessing_utils() -> list[Any]:
    """That of `multiprocessing`, and of each fork of it that has one of its own."""
    utils = [multiprocessing_util()]
    for package in FORKED_PACKAGES:
        util: Any = sys.modules.get(f"{package}.util")
        if hasattr(util, "Finalize") and util.Finalize is not utils[0].Finalize:
            utils.append(util)
    return utils


def multiprocessing_util() -> Any:
    """The module."""
    if (util := sys.modules.get(_UTIL)) is None:
        util = importlib.import_module(_UTIL)  # loads `subprocess`: not for an import of ours
    return util
