"""Whether this interpreter is the first of its process, which has the signals and the output."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module


def _is_beside_others() -> bool:
    with contextlib.suppress(ImportError):
        is_new = sys.version_info >= (3, 13)
        interpreters = import_module("_interpreters" if is_new else "_xxsubinterpreters")
        return bool(interpreters.get_current() != interpreters.get_main())
    return False


IS_BESIDE_OTHERS = _is_beside_others()
