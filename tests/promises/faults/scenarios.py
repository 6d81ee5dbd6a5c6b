"""What is enumerated: small lives of sessions and handlers, with everything in them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from typing import Any

import mplogging
from mplogging import DatedFileHandler, LogSession
from mplogging._delivery import recovery as recovering
from mplogging._file import appending, compression
from mplogging._file.appending import AppendFile
from mplogging._session.sources import JournalSource
from mplogging._wire import segments, turnover, writer
from mplogging._wire.place import Place
from mplogging._wire.where import leftovers

from .account import FORMAT, Writer, filename
from .calls import KILL_AFTER, calls
from .trial import Trial, watch

DAYS = (2, 2, 1, 0)  # ago: of the records, in turn
_fork = multiprocessing.get_context("fork")


def log_session(directory: str, **options: Any) -> LogSession:
    """The session of a trial."""
    return LogSession(filename(directory), format=FORMAT, utc=True, stopTimeout=5, **options)


def next_session(directory: str) -> None:
    """What comes after: a session of the same log brings in what was left."""
    recovering._UNFINISHED_SECONDS = -1.0  # a minute has passed
    with log_session(directory):
        logging.getLogger().warning("the next")


# -- a session ------------------------------------------------------------------------


def session_parent(trial: Trial) -> None:
    """A session with two workers and several days' files; the parent is under test."""
    ours = Writer(trial.directory, DAYS)
    trial.arm()
    with trial.may_be_refused(), log_session(trial.directory) as session:
        ours.log(3)  # alone
        workers = [_fork.Process(target=_work, args=(trial.directory,)) for _ in range(2)]
        for worker in workers:
            worker.start()
        ours.log(6)
        session.flush(1)
        for worker in workers:
            worker.join()
        ours.log(3)
    ours.close()


def session_worker(trial: Trial) -> None:
    """The same; a worker is under test, from its fork to its end."""
    with log_session(trial.directory):
        trial.arm(is_child=True)
        tested = _fork.Process(target=_work, args=(trial.directory,))
        tested.start()
        calls.disarm()
        other = _fork.Process(target=_work, args=(trial.directory,))
        other.start()
        ours = Writer(trial.directory, DAYS)
        ours.log(6)
        tested.join()
        other.join()
    ours.close()


def attached_worker(trial: Trial) -> None:
    """A process that was there before the session attaches itself; it is under test."""
    reading_end, writing_end = os.pipe()
    tested = _fork.Process(target=_attach_and_work, args=(trial, reading_end, writing_end))
    tested.start()
    os.close(reading_end)
    with log_session(trial.directory) as session:
        os.write(writing_end, os.fsencode(session.address))
        os.close(writing_end)
        tested.join()


def _attach_and_work(trial: Trial, reading_end: int, writing_end: int) -> None:
    os.close(writing_end)
    address = os.fsdecode(os.read(reading_end, 4096))
    os.close(reading_end)
    watch()
    trial.arm()
    with trial.may_be_refused():
        mplogging.attach(address)
        _work(trial.directory)


def _work(directory: str) -> None:
    watch()
    ours = Writer(directory, DAYS)
    ours.log(5)
    time.sleep(1.2 * writer.LOOK_SECONDS)  # so that it looks
    ours.log(3)
    ours.close()


def stop(trial: Trial) -> None:
    """A session that has read nothing is stopped while a worker has yet to log; the
    parent's end is under test."""
    ours = Writer(trial.directory, DAYS)
    reading_end, writing_end = os.pipe()
    JournalSource.turn = lambda self: time.sleep(0.001)  # type: ignore[method-assign]
    session = log_session(trial.directory).start()
    workers = [
        _fork.Process(target=_work, args=(trial.directory,)),
        _fork.Process(target=_work_twice, args=(trial.directory, reading_end, writing_end)),
    ]
    for worker in workers:
        worker.start()
    ours.log(6)
    workers[0].join()
    trial.arm()
    session.stop()
    calls.disarm()
    os.close(writing_end)
    ours.close()
    workers[1].join()
    os.close(reading_end)


def _work_twice(directory: str, reading_end: int, writing_end: int) -> None:
    os.close(writing_end)
    watch()
    ours = Writer(directory, DAYS)
    ours.log(5)
    os.read(reading_end, 1)
    ours.log(5)
    ours.close()


def turnover_parent(trial: Trial) -> None:
    """Segments of 2 KB, so that the journal goes through several; the parent is under test."""
    _shrink_segments()
    trial.arm()
    _many_segments(trial, lambda: None)


def turnover_worker(trial: Trial) -> None:
    """The same; a worker is under test."""
    _shrink_segments()
    _many_segments(trial, lambda: trial.arm(is_child=True))


def _shrink_segments() -> None:
    segments.SEGMENT_BYTES = turnover.SEGMENT_BYTES = 2048
    turnover._MOST_SIZES = 1
    turnover._SWITCH_SECONDS = turnover._GRACE_SECONDS = 0.02
    writer.LOOK_SECONDS = 0.01


def _many_segments(trial: Trial, arm: Any) -> None:
    with trial.may_be_refused(), log_session(trial.directory):
        arm()
        tested = _fork.Process(target=_work_slowly, args=(trial.directory,))
        tested.start()
        if calls.is_child:
            calls.disarm()
        other = _fork.Process(target=_work_slowly, args=(trial.directory,))
        other.start()
        tested.join()
        other.join()


def _work_slowly(directory: str) -> None:
    watch()
    ours = Writer(directory, DAYS, sizes=(100, 300))
    for _ in range(8):
        ours.log(4)
        time.sleep(0.012)
    ours.close()


# -- after the parent's death ---------------------------------------------------------

# How far the reader had come when it died: it had noted the second of its writes, had
# done half of it, or all.
DEATHS = ("noted", "half written", "written")


def _die_reading(how: str) -> None:
    """Let this process's reader die in the midst of its second write."""
    count = 0
    append = AppendFile.append

    def die(self: AppendFile, chunks: Any, announce: Any = None) -> None:
        nonlocal count
        if announce is None:
            return append(self, chunks)

        def announced(file: AppendFile, end: int, these: Any) -> None:
            nonlocal count
            announce(file, end, these)
            count += 1
            if count == 2 and how != "written":
                data = b"".join(these)
                if how == "half written":
                    os.write(file.descriptor, data[: len(data) // 2 + 7])
                os.kill(os.getpid(), signal.SIGKILL)

        append(self, chunks, announced)
        if count >= 2:  # one call writes several times, if it goes on in another part
            os.kill(os.getpid(), signal.SIGKILL)

    AppendFile.append = die  # type: ignore[method-assign]


def _parent_that_dies(
    trial: Trial,
    how: str,
    tested: bool,
    go_on: bool,
    options: dict[str, Any],
    sizes: tuple[int, ...] = (0, 30),
    records: int = 6,
) -> None:
    """Two workers log while nothing is read; then the reader begins, and dies."""
    turn = JournalSource.turn
    waiting, ready = os.pipe()
    died, living = os.pipe()
    first_ended, first_lives = os.pipe()
    JournalSource.turn = lambda self: time.sleep(0.001)  # type: ignore[method-assign]
    session = log_session(trial.directory, **options).start()
    ours = Writer(trial.directory, DAYS)
    pids = []
    for number in range(2):
        pid = os.fork()
        if pid == 0:
            os.close(living)
            is_tested = tested and number == 0
            if tested and not is_tested:  # it goes on once the one under test has ended
                os.close(first_lives)
                died = first_ended
            ours = Writer(trial.directory, DAYS, sizes)
            ours.log(records)
            _survive(trial if is_tested else None, ours, ready, died, go_on)
        pids.append(pid)
    os.close(ready)
    os.close(first_lives)
    ours.log(6)
    os.read(waiting, 1)
    os.read(waiting, 1)
    _die_reading(how)
    JournalSource.turn = turn  # type: ignore[method-assign]
    while True:
        session.flush(1)


def _survive(
    trial: Trial | None, ours: Writer, ready: int, died: int, go_on: bool
) -> None:
    from mplogging._worker.attaching import _leave

    code = 1
    try:
        watch()
        os.write(ready, b"r")
        os.read(died, 1)
        if not go_on:
            os.kill(os.getpid(), signal.SIGKILL)
        if trial is not None:
            trial.arm()
        ours.log(3)
        time.sleep(1.2 * writer.LOOK_SECONDS)
        ours.log(3)
        _leave()
        code = 0
    finally:
        os._exit(code)


def take_over(trial: Trial, how: str = "noted", **options: Any) -> None:
    """The parent dies in the midst of reading; a surviving worker is under test."""
    child = os.fork()
    if child == 0:
        try:
            watch()
            _parent_that_dies(trial, how, True, True, options)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def recovery(
    trial: Trial,
    how: str = "noted",
    sizes: tuple[int, ...] = (0, 30),
    records: int = 6,
    recovers: bool = True,
    killed_at: int = -1,
    **options: Any,
) -> None:
    """All have died; the recovery is under test.

    Args:
        killed_at: One before it was killed after so many calls.
        sizes, records: Of what each worker logs.
        recovers: If False, it is left at that.
    """
    child = os.fork()
    if child == 0:
        try:
            watch()
            _parent_that_dies(trial, how, False, False, options, sizes, records)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    paths = list(leftovers([os.path.join(trial.directory, "logs")]))
    while any(_is_held(path) for path in paths):
        time.sleep(0.001)
    if not recovers:
        return
    if killed_at >= 0:
        child = os.fork()
        if child == 0:
            unseen = os.open(os.devnull, os.O_WRONLY)
            calls.arm(killed_at, KILL_AFTER, unseen)
            _recover_all(paths)
            os._exit(0)
        os.waitpid(child, 0)
    trial.arm()
    _recover_all(paths)
    calls.disarm()


def _recover_all(paths: list[str]) -> None:
    for path in paths:
        if os.path.exists(path):
            recovering.recover(path)


def _is_held(path: str) -> bool:
    place = Place.open(path)
    try:
        return place.is_held()
    finally:
        place.close()


# -- a handler alone ----------------------------------------------------------------------


def lone_handler(trial: Trial) -> None:
    """Parts, compression and a link; three days, of which two are over."""
    compression.LOOK_INTERVAL = appending.LOOK_INTERVAL = 0.0
    ours = Writer(trial.directory, (2, 2, 2, 1, 1, 0), sizes=(0, 90))
    trial.arm()
    handler = _make_handler(trial.directory)
    for _ in range(2):
        ours.log(12, to=handler)
        _compress(handler, trial.directory)
    ours.log(6, to=handler)
    handler.close()
    ours.close()


def _make_handler(directory: str) -> DatedFileHandler:
    handler = DatedFileHandler(
        filename(directory), utc=True, maxBytes=400, compress="gz", compressAfter=0.11,
        symlink=True, delay=True,
    )  # fmt: skip
    handler.setFormatter(logging.Formatter(FORMAT))
    assert handler._compressor is not None
    handler._compressor.start = lambda: None  # type: ignore[method-assign]
    return handler


def _compress(handler: DatedFileHandler, directory: str) -> None:
    """One pass over files that look as though nobody had written to them for long."""
    assert handler._compressor is not None
    try:
        for entry in os.scandir(os.path.dirname(filename(directory))):
            if entry.is_file(follow_symlinks=False):
                os.utime(entry.path, (1, 1))
        handler._compressor.compress_finished()
    except OSError:
        pass  # as its thread does: the next pass sees to it


def next_handler(directory: str) -> None:
    """The same program, started again."""
    compression.LOOK_INTERVAL = appending.LOOK_INTERVAL = 0.0
    ours = Writer(directory, (2, 1, 0))
    handler = _make_handler(directory)
    handler._cut_half_lines()
    ours.log(6, to=handler)
    _compress(handler, directory)
    handler.close()
    ours.close()
