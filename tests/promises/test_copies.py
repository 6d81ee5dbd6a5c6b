"""A program may read, copy or pack its log directory while it logs there."""

from __future__ import annotations

import shutil
from pathlib import Path

import fault_jobs
import pytest
from ledgers import FORMAT, LOGS, Ledger, accepted, check, prepare
from processes import end, start, sweep

from mplogging import LogSession
from mplogging._delivery.recovery import recover
from mplogging._wire.note import Note


def test_the_parent_copies_it(context, tmp_path):
    """Closing any file of the journal costs a process its locks on it: nobody takes over."""
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        processes = start(context, fault_jobs.log_on, tmp_path, count=2)
        for number in range(30):
            counts = sum(accepted(tmp_path).values())
            shutil.copytree(tmp_path / LOGS, tmp_path / f"copy-{number}")
            while sum(accepted(tmp_path).values()) < counts + 200:
                pass
        assert "in use" in str(recover(str(session.address)))
        end(processes, tmp_path)
    for number in range(30):
        shutil.rmtree(tmp_path / f"copy-{number}")
    check(tmp_path)
    assert session.stats().failed == 0


@pytest.mark.parametrize("job", ["log_and_copy"])
def test_workers_copy_it(context, tmp_path, job):
    """They stay attached all the same."""
    with LogSession(prepare(tmp_path), format=FORMAT):
        end(start(context, getattr(fault_jobs, job), tmp_path, count=2), tmp_path)
    check(tmp_path)


def test_another_has_read_on(tmp_path):
    """While the lock was lost, and unseen: the session leaves the journal to it."""
    with LogSession(prepare(tmp_path), format=FORMAT) as session:
        ledger = Ledger(tmp_path)
        for _ in range(10):
            ledger.log()
        session.flush()
        with open(Path(str(session.address), "note"), "r+b") as file:
            note = Note.load(file.read())
            note.is_over = True
            file.seek(0)
            file.write(note.dump())
        for _ in range(10):
            ledger.log()
        ledger.close()
    check(tmp_path)
    assert session.stats().failed == 1
    assert sweep(tmp_path / LOGS) == 0  # as the other would have
