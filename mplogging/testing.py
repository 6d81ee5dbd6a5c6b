"""For tests with pytest: what all processes log, in the fixture `mplog` and in `caplog`.

It is loaded where it is named, in a `conftest.py` or on the command line, and nowhere else::

    pytest_plugins = ["mplogging.testing"]

    def test_workers(mplog):
        with mplog.at_level("INFO"), multiprocessing.Pool(2) as pool:
            pool.map(work, range(10))
        assert mplog.messages.count("done") == 10
"""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator, Sequence

import pytest

from ._errors import MPLoggingWarning
from ._session.guests import Guest, dismiss, invite
from ._session.session import LogSession, current_session, give_way, settle_all, steer
from ._session.steering import Change, checked_change

__all__ = ["MPLog", "mplog"]

_FORMAT = "%(levelname)-8s %(processName)s %(name)s:%(filename)s:%(lineno)d %(message)s"
_PATIENCE_SECONDS = 10.0
# The plugin of pytest itself that has `caplog`, and its handlers.
_PYTESTS_PLUGIN = "logging-plugin"
_PYTESTS_HANDLERS = ("caplog_handler", "report_handler", "log_cli_handler", "log_file_handler")


class MPLog:
    """What all processes of the test have logged since it began, in the log's order.

    Each of its attributes waits until what was logged before has come, for 10 s at most.
    """

    def __init__(self) -> None:
        self._records: list[logging.LogRecord] = []

    @property
    def records(self) -> list[logging.LogRecord]:
        """The records. `process` and `processName` say which process has made one."""
        _settle()
        return list(self._records)

    @property
    def messages(self) -> list[str]:
        """The message of each."""
        return [record.getMessage() for record in self.records]

    @property
    def text(self) -> str:
        """A line for each, with level, process, logger, place and message, then a traceback."""
        formatter = logging.Formatter(_FORMAT)
        return "".join(f"{formatter.format(record)}\n" for record in self.records)

    def clear(self) -> None:
        """Forget what has come until now."""
        _settle()
        self._records.clear()

    @contextlib.contextmanager
    def at_level(self, level: int | str, logger: str | None = None) -> Iterator[None]:
        """Within the `with`, a logger of every process logs from this level on.

        As `LogSession.setLevel`: a process that runs already takes it over with its next
        record. A session that begins within it sets the root logger's level by its own
        argument.

        Args:
            level: By number or name.
            logger: Its name; None is the root logger.

        Raises:
            ConfigError: An argument can't be meant.
        """
        change = checked_change(level, logger, None)
        before = logging.getLogger(change.logger).level
        steer(change)
        try:
            yield
        finally:
            steer(Change(change.logger, before, None))


class _Onlooker(logging.Handler):
    """Gets the records of each session that this process begins."""

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        self._plugins = config.pluginmanager
        self.logs: list[MPLog] = []
        self.own: Sequence[logging.Handler] = ()  # of a session of ours, on the root logger

    def pytests_handlers(self) -> Sequence[logging.Handler]:
        plugin = self._plugins.get_plugin(_PYTESTS_PLUGIN)  # None with `-p no:logging`
        found = (getattr(plugin, name, None) for name in _PYTESTS_HANDLERS)
        return [handler for handler in found if isinstance(handler, logging.Handler)]

    def emit(self, record: logging.LogRecord) -> None:
        for log in self.logs:
            log._records.append(record)
        if record.process == os.getpid():
            return  # they stand on the root logger, and have had it
        for handler in self.pytests_handlers():
            if record.levelno >= handler.level:
                handler.handle(record)


_ONLOOKER = pytest.StashKey[_Onlooker]()
_GUEST = pytest.StashKey[Guest]()


def pytest_configure(config: pytest.Config) -> None:
    """From now on, sessions that begin here let us look on."""
    onlooker = config.stash[_ONLOOKER] = _Onlooker(config)
    guest = config.stash[_GUEST] = Guest(
        onlooker, onlooker.pytests_handlers, lambda: onlooker.own
    )
    invite(guest)


def pytest_unconfigure(config: pytest.Config) -> None:
    """It is over."""
    dismiss(config.stash[_GUEST])


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtest_setup() -> Iterator[None]:
    """What is logged in a phase of a test comes to `caplog` and reports as that phase's."""
    yield
    settle_all(_PATIENCE_SECONDS)


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtest_call() -> Iterator[None]:
    """The same of this phase."""
    yield
    settle_all(_PATIENCE_SECONDS)


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """The same of this phase."""
    yield
    settle_all(_PATIENCE_SECONDS)


@pytest.fixture
def mplog(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MPLog]:
    """What all processes log during the test: an `MPLog`.

    Where no session runs, it begins one, which a session that the test begins takes the
    place of. The levels of loggers are left as they are.
    """
    onlooker = pytestconfig.stash[_ONLOOKER]
    log = MPLog()
    with contextlib.ExitStack() as stack:
        if current_session() is None:
            session = LogSession(
                tmp_path_factory.mktemp("mplog") / "log", level=logging.getLogger().level,
                captureWarnings=False, captureExceptions=False, handleSignals=False,
            )  # fmt: skip
            stack.enter_context(session)
            give_way(session)
            onlooker.own = logging.getLogger().handlers[:1]
            stack.callback(setattr, onlooker, "own", ())
        _settle()
        onlooker.logs.append(log)
        stack.callback(onlooker.logs.remove, log)
        yield log


def _settle() -> None:
    if not settle_all(_PATIENCE_SECONDS):
        warnings.warn(
            f"what was logged has not all come within {_PATIENCE_SECONDS:g} s",
            MPLoggingWarning, stacklevel=3,
        )  # fmt: skip
