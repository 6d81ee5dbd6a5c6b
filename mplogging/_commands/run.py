"""What `python -m mplogging run` does: a program as it stands, with a session around it."""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import importlib.util
import os
import sys
import types
from collections.abc import Iterator, Sequence
from types import CodeType, TracebackType
from typing import Any, Callable

from .._errors import ConfigError
from .._session.session import LogSession, give_way
from .beside import keep_handlers

# Whose frames come before the program's own, and are not its business.
_OURS = ("mplogging", "importlib", "runpy")


def script_within(
    session: LogSession, script: str, arguments: Sequence[str]
) -> Callable[[], int]:
    """Begin the session; returns what runs the script as `python script.py args…` would.

    In this process; that returns its exit status.

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
        return lambda: 1
    if not _is_safe_path():
        sys.path[0] = os.path.dirname(path)
    sys.argv[:] = [script, *arguments]
    # Spawned children run this file again under another name, and so find its functions.
    module = _main(
        __file__=path,
        __loader__=importlib.machinery.SourceFileLoader("__main__", path),
        __spec__=None,
    )
    _begin(session)
    return functools.partial(_executed, lambda: (code, module))


def module_within(
    session: LogSession, name: str, arguments: Sequence[str]
) -> Callable[[], int]:
    """As `script_within`, for what `python -m name args…` would run.

    Raises:
        ConfigError: There is no such module, or the log can't be opened.
    """
    if not _is_safe_path():
        sys.path[0] = os.getcwd()  # as Python has it for -m, but not for a console script
    # Of a name with dots the parents are imported to find it: that is for the session.
    top = name.partition(".")[0]
    if not top or top not in sys.modules and importlib.util.find_spec(top) is None:
        raise ConfigError(f"module {name!r} is not to be found")
    sys.argv[:] = ["-m", *arguments]
    _begin(session)

    def find() -> tuple[CodeType, types.ModuleType]:
        spec, code = _found(name)
        sys.argv[0] = spec.origin or name
        module = _main(
            __file__=spec.origin,
            __cached__=spec.cached,
            __package__=spec.parent,
            __loader__=spec.loader,
            __spec__=spec,
        )
        return code, module

    return functools.partial(_executed, find)


def _is_safe_path() -> bool:
    return bool(getattr(sys.flags, "safe_path", sys.flags.isolated))


def _executed(find: Callable[[], tuple[CodeType, types.ModuleType]]) -> int:
    with _frames_of_the_program():
        code, module = find()
        exec(code, vars(module))
    return 0


def _found(name: str) -> tuple[importlib.machinery.ModuleSpec, CodeType]:
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ImportError(f"No module named {name}")
    if spec.submodule_search_locations is not None:
        return _found(f"{name}.__main__")
    code = getattr(spec.loader, "get_code", lambda name: None)(name)
    if code is None:
        raise ImportError(f"No code object available for {name}")
    return spec, code


def _main(**attributes: Any) -> types.ModuleType:
    """A fresh `__main__`."""
    module = types.ModuleType("__main__")
    vars(module).update(__builtins__=__builtins__, **attributes)
    sys.modules["__main__"] = module
    return module


def _begin(session: LogSession) -> None:
    give_way(session)
    session.start()  # it ends with the interpreter: threads of the program's may go on
    keep_handlers()
    if sys.stderr is not None:
        sys.stderr.write(f"mplogging: the log is {session.activeFilename}\n")


@contextlib.contextmanager
def _frames_of_the_program() -> Iterator[None]:
    """What is raised ends this process as it would without us, and shows no frame of ours."""
    try:
        yield
    except SystemExit:
        raise
    except BaseException as error:
        # Not only an Exception: of a KeyboardInterrupt, the interpreter makes the signal
        # that ends this process.
        raised, show = error, sys.excepthook

        def show_less(
            kind: type[BaseException], error: BaseException, trace: TracebackType | None
        ) -> None:
            if error is raised:
                trace = _without_ours(trace)
                error = error.with_traceback(trace)
            show(kind, error, trace)

        sys.excepthook = show_less
        raise


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    theirs = trace
    while theirs is not None and _is_ours(theirs):
        theirs = theirs.tb_next
    return theirs


def _is_ours(trace: TracebackType) -> bool:
    name = str(trace.tb_frame.f_globals.get("__name__"))
    is_entry = trace.tb_frame.f_code.co_filename in _ENTRIES  # they were `__main__` too
    return is_entry or name.partition(".")[0] in _OURS or name == "contextlib"


# `python -m mplogging`, and the console script, before it is put out of the program's sight.
_ENTRIES = (
    os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "__main__.py"),
    sys.argv[0],
)
