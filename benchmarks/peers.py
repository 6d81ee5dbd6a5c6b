"""The ways to log that are compared: the yardstick, the standard library's own,
two floors, and mplogging. `rivals` adds those from PyPI."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import logging.handlers
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any, Callable, ClassVar

from . import workload

YARDSTICK = "FileHandler"
METHODS = ("fork", "spawn", "forkserver")

PEERS: dict[str, type[Peer]] = {}


class Peer:
    """One way of logging from several processes into one file.

    The parent makes one, `open`s it before it starts workers and `close`s it
    after they have ended; each worker makes another, and `attach`es it.
    """

    name: ClassVar[str]
    module: ClassVar[str] = "logging"
    """What is imported, and has to be there."""
    first_use: ClassVar[str] = ""
    """An expression that has loaded all that the parent uses, if the import alone has not."""
    distribution: ClassVar[str] = ""
    """Whose version is printed."""
    methods: ClassVar[tuple[str, ...]] = METHODS
    """Start methods that it supports."""
    confirms: ClassVar[bool] = True
    """Whether `close` returns as soon as everything is in the file, and not before."""
    template: ClassVar[str] = workload.MESSAGE
    line: ClassVar[bytes] = workload.LINE
    """What a whole line looks like."""
    writes: ClassVar[bool] = True
    safe: ClassVar[bool] = True
    """Whether it claims to keep several processes' lines, across rollovers too."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "app.log"

    def __init_subclass__(cls) -> None:
        if "name" in cls.__dict__:
            PEERS[cls.name] = cls

    def open(self) -> Any:
        """Set up the parent, and return what each worker is to be handed."""
        return None

    def target(self, function: Callable[..., None]) -> Callable[..., None]:
        """What a `Process` is to run in place of `function`."""
        return function

    def attach(self, token: Any) -> workload.Log:
        """Set up this worker, and return the call that logs at INFO."""
        raise NotImplementedError

    def close(self) -> None:
        """Write what is left, in the parent."""

    def helpers(self) -> list[int]:
        """Processes of the peer's own."""
        return []

    def files(self) -> list[Path]:
        return [self.path] if self.path.exists() else []

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.files())


def installed(peer: type[Peer]) -> bool:
    spec = importlib.util.find_spec(peer.module)
    return spec is not None and spec.origin is not None


def configure(handler: logging.Handler) -> workload.Log:
    """Make `handler` the only one of the root logger, and return a logger's `info`."""
    handler.setFormatter(logging.Formatter(workload.FORMAT))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    return logging.getLogger("bench").info


def file_handler(path: Path) -> logging.Handler:
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter(workload.FORMAT))
    return handler


# ------------------------------------------------- one handler in each process


class PerProcess(Peer):
    """Each process opens the file itself; the parent does nothing."""

    def handler(self) -> logging.Handler:
        raise NotImplementedError

    def attach(self, token: Any) -> workload.Log:
        return configure(self.handler())


class FileHandler(PerProcess):
    """The yardstick. Whole lines by luck (one append each); no rollover at all."""

    name = YARDSTICK
    safe = False

    def handler(self) -> logging.Handler:
        return logging.FileHandler(self.path, encoding="utf-8")


class TimedRotatingFileHandler(PerProcess):
    """What most people use; loses a day's lines at each rollover."""

    name = "TimedRotatingFileHandler"
    safe = False
    module = "logging.handlers"

    def handler(self) -> logging.Handler:
        return logging.handlers.TimedRotatingFileHandler(
            self.path, when="midnight", backupCount=7, encoding="utf-8"
        )


# --------------------------------------------- a queue, as the cookbook has it


class Queue(Peer):
    name = "QueueHandler + mp.Queue"
    module = "logging.handlers"

    def queue(self) -> Any:
        return multiprocessing.Queue(-1)

    def open(self) -> Any:
        queue = self.queue()
        self.listener = logging.handlers.QueueListener(queue, file_handler(self.path))
        self.listener.start()
        return queue

    def attach(self, token: Any) -> workload.Log:
        root = logging.getLogger()
        root.handlers[:] = [logging.handlers.QueueHandler(token)]
        root.setLevel(logging.INFO)
        return logging.getLogger("bench").info

    def close(self) -> None:
        self.listener.stop()


class ManagerQueue(Queue):
    name = "QueueHandler + Manager().Queue"

    def queue(self) -> Any:
        self.manager = multiprocessing.Manager()
        return self.manager.Queue(-1)

    def helpers(self) -> list[int]:
        pid = self.manager._process.pid  # type: ignore[attr-defined]
        return [pid]

    def close(self) -> None:
        super().close()
        self.manager.shutdown()


# ------------------------------------------------------------------ the floors


class NullHandler(Peer):
    """What `logging` itself costs: a record is made, and dropped."""

    name = "floor: NullHandler"
    writes = False

    def attach(self, token: Any) -> workload.Log:
        return configure(logging.NullHandler())


class OsWrite(Peer):
    """What the line itself costs: no `logging`, one `%`, one `os.write`."""

    name = "floor: format + os.write"

    def attach(self, token: Any) -> workload.Log:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        process = multiprocessing.current_process().name
        kept = [0, ""]

        def info(message: str, *args: object) -> None:
            now = time.time()
            second = int(now)
            if second != kept[0]:
                kept[:] = second, time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
            text = message % args
            line = f"{kept[1]},{int(now % 1 * 1000):03d} INFO {process} bench {text}\n"
            os.write(descriptor, line.encode())

        return info


# ------------------------------------------------------------------- mplogging


class Mplogging(Peer):
    name = "mplogging"
    module = "mplogging"
    first_use = "mplogging.LogSession"
    options: ClassVar[dict[str, Any]] = {}

    def handlers(self) -> list[logging.Handler]:
        return []

    def open(self) -> Any:
        library: Any = importlib.import_module("mplogging")
        self.session = library.LogSession(
            str(self.path), format=workload.FORMAT, handlers=self.handlers(), **self.options
        )
        self.session.__enter__()

    def target(self, function: Callable[..., None]) -> Callable[..., None]:
        wrapped: Callable[..., None] = self.session.wrap(function)
        return wrapped

    def attach(self, token: Any) -> workload.Log:
        return logging.getLogger("bench").info

    def close(self) -> None:
        self.session.__exit__(None, None, None)

    def files(self) -> list[Path]:
        return list(self.directory.glob("app.log.*"))


class MploggingNeeded(Mplogging):
    name = 'mplogging, recordFields="needed"'
    options = {"recordFields": "needed"}


class MploggingConsole(Mplogging):
    name = "mplogging + console"

    def handlers(self) -> list[logging.Handler]:
        console = logging.StreamHandler()
        console.setLevel(logging.WARNING)
        return [console]


class DatedFileHandler(PerProcess):
    name = "mplogging.DatedFileHandler"
    module = "mplogging"
    options: ClassVar[dict[str, Any]] = {}

    def handler(self) -> logging.Handler:
        library: Any = importlib.import_module("mplogging")
        handler: logging.Handler = library.DatedFileHandler(str(self.path), **self.options)
        return handler

    def files(self) -> list[Path]:
        return list(self.directory.glob("app.log.*"))


class DatedFileHandlerUnlocked(DatedFileHandler):
    name = "mplogging.DatedFileHandler(lock=False)"
    options = {"lock": False}


class DatedFileHandlerParts(DatedFileHandler):
    """In the midst of a long day of small parts."""

    name = "mplogging.DatedFileHandler(maxBytes=1 MiB), 3,000 parts"
    options = {"maxBytes": 1 << 20}

    def open(self) -> Any:
        day = time.strftime("app.log.%Y-%m-%d")
        for number in range(3_000):
            (self.directory / f"{day}{f'.{number}' if number else ''}").touch()
