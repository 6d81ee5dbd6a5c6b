"""`worker` and what else is pickled, where no other process is needed to see it."""

from __future__ import annotations

import functools
import inspect
import logging
import multiprocessing
import pickle
import re
import subprocess
import sys

import jobs
import pytest

import mplogging
from mplogging._worker.decorators import Initializer, Wrapped
from mplogging._worker.passport import Passport


def test_worker_keeps_what_the_function_is():
    """Name, module, docstring and signature."""
    assert jobs.decorated.__name__ == "decorated"
    assert jobs.decorated.__module__ == "jobs"
    assert jobs.decorated.__doc__ == "Logs, and fails for negative numbers."
    assert str(inspect.signature(jobs.decorated)) == "(number: 'int') -> 'int'"
    assert str(inspect.signature(jobs.Counter(1).count)) == "(number: 'int') -> 'int'"
    assert jobs.Counter(1).count.__self__.start == 1


class Task:
    """Can be called, and has attributes whose names the wrappers have too."""

    def __init__(self):
        self.function = self.address = None

    def __call__(self, number):
        return number + 1


def test_what_travels_has_names_as_functions_have(tmp_path):
    """A hook is asked for its name; what has none, such as a `partial`, gets its type's."""
    with mplogging.LogSession(tmp_path / "app.log") as session:
        initializer = pickle.loads(pickle.dumps(session.initializer))
        wrapped = session.wrap(functools.partial(jobs.say, 1))
        assert session.wrap(jobs.say).__qualname__ == "say"
        assert session.wrap(Task()).__name__ == "Task"
        assert session.wrap(Task())(1) == 2
    assert initializer.__name__ == "initializer"
    assert initializer.__qualname__ == "LogSession.initializer"
    assert initializer.__module__ == "mplogging"
    assert "workers" in initializer.__doc__
    assert wrapped.__name__ == mplogging.worker(functools.partial(jobs.say)).__name__ == "partial"


def test_worker_outside_any_session_is_a_plain_call(caplog):
    """The exception is raised, and nothing logged about it."""
    assert jobs.decorated(1) == 1
    with pytest.raises(ValueError):
        jobs.decorated(-1)
    assert not [record for record in caplog.records if record.exc_info]


def test_worker_logs_an_exception_once(tmp_path):
    """Also where it passes through two decorated functions; logger and level are the first's."""
    with mplogging.LogSession(tmp_path / "app.log", format="%(levelname)s %(name)s %(message)s"):
        with pytest.raises(ValueError) as caught:
            jobs.decorated_specially()
        with pytest.raises(ValueError):
            raise caught.value
    (path,) = tmp_path.iterdir()
    text = path.read_text()
    assert text.count("uncaught exception") == 1
    assert "ERROR jobs uncaught exception in decorated\nTraceback" in text


def test_worker_of_what_cannot_be_pickled():
    """The error comes where it is pickled, not in the worker, where a pool would wait for ever."""
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(mplogging.worker(lambda: None))


def test_worker_under_another_name(tmp_path):
    """`worker(f)`, where `f` itself stays as it is, does what a decorated `f` does."""
    with mplogging.LogSession(tmp_path / "app.log", format="%(levelname)s %(name)s %(message)s"):
        decorated = mplogging.worker(jobs.fail_to_prepare, logger="own")
        decorated = pickle.loads(pickle.dumps(decorated))
        with pytest.raises(RuntimeError):
            decorated()
    (path,) = tmp_path.iterdir()
    assert "ERROR own uncaught exception in fail_to_prepare\nTraceback" in path.read_text()


@pytest.mark.parametrize("kind", ["coroutine", "generator", "asynchronous generator"])
def test_worker_of_what_works_later(kind):
    """Its exceptions could not be logged: it is refused."""
    async def coroutine(): ...

    def generator():
        yield

    async def asynchronous_generator():
        yield

    function = locals()[kind.replace(" ", "_")]
    with pytest.raises(TypeError, match=function.__name__):
        mplogging.worker(function)


def test_worker_arguments_are_checked():
    """A level that there is not, and something that can't be called."""
    with pytest.raises(mplogging.ConfigError, match="level .*LOUD"):
        mplogging.worker(level="LOUD")
    with pytest.raises(TypeError, match="42"):
        mplogging.worker(42)


def test_pickled_outside_a_session():
    """Loading gives the very same function, and a method of an equal instance."""
    assert pickle.loads(pickle.dumps(jobs.decorated)) is jobs.decorated
    assert pickle.loads(pickle.dumps(jobs.Counter(3).count))(4) == 7


def test_what_can_no_longer_attach_warns_and_goes_on(tmp_path):
    """A pool whose initializer raised would start workers without end."""
    with mplogging.LogSession(tmp_path / "app.log") as session:
        initializer, wrapped = session.initializer, session.wrap(len)
        assert isinstance(initializer, Initializer) and isinstance(wrapped, Wrapped)
        initializer, wrapped = pickle.loads(pickle.dumps((initializer, wrapped)))
        pickled = pickle.dumps(jobs.decorated)
    with pytest.warns(mplogging.MPLoggingWarning, match="is over"):
        initializer(1, two=2)
    with pytest.warns(mplogging.MPLoggingWarning, match="is over"):
        assert wrapped("four") == 4
    with pytest.warns(mplogging.MPLoggingWarning, match="is over"):
        assert pickle.loads(pickled)(5) == 5


def test_in_the_sessions_own_process_attaching_does_nothing(tmp_path):
    """Initializer, wrapper, `attach` and a decorated function, called in the parent."""
    with mplogging.LogSession(tmp_path / "app.log") as session:
        handlers = logging.getLogger().handlers[:]
        session.initializer()
        session.wrap(len)("")
        mplogging.attach()
        mplogging.attach(session.address)
        assert jobs.decorated(1) == 1
        assert logging.getLogger().handlers == handlers


def test_wrap_refuses_what_cannot_be_called(tmp_path):
    """And says what it was given."""
    with mplogging.LogSession(tmp_path / "app.log") as session:
        with pytest.raises(TypeError, match="'no function'"):
            session.wrap("no function")


def test_without_the_private_name_nothing_happens(monkeypatch):
    """Where `multiprocessing` has no `_config`, passports are silently not issued."""

    class Process:
        pass

    monkeypatch.setattr(multiprocessing.process, "current_process", Process)
    passport = Passport(lambda: "nowhere")
    passport.issue()
    assert not hasattr(Process(), "_config")
    passport.withdraw()


def test_worker_of_a_partial(tmp_path):
    """What has no name of its own is logged as it is, and pickled as it always was."""
    partial = mplogging.worker(functools.partial(int, "x"))
    with mplogging.LogSession(tmp_path / "app.log", format="%(message)s"):
        with pytest.raises(ValueError):
            partial()
        with pytest.raises(ValueError):
            pickle.loads(pickle.dumps(partial))()
    (path,) = tmp_path.iterdir()
    said = "uncaught exception in functools.partial(<class 'int'>, 'x')"
    assert path.read_text().count(said) == 2


def test_bound_methods_are_equal():
    """As those of any function are."""
    one, other = jobs.Counter(1), jobs.Counter(1)
    assert one.count == one.count and hash(one.count) == hash(one.count)
    assert one.count != other.count and one.count != one


@pytest.mark.parametrize("kind", ["generator", "async generator"])
def test_a_session_around_what_works_later(tmp_path, kind):
    """It would be over before the first line runs: refused."""

    def generator():
        yield

    async def async_generator():
        yield

    function = generator if kind == "generator" else async_generator
    with pytest.raises(TypeError, match="generator"):
        mplogging.LogSession(tmp_path / "app.log")(function)


def test_a_function_that_is_not_where_it_arrives():
    """As one of `__main__`, in a process that has another: the error says what to do."""
    program = """
import mplogging, pickle, subprocess, sys

@mplogging.worker
def work():
    pass

done = subprocess.run(
    [sys.executable, "-c", "import pickle, sys; pickle.load(sys.stdin.buffer)"],
    input=pickle.dumps(work), capture_output=True,
)
print(done.stderr.decode().strip().splitlines()[-1])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert re.fullmatch(r"AttributeError: .*'work'.*session\.initializer instead\n", done.stdout)
