"""The peers from PyPI, each configured as its own documentation recommends.

They are imported where they are used, since any of them may be missing.
"""

from __future__ import annotations

import importlib
import logging
import multiprocessing
from pathlib import Path
from typing import Any

from . import workload
from .peers import Peer, PerProcess, configure, file_handler

BRACES = "worker {} record {} {}"


def module(name: str) -> Any:
    return importlib.import_module(name)


class ConcurrentRotating(PerProcess):
    """A lock file, and a look at the log file's size, for every record."""

    name = "concurrent-log-handler"
    module = "concurrent_log_handler"
    distribution = "concurrent-log-handler"

    def handler(self) -> logging.Handler:
        handler: logging.Handler = module(self.module).ConcurrentRotatingFileHandler(
            str(self.path), "a", maxBytes=2**30, backupCount=5, encoding="utf-8"
        )
        return handler


class ConcurrentTimed(ConcurrentRotating):
    name = "ConcurrentTimedRotatingFileHandler"

    def handler(self) -> logging.Handler:
        handler: logging.Handler = module(self.module).ConcurrentTimedRotatingFileHandler(
            str(self.path), when="midnight", backupCount=5, encoding="utf-8"
        )
        return handler


class NbLog(PerProcess):
    name = "nb_log_file_handler"
    module = "nb_log_file_handler"
    distribution = "nb_log_file_handler"

    def handler(self) -> logging.Handler:
        handler: logging.Handler = module(self.module).NbLogFileHandler(
            file_name=self.path.name, log_path=str(self.directory)
        )
        return handler

    def files(self) -> list[Path]:
        return list(self.directory.glob(f"????-??-??.????.{self.path.name}"))


class Loguru(Peer):
    """The parent's logger travels to the worker as an argument."""

    name = "loguru"
    module = "loguru"
    distribution = "loguru"
    template = BRACES

    def open(self) -> Any:
        self.logger = module("loguru").logger
        self.logger.remove()
        self.logger.add(
            str(self.path),
            format="{time:YYYY-MM-DD HH:mm:ss,SSS} {level} {process.name} {name} {message}",
            level="INFO",
            enqueue=True,
            context=multiprocessing.get_start_method(),
        )
        return self.logger

    def attach(self, token: Any) -> workload.Log:
        log: workload.Log = token.info
        return log

    def close(self) -> None:
        self.logger.complete()
        self.logger.remove()


class MultiprocessingLogging(Peer):
    """Installed over the parent's handlers, which the workers inherit."""

    name = "multiprocessing-logging"
    module = "multiprocessing_logging"
    distribution = "multiprocessing-logging"
    methods = ("fork",)
    confirms = False  # looks only every 0.2 s whether it has been closed

    def open(self) -> Any:
        configure(file_handler(self.path))
        module(self.module).install_mp_handler()

    def attach(self, token: Any) -> workload.Log:
        return logging.getLogger("bench").info

    def close(self) -> None:
        for handler in logging.getLogger().handlers:
            handler.close()


class LoggingMp(Peer):
    """Has its own format, which cannot be set; ends by itself at exit."""

    name = "logging-mp"
    module = "logging_mp"
    distribution = "logging-mp"
    confirms = False
    line = rb"\d\d:\d\d:\d\d\.\d{3} INFO +\[\w+\.py:\d+\] \S+: " + workload.TAIL

    def open(self) -> Any:
        library = module(self.module)
        library.basicConfig(
            level=library.INFO, console=False, file=True, file_path=str(self.directory)
        )

    def attach(self, token: Any) -> workload.Log:
        log: workload.Log = module(self.module).getLogger("bench").info
        return log

    def files(self) -> list[Path]:
        return list(self.directory.glob("*.log"))


class Logbook(Peer):
    name = "Logbook"
    module = "logbook"
    distribution = "Logbook"
    template = BRACES
    confirms = False  # stopping its subscriber drops what is still in the queue
    line = rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{6} INFO \S+ bench " + workload.TAIL

    def open(self) -> Any:
        library = module("logbook")
        queue: Any = multiprocessing.Queue(-1)
        handler = library.FileHandler(
            str(self.path),
            format_string=(
                "{record.time:%Y-%m-%d %H:%M:%S,%f} {record.level_name}"
                " {record.process_name} {record.channel} {record.message}"
            ),
        )
        subscriber = module("logbook.queues").MultiProcessingSubscriber(queue)
        self.controller = subscriber.dispatch_in_background(handler)
        return queue

    def attach(self, token: Any) -> workload.Log:
        module("logbook.queues").MultiProcessingHandler(token).push_application()
        log: workload.Log = module("logbook").Logger("bench").info
        return log

    def close(self) -> None:
        self.controller.stop()


class Picologging(PerProcess):
    """In C. Its 0.9.3 is for Python up to 3.12; on 3.11 it writes a broken time ("649448084"
    for the milliseconds, random bytes for the rest), and None for the process' name."""

    name = "picologging"
    module = "picologging"
    distribution = "picologging"
    safe = False

    def attach(self, token: Any) -> workload.Log:
        return attached(module(self.module), self.path, encoding="utf-8")


class LogXide(PerProcess):
    """In Rust. 0.1.2 writes the message without its arguments and without the format."""

    name = "LogXide"
    module = "logxide"
    distribution = "logxide"
    safe = False

    def attach(self, token: Any) -> workload.Log:
        return attached(module(self.module).logging, self.path)


def attached(library: Any, path: Path, **options: str) -> workload.Log:
    """What offers the names of `logging`, set up as `logging` is."""
    handler = library.FileHandler(str(path), **options)
    handler.setFormatter(library.Formatter(workload.FORMAT))
    root = library.getLogger()
    root.setLevel(library.INFO)
    root.addHandler(handler)
    log: workload.Log = library.getLogger("bench").info
    return log
