"""The ways into a worker: what is pickled in the parent attaches the process that loads it."""

from __future__ import annotations

import functools
import importlib
import logging
import os
import sys
from typing import Any, Callable, Generic, TypeVar, cast, overload

from .._errors import SessionClosedError, tell
from .._levels import check_level
from .._public import public
from .attaching import attach, attached, present_address, stay_attached
from .channels import QueueAddress
from .successors import Successors

# CO_GENERATOR, CO_COROUTINE and CO_ASYNC_GENERATOR of `inspect`, a quarter of our import time.
_LATER = 0x20 | 0x80 | 0x200

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Result = TypeVar("_Result")


def attach_if_possible(address: str | QueueAddress | None, process: str | None = None) -> None:
    """`attach`, for where an error would do more harm than a process that isn't attached.

    A pool whose initializer raises starts workers without end. Without an address,
    nothing is done.

    Args:
        process: In which the session was, see `_wire.processes`. It may have begun its next
            one by now: a pool may be ready before all of its workers are.
    """
    if address is None:
        return
    try:
        try:
            attach(address)
        except SessionClosedError:
            following = _following(address, process)
            if following is None:
                raise
            attach(following)
    except Exception as error:
        tell(f"process {os.getpid()} does not log to the session: {error}", stacklevel=2)


def _following(address: str | QueueAddress, process: str | None) -> str | None:
    """The address of the session that this process has after that one, if there is one."""
    if isinstance(address, QueueAddress) or process is None:
        return None
    return Successors(address, process).address()


def _pass_for(wrapper: Any, function: Callable[..., Any]) -> None:
    """Let the wrapper show the function's names; one without any, a `partial` say, its type's.

    To be called before the wrapper's own attributes are set, which may have a name that an
    attribute of the function's has too.
    """
    functools.update_wrapper(wrapper, function)
    for name in ("__name__", "__qualname__"):
        if not hasattr(function, name):
            setattr(wrapper, name, getattr(type(function), name))


class Initializer:
    """Lets a pool's workers log to the session."""

    def __init__(self, address: str | QueueAddress) -> None:
        self.address = address
        # As a function has them: not only Ray asks a hook for its name.
        self.__name__, self.__qualname__ = "initializer", "LogSession.initializer"
        self.__module__ = __name__.partition(".")[0]
        self.__doc__ = type(self).__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        attach_if_possible(self.address)

    def __reduce__(self) -> Any:
        return Initializer, (present_address(self.address),)


class Wrapped(Generic[_Result]):
    """What `session.wrap` returns."""

    def __init__(self, address: str | QueueAddress, function: Callable[..., _Result]) -> None:
        _pass_for(self, function)
        self.address = address
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> _Result:
        attach_if_possible(self.address)
        result = self.function(*args, **kwargs)
        stay_attached()  # it may have set up logging for this process
        return result

    def __reduce__(self) -> Any:
        return Wrapped, (present_address(self.address), self.function)


# -- the decorator --------------------------------------------------------------------


class Worker(Generic[_Result]):
    """A worker function that attaches its process, wherever it arrives pickled."""

    def __init__(self, function: Callable[..., _Result], logger: str | None, level: int) -> None:
        _pass_for(self, function)
        self._function = function
        self._logger = logger
        self._level = level
        self._told = f"{self.__module__}.{self.__qualname__}"  # type: ignore[attr-defined]

    def __call__(self, *args: Any, **kwargs: Any) -> _Result:
        attachment = attached()
        before = "" if attachment is None else attachment.do(self._told)
        try:
            return self._function(*args, **kwargs)
        except Exception as error:
            if attached() is not None:
                self._log(error)
            raise
        finally:
            if attachment is not None:
                attachment.do(before)

    def _log(self, error: Exception) -> None:
        # Once, however many decorated functions it passes through.
        if getattr(error, "_mplogging_logged", False):
            return
        function = self._function  # a `functools.partial`, say, has neither of these names
        name = self._logger or getattr(function, "__module__", None)
        told = getattr(function, "__qualname__", function)
        logging.getLogger(name).log(
            self._level, "uncaught exception in %s", told, exc_info=error
        )
        try:
            error._mplogging_logged = True  # type: ignore[attr-defined]
        except AttributeError:
            pass

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else _Method(self, instance)

    def __reduce__(self) -> Any:
        function, address = self._function, _current_address()
        try:
            name = function.__module__, function.__qualname__
            if _found(*name) is self:
                return _load_worker, (address, *name)
        except (ImportError, AttributeError):
            pass
        # `worker(f)` under another name; of a lambda, pickling says what it always says.
        return _make_worker, (address, function, self._logger, self._level)

    def __repr__(self) -> str:
        return f"<mplogging.worker {self._function!r}>"


class _Method:
    """A decorated function, bound to an instance."""

    def __init__(self, function: Worker[Any], instance: object) -> None:
        functools.update_wrapper(self, function)
        self.__func__ = function
        self.__self__ = instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(self.__self__, *args, **kwargs)

    @property
    def __signature__(self) -> Any:
        import inspect  # a quarter of our import time, for what few ask

        whole = inspect.signature(self.__func__)
        return whole.replace(parameters=list(whole.parameters.values())[1:])

    def __reduce__(self) -> Any:
        name: str = self.__name__  # type: ignore[attr-defined]
        return _load_method, (_current_address(), self.__self__, name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Method):
            return NotImplemented
        return self.__self__ is other.__self__ and self.__func__ is other.__func__

    def __hash__(self) -> int:
        return hash((id(self.__self__), self.__func__))


def _current_address() -> str | None:
    attachment = attached()
    # A queue travels to a process that is being started, and at no other time.
    if attachment is None or isinstance(attachment.address, QueueAddress):
        return None
    address = present_address(attachment.address)
    assert isinstance(address, str)
    return address


def _load_worker(address: str | None, module: str, qualname: str) -> Any:
    attach_if_possible(address)
    try:
        return _found(module, qualname)
    except (ImportError, AttributeError) as error:
        raise type(error)(
            f"{error}: a function that @mplogging.worker decorates is looked up by its name in"
            " the process that it comes to. Where functions of __main__ travel by value, as with"
            " loky, let it stand in a module, or give the pool session.initializer instead"
        ) from error


def _make_worker(
    address: str | None, function: Callable[..., Any], logger: str | None, level: int
) -> Worker[Any]:
    attach_if_possible(address)
    return Worker(function, logger, level)


def _found(module: str, qualname: str) -> Any:
    found: Any = sys.modules.get(module) or importlib.import_module(module)
    for name in qualname.split("."):
        found = getattr(found, name)
    return found


def _load_method(address: str | None, instance: object, name: str) -> Any:
    attach_if_possible(address)
    return getattr(instance, name)


@overload
def worker(function: _Function) -> _Function: ...


@overload
def worker(
    *, logger: str | None = None, level: int | str = logging.ERROR
) -> Callable[[_Function], _Function]: ...


@public
def worker(
    function: Any = None, *, logger: str | None = None, level: int | str = logging.ERROR
) -> Any:
    """Decorator for functions that run in worker processes: no initializer needed.

    When the function is pickled in the session's process, for `pool.map` and the
    like, it carries the session's address; the process that it arrives in is
    attached before the call. An exception that it does not catch is logged with
    its traceback, in the process where it happened, and raised again. Outside
    any session, it is the plain function.

    Args:
        logger: Name of the logger for exceptions; by default the function's module.
        level: Their level.

    Raises:
        ConfigError: There is no such level.
        TypeError: `function` can't be called, or has done nothing yet when it
            returns, as a coroutine function or a generator.
    """
    number = check_level("level", level)
    if function is None:
        return functools.partial(worker, logger=logger, level=number)
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"worker() decorates a function, got {function!r}")
    if getattr(getattr(function, "__code__", None), "co_flags", 0) & _LATER:
        raise TypeError(
            "worker() decorates a function that has done its work when it returns,"
            f" got the coroutine function or generator {function!r}"
        )
    return cast(Any, Worker(function, logger, number))
