"""`mplogging demo`: real work in several processes, one of which is killed on purpose.

    files ─ a share each ─ worker 1 … N ─ log ─ counted again by `LogReader`

A module of its own, since children under spawn do not import a `__main__.py`.
"""

from __future__ import annotations

import argparse
import collections
import logging
import multiprocessing
import os
import shlex
import shutil
import signal
import sys
import time
import zlib
from collections.abc import Sequence
from multiprocessing.connection import wait
from typing import Any

from .._errors import ConfigError
from .._reading.entry import Entry
from .._reading.reader import LogReader
from .._session.session import LogSession
from .._worker.decorators import worker

_log = logging.getLogger("demo")
_LIBRARY = os.path.dirname(os.__file__)
_FOREIGN = ("__pycache__", "site-packages", "dist-packages")
_LOOK_SECONDS = 0.1
_BAR = 40
_WIDTH = 79  # what a terminal of 80 columns shows without wrapping
_SHOWN_LINES = 3


def add_demo(commands: Any) -> None:
    """The command's arguments."""
    parser = commands.add_parser(
        "demo",
        help="real work in processes that log, one of which is killed on purpose",
        description="Compress the Python files below a directory in several processes, in"
        " memory, and log a line for each. One process kills itself halfway. Then the lines"
        " are counted.",
        epilog="example: mplogging demo --processes 2\n\n"
        "exit status: 0 if every line is in the log, 1 if one is missing, 2 for a wrong call",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "directory", nargs="?", default=_LIBRARY,
        help="whose Python files to compress (default: Python's own library)",
    )  # fmt: skip
    parser.add_argument(
        "--processes", type=_count, default=4, help="workers (default: %(default)s)"
    )
    parser.add_argument(
        "--file", default="logs/app.log", help="the log's name (default: %(default)s)"
    )
    parser.set_defaults(run=demo)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


@worker
def compress(paths: Sequence[str], killed_after: int | None) -> None:
    """Log a line for each file; with `killed_after`, die just after so many."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    for number, path in enumerate(paths, 1):
        try:
            with open(path, "rb") as file:
                data = file.read()
            part = len(zlib.compress(data, 9)) / max(1, len(data))
            _log.info("%s: %.0f %%", os.path.basename(path), 100 * part)
        except OSError as error:
            _log.warning("%s: %s", os.path.basename(path), error.strerror)
        if number == killed_after:
            os.kill(os.getpid(), signal.SIGKILL)


class _Team:
    """The workers: each has a share of the files, and the last takes over from the killed one."""

    def __init__(self, paths: Sequence[str], size: int) -> None:
        shares = [paths[number::size] for number in range(size)]
        self.killed_after = (len(shares[0]) + 1) // 2
        self._rest = shares[0][self.killed_after :]
        self.expected: dict[str, int] = {}  # lines, by worker
        self._running: list[Any] = []
        self.killed = self._start(shares[0], self.killed_after)
        for share in shares[1:]:
            self._start(share)

    def _start(self, share: Sequence[str], killed_after: int | None = None) -> Any:
        name = f"worker-{len(self.expected) + 1}"
        process = multiprocessing.Process(target=compress, args=(share, killed_after), name=name)
        process.start()
        self._running.append(process)
        self.expected[name] = len(share) if killed_after is None else killed_after
        return process

    def is_at_work(self) -> bool:
        """False once all have ended, after a moment in which one may."""
        for ended in wait([process.sentinel for process in self._running], _LOOK_SECONDS):
            (process,) = (one for one in self._running if one.sentinel == ended)
            process.join()
            self._running.remove(process)
            if process is self.killed and self._rest:
                self._start(self._rest)
        return bool(self._running)

    def end(self) -> None:
        """Before its time, if it still runs."""
        for process in self._running:
            process.terminate()
            process.join()


def demo(options: argparse.Namespace) -> int:
    """Do the work, and say what came into the log; returns the exit status."""
    paths = sorted(_files_below(options.directory))
    if not paths:
        raise ConfigError(
            f"directory must be one with Python files in it, got {options.directory!r}"
        )
    _say(f"{len(paths)} files of {options.directory}, {options.processes} workers")
    began = time.time()
    with LogSession(options.file) as session:
        team = _Team(paths, options.processes)
        try:
            while team.is_at_work():
                _show_progress(session.stats().records, len(paths))
        finally:
            team.end()
    _show_progress(len(paths), len(paths))
    found, last_words = _counted(options.file, began, team)
    path = session.activeFilename
    assert path is not None
    _tell(team, found, last_words, options.file, os.path.relpath(path))
    return 0 if found == team.expected else 1


def _files_below(directory: str) -> list[str]:
    found = []
    for place, below, names in os.walk(directory):
        below[:] = [name for name in below if name not in _FOREIGN]
        found += [os.path.join(place, name) for name in names if name.endswith(".py")]
    return found


def _counted(log: str, began: float, team: _Team) -> tuple[dict[str, int], Sequence[Entry]]:
    """The lines of each worker, and the killed one's last, as they stand in the log."""
    found: dict[str, int] = dict.fromkeys(team.expected, 0)
    last_words: collections.deque[Entry] = collections.deque(maxlen=_SHOWN_LINES)
    # A line's time is cut to milliseconds.
    for entry in LogReader(log, since=began - 0.001):
        name = entry.fields.get("processName", "")
        if entry.fields.get("name") == _log.name and name in found:
            found[name] += 1
            if entry.fields.get("process") == team.killed.pid:
                last_words.append(entry)
    return found, last_words


def _tell(
    team: _Team, found: dict[str, int], last_words: Sequence[Entry], log: str, path: str
) -> None:
    killed = team.killed.name
    _say("", "process      lines logged   in the log")
    for name, count in team.expected.items():
        note = "   killed with SIGKILL halfway" if name == killed else ""
        _say(f"{name:10} {count:14} {found[name]:12}{note}")
    missing = sum(team.expected.values()) - sum(found.values())
    _say("", f"{missing} lines are missing in {path}" if missing else f"All are in {path}")
    _say("", f"The last lines of {killed}, as they stand there:")
    _say(*(entry.text for entry in last_words))
    program, log = _program(), shlex.quote(log)
    # Never cut, to be copied.
    print(f"\nTry next:\n  {program} tail --process {team.killed.pid} {log}")
    print(f"  {program} stats {log}")


def _program() -> str:
    """What starts this program from here."""
    if os.path.basename(sys.argv[0]) == "mplogging":
        return _typed(os.path.abspath(sys.argv[0]))
    return f"{_typed(sys.executable)} -m mplogging"


def _typed(path: str) -> str:
    """The shortest that a shell understands."""
    name, from_here = os.path.basename(path), os.path.relpath(path)
    if shutil.which(name) == path:
        return name
    return shlex.quote(path if from_here.startswith(os.pardir) else from_here)


def _show_progress(done: int, total: int) -> None:
    if sys.stdout.isatty():
        filled = _BAR * done // total
        end = "\n" if done == total else ""
        bar = "#" * filled + "." * (_BAR - filled)
        print(f"\r[{bar}] {done} of {total}", end=end, flush=True)


def _say(*lines: str) -> None:
    """Whole lines, none of which wraps; what the terminal can't show is no error."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        shown = line.encode(encoding, "backslashreplace").decode(encoding)
        if sys.stdout.isatty() and len(shown) > _WIDTH:
            shown = f"{shown[: _WIDTH - 3]}..."
        print(shown)
