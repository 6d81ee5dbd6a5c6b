"""Nothing that a record, a handler or a process does ends the listener, or costs a neighbour."""

from __future__ import annotations

import logging

import fault_jobs
import pytest
from ledgers import FORMAT, LOGS, check, find, prepare
from processes import end, start

from mplogging import DatedFileHandler, LogSession


def is_first(record: logging.LogRecord) -> bool:
    return record.name == "jobs" and record.getMessage().split()[1:2] == ["0"]


class Raising(logging.Handler):
    """Raises whatever it is told to, on the first record of each process."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.error = error
        self.handled = 0
        self.reported = 0

    def emit(self, record: logging.LogRecord) -> None:
        if is_first(record):
            raise self.error("meant to happen")
        self.handled += record.name == "jobs"

    def handleError(self, record: logging.LogRecord) -> None:
        self.reported += 1


@pytest.mark.parametrize("error", [ValueError, MemoryError, SystemExit, RecursionError])
def test_a_handler_that_raises(context, tmp_path, error):
    """It is reported once and counted; file and other handlers get everything."""
    bad, good = Raising(error), Raising(error)
    good.addFilter(lambda record: not is_first(record))
    with LogSession(prepare(tmp_path), format=FORMAT, handlers=[bad, good]) as session:
        end(start(context, fault_jobs.log, tmp_path, 50, count=3), tmp_path)
    found = check(tmp_path)
    assert found.records() == 150
    assert bad.reported == 1
    assert session.stats().failed == 3
    assert bad.handled == good.handled == 147
    assert len(found.warnings) == 1 and "raised on 3 records" in found.warnings[0]


def test_a_filter_that_raises(context, tmp_path):
    """On a handler, on every record: the file has them all."""

    def refuse(record):
        raise MemoryError("meant to happen")

    bad = Raising(ValueError)
    bad.addFilter(refuse)
    with LogSession(prepare(tmp_path), format=FORMAT, handlers=[bad]) as session:
        end(start(context, fault_jobs.log, tmp_path, 50, count=3), tmp_path)
    assert check(tmp_path).records() == 150
    assert session.stats().failed == 150
    assert bad.reported == 1


def test_the_files_own_filter_raises(context, tmp_path):
    """On some records: these are missing, are counted, and are reported once."""

    def refuse(record):
        if record.getMessage().endswith("."):
            number = int(record.getMessage().split()[1])
            if number % 10 == 0:
                raise RuntimeError("meant to happen")
        return True

    file = DatedFileHandler(prepare(tmp_path))
    file.setFormatter(logging.Formatter(FORMAT))
    file.addFilter(refuse)
    with LogSession(file) as session:
        end(start(context, fault_jobs.log, tmp_path, 50, count=3), tmp_path)
    file.close()
    found = find(tmp_path)
    assert not found.others
    for entries in found.entries.values():
        assert [entry.number for entry in entries] == [n for n in range(50) if n % 10]
    assert session.stats().failed == 15
    assert session.stats().records == 135
    assert len([line for line in found.warnings if "meant to happen" in line]) == 1


def test_a_field_that_cannot_be_loaded(context, tmp_path):
    """Costs its record nothing but that field."""
    counting = Raising(ValueError)
    with LogSession(prepare(tmp_path), format="%(message)s", handlers=[counting]) as session:
        end(start(context, fault_jobs.log_unloadable, tmp_path, 50, count=3), tmp_path)
    lines = find(tmp_path).others
    numbers = sorted(int(line) for line in lines if line.isdigit())
    assert numbers == sorted(3 * list(range(50)))
    assert counting.handled == 150
    assert session.stats().failed == 15
    assert len([line for line in lines if "meant to happen" in line]) == 1


def test_garbage_in_the_journal(context, tmp_path):
    """From a process that appends to it what it likes: all good records come out."""
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        end(start(context, fault_jobs.log_garbage, tmp_path, 500, count=4), tmp_path)
    found = check(tmp_path)
    assert found.records() == 2000
    assert 50 <= session.stats().incomplete <= 4 * 50  # what follows on another's is one
    assert not found.warnings


@pytest.mark.parametrize("newlines", ["keep", "escape", "indent"])
def test_log_injection(context, tmp_path, newlines):
    """What comes from outside can't pass for a record of its own, if that is asked for."""
    forged = "login of bob\nINFO MainProcess: login of root\r\x1b[2J\u2028end"
    with LogSession(prepare(tmp_path), format=FORMAT, newlines=newlines):
        with context.Pool(2) as pool:
            pool.map(logging.getLogger("jobs").warning, [forged] * 4)
            pool.close()
            pool.join()
        try:
            raise ValueError(forged)
        except ValueError:
            logging.getLogger("jobs").exception("failed")
    (path,) = (tmp_path / LOGS).iterdir()
    lines = path.read_bytes().decode().split("\n")
    starts = [line for line in lines if line.startswith("INFO")]
    assert len(starts) == (5 if newlines == "keep" else 0)
    messages = [line for line in lines if line.startswith("WARNING")]
    assert len(messages) == 4
    if newlines == "escape":
        assert all(
            line.endswith(": login of bob\\nINFO MainProcess: login of root\\r\\x1b[2J\\u2028end")
            for line in messages
        )
    if newlines == "indent":
        assert lines.count("    INFO MainProcess: login of root") == 5
    assert any("Traceback (most recent call last):" in line for line in lines)
