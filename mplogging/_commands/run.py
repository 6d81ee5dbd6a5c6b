"""What `python -m mplogging run` does: a program as it stands, with a session around it."""

from __future__ import annotations

import functools
import importlib.machinery
import logging
import os
import sys
import types
from collections.abc import Sequence
from typing import Any

from .._errors import ConfigError
from .._session.session import LogSession


def run(session: LogSession, script: str, arguments: Sequence[str]) -> int:
    """Run the script as `python script.py args…` would, in this process; returns its status.

    Raises:
        ConfigError: The script, or the log, can't be opened.
    """
    path = os.path.abspath(script)
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
    except OSError as error:
        raise ConfigError(f"script {script!r} can't be read: {error.strerror}") from error
    except (SyntaxError, ValueError) as error:
        sys.excepthook(type(error), error.with_traceback(None), None)
        return 1
    module = types.ModuleType("__main__")
    # Spawned children run this file again under another name, and so find its functions.
    vars(module).update(__file__=path, __builtins__=__builtins__, __spec__=None)
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    vars(module)["__loader__"] = loader
    sys.modules["__main__"] = module
    sys.argv[:] = [script, *arguments]
    sys.path[0] = os.path.dirname(path)
    session.start()  # it ends with the interpreter: threads of the script's may go on
    _keep_handlers()
    try:
        exec(code, vars(module))
    except Exception as error:
        # The traceback that the script would have shown, without our frame.
        traceback = error.__traceback__ and error.__traceback__.tb_next
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        return 1
    return 0


def _keep_handlers() -> None:
    """Let the session stay on the root logger, whatever handlers the script sets up beside it.

    `dictConfig` and `basicConfig(force=True)` begin by removing all that are
    there, and `basicConfig` does nothing where there are any.
    """
    root = logging.getLogger()
    ours, remove, configure = root.handlers[:], root.removeHandler, logging.basicConfig

    def remove_others(handler: logging.Handler) -> None:
        if handler not in ours:
            remove(handler)

    @functools.wraps(configure)
    def configure_beside(**arguments: Any) -> None:
        root.handlers = [handler for handler in root.handlers if handler not in ours]
        try:
            configure(**arguments)
        finally:
            root.handlers = [*ours, *root.handlers]

    root.removeHandler = remove_others  # type: ignore[assignment]
    logging.basicConfig = configure_beside
