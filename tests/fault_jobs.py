"""What the processes of the fault and load tests run; importable under every start method.

As a script, it is a program with a session, to be killed or to end in its own way:

    python fault_jobs.py PROGRAM DIRECTORY [JSON OF KEYWORD ARGUMENTS]
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import logging
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from ledgers import FORMAT, LEDGERS, LOGS, Ledger

import mplogging
from mplogging._wire.frames import LINE, Framing
from mplogging._worker.attaching import attached

ENOUGH = "enough"
ALIVE = "alive"
_BATCH = 20


def die(way: str) -> None:
    """End this process in one of many ways."""
    if way == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif way == "terminate":
        os.kill(os.getpid(), signal.SIGTERM)
    elif way == "segfault":
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # no stack of faulthandler's, please
        ctypes.string_at(0)
    elif way == "_exit":
        os._exit(0)
    elif way == "raise":
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # nobody needs to see the traceback
        raise RuntimeError("meant to happen")
    elif way == "sys.exit":
        sys.exit(3)


def log(
    directory: str, records: int, way: str = "return", sizes: tuple[int, ...] = (0, 40)
) -> int:
    """Log so many records and end."""
    ledger = Ledger(directory, tuple(sizes))
    for _ in range(records):
        ledger.log()
    die(way)
    ledger.close()
    return records


def log_when_told(directory: str, records: int) -> None:
    """Log so many records once there is a file called `go`."""
    wait_for(directory, "go")
    log(directory, records)


def log_on_a_full_disk(directory: str, records: int) -> None:
    """Log, when there is room, when neither journal nor log can grow, and when both can again."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    ledger = Ledger(directory)
    for limit in (hard, 1000, hard):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        for _ in range(records):
            ledger.log()
    ledger.close()


def log_and_copy(directory: str) -> None:
    """Copy the log's directory in between."""
    ledger = Ledger(directory)
    for _ in range(20):
        for _ in range(100):
            ledger.log()
        with tempfile.TemporaryDirectory() as copies:
            with contextlib.suppress(shutil.Error):  # a segment may be gone by then
                shutil.copytree(os.path.join(directory, LOGS), os.path.join(copies, "copy"))
    ledger.close()


def log_on(directory: str, sizes: tuple[int, ...] = (0, 40), way: str = "return") -> None:
    """Log until there is a file called `enough`."""
    ledger = Ledger(directory, tuple(sizes))
    enough = os.path.join(directory, ENOUGH)
    while not os.path.exists(enough):
        for _ in range(_BATCH):
            ledger.log()
    die(way)
    ledger.close()


def log_in_threads(directory: str, threads: int, records: int) -> None:
    """Log so many records in each of so many threads."""
    _in_threads(threads, log, (directory, records))


def log_on_in_threads(directory: str, threads: int) -> None:
    """Log in so many threads until there is a file called `enough`."""
    _in_threads(threads, log_on, (directory,))


def _in_threads(count, target, args) -> None:
    threads = [threading.Thread(target=target, args=args) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def log_in_steps(
    directory: str, records: int, way: str = "return", sizes: tuple[int, ...] = (0, 40)
) -> None:
    """Log so many records, at once and with each file `step-1`, `step-2`, … until `enough`."""
    ledger = Ledger(directory, tuple(sizes))
    for step in itertools.count(1):
        for _ in range(records):
            ledger.log()
        if wait_for(directory, f"step-{step}", ENOUGH) == ENOUGH:
            break
    die(way)
    ledger.close()


def log_in_threads_in_steps(
    directory: str, threads: int, records: int, sizes: tuple[int, ...]
) -> None:
    """`log_in_steps` in so many threads."""
    _in_threads(threads, log_in_steps, (directory, records, "return", sizes))


def wait_for(directory: str, *names: str) -> str:
    """Wait until there is a file of one of these names, and return it."""
    while True:
        for name in names:
            if os.path.exists(os.path.join(directory, name)):
                return name
        time.sleep(0.02)


def orphan(directory: str, job: str, *args: object) -> None:
    """Run a job, and hold the writing end of `alive` for as long as this process lives."""
    os.open(os.path.join(directory, ALIVE), os.O_WRONLY)
    import takeover_jobs

    target = globals().get(job) or getattr(takeover_jobs, job)
    target(directory, *args)


def log_as_another(directory: str, user: int, records: int) -> None:
    """Log, as another user from then on; be stopped twice between, to let others do something."""
    ledger = Ledger(directory)
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    for _ in range(2):
        for _ in range(records):
            ledger.log()
        os.kill(os.getpid(), signal.SIGSTOP)
    for _ in range(records):
        ledger.log()


def wait_for_end(pid: int) -> None:
    """Of a process that is no child of ours."""
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)


def log_large(directory: str, size: int) -> None:
    """A hundred records, one of that size, a hundred more."""
    ledger = Ledger(directory)
    for number in range(200):
        if number == 100:
            logging.getLogger("jobs").info("x" * size)
        ledger.log()
    ledger.close()


class _Interruption(Exception):
    pass


def log_while_interrupted(directory: str) -> None:
    """Log large records, whose calls a signal handler's exception ends at odd moments."""

    def interrupt(*_):
        raise _Interruption

    ledger = Ledger(directory)
    signal.signal(signal.SIGALRM, interrupt)
    for number in range(40):
        with contextlib.suppress(_Interruption):
            signal.setitimer(signal.ITIMER_REAL, 0.0005 * (1 + number % 20))
            try:
                logging.getLogger("jobs").info("%s interrupted", "x" * (4 << 20))
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        ledger.log()
    ledger.close()


def log_levels(directory: str, records: int, every: int, way: str = "return") -> None:
    """Every so many records, one is an ERROR."""
    ledger = Ledger(directory)
    for number in range(records):
        ledger.log(logging.INFO if number % every else logging.ERROR)
    die(way)
    ledger.close()


def log_until_interrupted(directory: str) -> None:
    """Log until Ctrl-C, say so with a file `interrupted`, and log until `enough`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        log_on(directory)
    except KeyboardInterrupt:
        Path(directory, "interrupted").touch()
    log_on(directory)


def log_at(directory: str, times: list[float]) -> None:
    """Log one record at each of these times, its second as the message."""
    logger = logging.getLogger("jobs")
    for created in times:
        record = logger.makeRecord("jobs", logging.INFO, "", 0, "at %d", (int(created),), None)
        record.created = created
        logger.handle(record)


def fork_and_log(directory: str, forks: int) -> None:
    """In a worker with two logging threads: fork so many children that log too."""
    threads = [threading.Thread(target=log, args=(directory, 300)) for _ in range(2)]
    for thread in threads:
        thread.start()
    children = [in_child(log, directory, 20) for _ in range(forks)]
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for thread in threads:
        thread.join()


def in_child(function, *args) -> int:
    """Run a function in a forked child; returns its pid."""
    child = os.fork()
    if child:
        return child
    try:
        function(*args)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def log_unloadable(directory: str, records: int) -> None:
    """Every tenth record has a field that can't be unpickled."""
    for number in range(records):
        extra = {} if number % 10 else {"field": Unloadable()}
        logging.getLogger("jobs").info("%d", number, extra=extra)


class Unloadable:
    def __reduce__(self):
        return _refuse_to_load, (os.getpid(),)


def _refuse_to_load(pid: int) -> None:
    if os.getpid() != pid:
        raise RuntimeError("meant to happen")


def log_garbage(directory: str, records: int) -> None:
    """Append nonsense to the journal between the records."""
    ledger = Ledger(directory)
    for number in range(records):
        ledger.log()
        descriptor = attached().channel.writer().descriptor
        if number % 10 == 0:
            os.write(descriptor, bytes(range(256)) * 4)
    ledger.close()


def log_half(directory: str) -> None:
    """Log one record, and die within the next."""
    ledger = Ledger(directory)
    ledger.log()
    writer = attached().channel.writer()
    framing = Framing.of_segment(os.pread(writer.descriptor, 8, 0))
    frame = framing.frame(LINE, os.getpid(), time.time(), b"torn".ljust(1000) + b"\n")
    os.write(writer.descriptor, frame[:500])
    die("kill")


def attach_without_descriptors(directory: str) -> None:
    """A fork, when no descriptor is left: the child logs all the same."""
    with no_descriptors():
        child = in_child(logging.getLogger("jobs").info, "from the child")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        logging.getLogger("jobs").info("from the worker")


@contextlib.contextmanager
def no_descriptors():
    """Nothing can be opened."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


class Gated(mplogging.DatedFileHandler):
    """Writes nothing in the process that has shut the gate."""

    gate = threading.Event()
    shut_by = 0

    def _write(self, created, chunks) -> None:
        self._pass_gate()
        super()._write(created, chunks)

    def _append(self, created, chunks, announce=None) -> None:
        self._pass_gate()
        super()._append(created, chunks, announce)

    def _pass_gate(self) -> None:
        if os.getpid() == Gated.shut_by:
            Gated.gate.wait()


# -- one record causes another -----------------------------------------------------------


def log_and_answer(directory: str, segment_bytes: int, come, go) -> None:
    """Log each number that comes, and then let another know of it."""
    begin_small_segments(segment_bytes)
    while (number := come.recv()) is not None:
        logging.getLogger("jobs").info("%d", number)
        go.send(number + 1)
    go.send(None)


def begin_small_segments(size: int) -> None:
    """Have the journal go on to another segment all the time."""
    mplogging._wire.turnover.SEGMENT_BYTES = size
    mplogging._wire.turnover._MOST_SIZES = 1
    mplogging._wire.turnover._GRACE_SECONDS = 0.05


def log_once(directory: str) -> None:
    """One record, whose acceptance the exit status tells."""
    logging.getLogger("jobs").info("one record")


# -- programs -------------------------------------------------------------------------


def program(
    directory: str,
    method: str = "fork",
    workers: int = 4,
    job: str | list[list[object]] = "log_on",  # one for all, or one for each with its arguments
    args: tuple[object, ...] = (),
    way: str = "wait",
    daemon: bool = False,
    **options: object,
) -> None:
    """A session around so many workers; the main process then goes its way."""
    context = multiprocessing.get_context(method)
    with mplogging.LogSession(os.path.join(directory, LOGS, "app.log"), format=FORMAT, **options):
        processes = [
            context.Process(target=orphan, args=(directory, *each), daemon=daemon)
            for each in (workers * [[job, *args]] if isinstance(job, str) else job)
        ]
        for process in processes:
            process.start()
        while sum(1 for _ in Path(directory, LEDGERS).iterdir()) < workers:
            time.sleep(0.01)
        Path(directory, "started").touch()
        if way == "log":
            log_on(directory)
        elif way == "pause":
            wait_for(directory, ENOUGH)
        elif way == "full":
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
            wait_for(directory, ENOUGH)
        elif way == "c_fork":
            if ctypes.PyDLL(None).fork() == 0:
                time.sleep(5)
                os._exit(0)
            Path(directory, "forked").touch()
            wait_for(directory, ENOUGH)
        elif way == "wait":
            for process in processes:
                process.join()
        die(way)
    Path(directory, "left").touch()
    for process in processes:
        process.join()


class Stuck(logging.Handler):
    """Is never through with its first record."""

    def emit(self, record: logging.LogRecord) -> None:
        threading.Event().wait()


def alone(
    directory: str, way: str, workers: int, has_stuck: bool = False, **options: object
) -> None:
    """2,000 records after so many workers have come and gone."""
    log_path = os.path.join(directory, LOGS, "app.log")
    handlers = [Stuck()] if has_stuck else []
    with mplogging.LogSession(log_path, format=FORMAT, handlers=handlers, **options):
        context = multiprocessing.get_context("fork")
        processes = [context.Process(target=log, args=(directory, 100)) for _ in range(workers)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        log(directory, 2000, way)


def bare(directory: str, way: str = "return", **options: object) -> None:
    """A session that is started and never stopped."""
    session = mplogging.LogSession(
        os.path.join(directory, LOGS, "app.log"), format=FORMAT, **options
    )
    session.start()
    for _ in range(3):
        multiprocessing.get_context("fork").Process(target=log, args=(directory, 300)).start()
    log(directory, 1000, way)


def forker(directory: str, forks: int, threads: int, way: str = "_exit") -> None:
    """Fork while threads log; each child logs, and leaves the session's block."""
    session = mplogging.LogSession(os.path.join(directory, LOGS, "app.log"), format=FORMAT)
    loggers = [threading.Thread(target=log_on, args=(directory,)) for _ in range(threads)]
    children = []
    child = 1
    with session:
        for thread in loggers:
            thread.start()
        for _ in range(forks):
            child = os.fork()
            if child == 0:
                log(directory, 20)
                break
            children.append(child)
        if child:
            for number in children:
                assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 3
            Path(directory, ENOUGH).touch()
            for thread in loggers:
                thread.join()
            session.flush()
            assert session.stats().workers == forks
    if child == 0:
        log(directory, 20)  # the session goes on, whatever a child of it does
        session.stop()
        if way == "_exit":
            os._exit(3)
        sys.exit(3)


def forking_leaver(directory: str, children: int) -> None:
    """Leave the session while workers log, and while a thread forks children that stay."""
    forked: list[int] = []

    def fork() -> None:
        for _ in range(children):
            forked.append(in_child(orphan, directory, "wait_for", ENOUGH))

    with mplogging.LogSession(os.path.join(directory, LOGS, "app.log"), format=FORMAT):
        workers = [
            multiprocessing.get_context("fork").Process(target=orphan, args=(directory, "log_on"))
            for _ in range(3)
        ]
        for worker in workers:
            worker.start()
        forking = threading.Thread(target=fork)
        forking.start()
        while len(forked) < children // 4:
            time.sleep(0.001)
    forking.join()
    Path(directory, "left").touch()
    for worker in workers:
        worker.join()
    for child in forked:
        os.waitpid(child, 0)


def full_disk(directory: str, records: int, buffer_bytes: int, free: bool = True) -> None:
    """The log can't grow while four workers log; then there is room again."""
    session = mplogging.LogSession(
        os.path.join(directory, LOGS, "app.log"),
        format=FORMAT, bufferBytes=buffer_bytes, stopTimeout=10 if free else 0.5,
    )  # fmt: skip
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    with session:
        processes = [
            multiprocessing.get_context("fork").Process(
                target=log_when_told, args=(directory, records)
            )
            for _ in range(4)
        ]
        for process in processes:
            process.start()
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # of the one who writes it
        Path(directory, "go").touch()
        for process in processes:
            process.join()
        assert not session.flush(0.1)
        if free:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    print(json.dumps(session.stats()._asdict()), flush=True)


def no_room(directory: str) -> None:
    """A session where no file can grow."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        mplogging.LogSession(os.path.join(directory, LOGS, "app.log")).start()
    except mplogging.MPLoggingError as error:
        told = {"error": type(error).__name__, "handlers": len(logging.getLogger().handlers)}
        print(json.dumps(told))


def fork_in_handler(directory: str, is_alone: bool) -> None:
    """A signal handler forks, and the child returns from it."""
    children: list[int] = []
    is_child = False

    def fork(*_):
        nonlocal is_child
        if not is_child:
            child = os.fork()
            if child:
                children.append(child)
            else:
                is_child = True
                signal.alarm(20)

    signal.signal(signal.SIGUSR1, fork)
    with mplogging.LogSession(os.path.join(directory, LOGS, "app.log"), format=FORMAT):
        worker = None
        if not is_alone:
            worker = multiprocessing.get_context("fork").Process(
                target=wait_for, args=(directory, ENOUGH)
            )
            worker.start()
        ledger = Ledger(directory)
        # Once: `getLogger` itself has a lock that no child that is forked within it can release.
        logger = logging.getLogger("jobs")
        shooting = threading.Thread(target=_shoot, args=(40,))
        shooting.start()
        while shooting.is_alive():
            number, fill = ledger.accepted, ledger._fills[ledger.accepted % 4]
            logger.info("%s %d %s", ledger.name, number, fill)
            if is_child:
                break
            ledger.accepted += 1
            os.pwrite(ledger._descriptor, ledger.accepted.to_bytes(8, "little"), 0)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        if is_child:
            os._exit(0)
        shooting.join()
        Path(directory, ENOUGH).touch()
        if worker is not None:
            worker.join()
        statuses = [os.waitpid(child, 0)[1] for child in children]
    print(json.dumps(statuses))


def _shoot(times: int) -> None:
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.01)


def late_opening(directory: str) -> None:
    """No descriptor is to be had when a new period's file is due; later there are some again."""
    with mplogging.LogSession(
        os.path.join(directory, LOGS, "app.log"), format=FORMAT, when="S"
    ) as session:
        log(directory, 10)
        assert session.flush()
        ledger = Ledger(directory)
        ledger.log()
        second = int(time.time())
        with no_descriptors():
            while int(time.time()) < second + 2:
                ledger.log()
                time.sleep(0.01)
            assert not session.flush(0.1)
        assert session.flush(10)
        ledger.close()


def soak(directory: str, workers: int, records: int) -> None:
    """So many records in all, with a new file each second of which two old ones are kept."""
    session = mplogging.LogSession(
        os.path.join(directory, LOGS, "app.log"), format=FORMAT, when="S", backupCount=2
    )
    with session:
        processes = [
            multiprocessing.Process(target=log, args=(directory, records // workers))
            for _ in range(workers)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        session.flush()
        Path(directory, "written").touch()
        wait_for(directory, ENOUGH)
    print(json.dumps(session.stats()._asdict()), flush=True)


if __name__ == "__main__":
    # Whatever started the tests may have them ignore it, as a shell does in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import fault_jobs  # what is pickled must be found under this name

    name, where, *settings = sys.argv[1:]
    getattr(fault_jobs, name)(where, **json.loads(settings[0] if settings else "{}"))
