"""What workers write to their descriptors 1 and 2 is in the log, line by line.

    worker   print, C code, programs that it starts ── fd 1, 2 ── a file of the session's
                                                                  place (`_wire.output`)
    session  Follower ── loggers stdout, stderr, as of the worker ── as any record

A regular file: whoever writes to it neither waits for a reader nor dies of its end, and what
stands there has outlived its writer. A process that a worker forks writes where that does.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from typing import Any

from .._closing import close
from .._wire.descriptors import leads_to, lifted
from .._wire.output import STREAMS, Writer, describe_output, make_output
from .._wire.place import Place
from .._worker.attaching import attached
from .._worker.channels import JournalChannel
from .._worker.companions import Escort
from .._worker.packages import multiprocessing_utils
from .following import Follower

_redirected: Redirection | None = None  # of this process, or inherited


class WorkerOutput:
    """The companion of a session with `captureOutput`.

    Args:
        level: Of the records.
    """

    def __init__(self, level: int) -> None:
        self.level = level

    def begin(self) -> Escort:
        """A worker's output goes to files from now on; the session's process reads them."""
        attachment = attached()
        assert attachment is not None
        if attachment.session_pid == os.getpid():
            return Follower(attachment.places, attachment.config.capacity_bytes)
        assert isinstance(attachment.channel, JournalChannel)
        return _redirect(attachment.channel.place, self.level)


def _redirect(place: Place, level: int) -> Redirection:
    global _redirected
    if _redirected is not None and _redirected.place is place:
        return _redirected  # of the worker that has forked us
    if _redirected is not None:
        _redirected.put_back()
    _redirected = Redirection(place, level)
    for util in multiprocessing_utils():
        util.register_after_fork(_redirected, Redirection.rename)
    return _redirected


class Redirection:
    """The output of this process, and of what it starts."""

    def __init__(self, place: Place, level: int) -> None:
        self.place = place
        self._writer = Writer(os.getpid(), _process_name(), level)
        self._saved: dict[int, int] = {}  # by descriptor, what it led to
        self._identities: dict[int, tuple[int, int]] = {}
        self._buffering: dict[str, bool] = {}
        self._key, descriptors = make_output(place, self._writer)
        try:
            for stream, descriptor in descriptors.items():
                self._lead(stream, descriptor)
        except BaseException:
            self.put_back()
            raise
        finally:
            for descriptor in descriptors.values():
                close(descriptor)

    def end(self) -> None:
        """Put it back; but for what a process prints at its very end."""
        for stream in STREAMS:  # in case that this process is the one that brings it
            _flush(stream)
        attachment = attached()
        if _is_exiting() and attachment is not None and not attachment.channel.is_over():
            return
        self.put_back()

    def disown(self) -> None:
        """In a forked child: it writes where its parent does."""

    def go_on(self) -> bool:
        """Likewise, unless the worker had put it back."""
        return self is _redirected

    def rename(self) -> None:
        """`multiprocessing` says by now what a forked process is called."""
        writer = self._writer._replace(process_name=_process_name())
        if writer.pid == os.getpid() and writer != self._writer:
            self._writer = writer
            with contextlib.suppress(OSError):
                describe_output(self.place, self._key, writer)

    def put_back(self) -> None:
        """The descriptors lead where they led before, unless the program has others by now."""
        global _redirected
        for stream, number in STREAMS.items():
            _flush(stream)
            saved = self._saved.pop(number, -1)
            if number in self._identities and leads_to(number, self._identities[number]):
                if saved >= 0:
                    os.dup2(saved, number)
                else:
                    close(number)
            if saved >= 0:
                close(saved)
            if stream in self._buffering:
                _set_buffering(stream, self._buffering[stream])
        if _redirected is self:
            _redirected = None

    def _lead(self, stream: str, descriptor: int) -> None:
        number = STREAMS[stream]
        _flush(stream)
        with contextlib.suppress(OSError):  # a daemon has none
            self._saved[number] = lifted(os.dup(number))
        status = os.fstat(descriptor)
        self._identities[number] = status.st_dev, status.st_ino
        os.dup2(descriptor, number)
        # A file's is not: what is printed would come when 8 KiB are there, or never.
        is_by_line = getattr(_python_stream(stream), "line_buffering", None)
        if is_by_line is not None:
            self._buffering[stream] = is_by_line
            _set_buffering(stream, True)


def _python_stream(stream: str) -> Any:
    """`sys.stdout` or `sys.stderr`, if it writes to that descriptor."""
    found: Any = getattr(sys, stream, None)
    with contextlib.suppress(Exception):
        if found.fileno() == STREAMS[stream]:
            return found
    return None


def _set_buffering(stream: str, is_by_line: bool) -> None:
    with contextlib.suppress(Exception):
        _python_stream(stream).reconfigure(line_buffering=is_by_line)


def _flush(stream: str) -> None:
    with contextlib.suppress(Exception):
        _python_stream(stream).flush()


def _process_name() -> str:
    return multiprocessing.current_process().name


def _is_exiting() -> bool:
    return any(util.is_exiting() for util in multiprocessing_utils())
