"""The machine crashes, simulated: pages of what a session left are as they were, zero,
another file's, or not there. What is whole is recovered, at least once, with no junk.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
import re
import shutil
import time
from pathlib import Path

import pytest

from mplogging import DatedFileHandler
from mplogging._delivery import recovery
from mplogging._wire.where import leftovers

from .faults import scenarios
from .faults.account import DAY, FORMAT, LOGS, Found, prepare
from .faults.trial import Trial, in_processes

PAGE = 4096
_HALF = re.compile(r"torn: '(INFO |I|IN|INF)[^\\\\]*' in .*")
CRASHES = int(os.environ.get("MPLOGGING_CRASHES", "1000"))  # of the long run
_chance = random.Random(17)


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """What a session left behind as all its processes were killed, in the midst of a write."""
    directory = tmp_path_factory.mktemp("left")
    prepare(directory)
    (directory / "run").mkdir()
    trial = Trial(directory)
    problems = in_processes(directory, lambda: _leave(trial), "kill")
    trial.close()
    assert not problems
    (path,) = leftovers([str(directory / LOGS)])
    return directory, Path(path).name


def _leave(trial: Trial) -> None:
    scenarios.recovery(trial, "half written", sizes=(0, 30, 700, 9000), records=40, recovers=False)


def crashed(left, directory: Path) -> Path:
    """A copy of it, as another run of the machine sees it; returns the session's directory."""
    source, name = left
    shutil.copytree(source, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.bell"))
    place = directory / LOGS / name
    described = json.loads((place / "recovery").read_text())
    described["boot"] = "another"
    described["file"]["filename"] = str(directory / LOGS / "app.log")
    described["bells"] = []
    (place / "recovery").write_text(json.dumps(described))
    return place


def recovered(place: Path) -> Found:
    """Recover it by force, and log on: no line of the log may be junk."""
    done = recovery.recover(str(place), is_forced=True)
    _log_on(str(place.parent / "app.log"))
    found = Found(place.parent.parent)
    # Half a line, if no recovered one came after it, stays as what it is.
    problems = [text for text in found.problems if not _HALF.fullmatch(text)]
    assert not problems, (problems, done)
    found.problems.clear()
    assert not done.problem, done
    if done.records:
        assert any("at least once" in line for line in found.own), found.own
        assert done.doubtful == done.records
    assert not place.exists()
    return found


def _log_on(filename: str) -> None:
    handler = DatedFileHandler(filename, utc=True)
    handler.setFormatter(logging.Formatter(FORMAT))
    for day in set(scenarios.DAYS):
        record = logging.makeLogRecord({"msg": "next", "levelname": "WARNING"})
        record.created = time.time() - day * DAY
        handler.handle(record)
    handler.close()


def whole(found: Found) -> dict[str, set[int]]:
    return {name: set(numbers) for name, numbers in found.numbers.items()}


def test_nothing_but_the_boot_has_changed(left, tmp_path):
    """It is not recovered by itself; by force, all of it is."""
    place = crashed(left, tmp_path)
    assert "--force" in recovery.recover(str(place)).problem
    found = recovered(place)
    found.check(order=False)
    # The file's inode is another: what was just being written may be there twice.
    assert all(problem.startswith("doubled") for problem in found.problems)


def _journal(place: Path) -> Path:
    return place / "journal-1"


def cut_journal(place: Path, log: Path) -> None:
    os.truncate(_journal(place), _chance.randrange(_journal(place).stat().st_size + 1))


def cut_log(place: Path, log: Path) -> None:
    os.truncate(log, _chance.randrange(log.stat().st_size + 1))


def _with_a_page_of(path: Path, fill: bytes) -> None:
    """One page of it, or several, in this way."""
    with open(path, "r+b") as file:
        size = path.stat().st_size
        first = _chance.randrange(0, size + 1, PAGE)
        pages = _chance.randint(1, 3)
        fill = fill or b"\0"  # of an empty file
        content = (fill * (PAGE // len(fill) + 1))[:PAGE] * pages
        file.seek(first)
        file.write(content[: max(0, size - first)])


def zero_journal(place: Path, log: Path) -> None:
    _with_a_page_of(_journal(place), b"\0")


def garbage_in_journal(place: Path, log: Path) -> None:
    _with_a_page_of(_journal(place), _chance.randbytes(PAGE))


def stale_journal(place: Path, log: Path) -> None:
    """A page that was the same file's: of frames, but not these."""
    with open(_journal(place), "rb") as file:
        file.seek(_chance.randrange(max(1, _journal(place).stat().st_size - PAGE)))
        page = file.read(PAGE)
    _with_a_page_of(_journal(place), page)


def zero_tail_of_log(place: Path, log: Path) -> None:
    """The size came to the disk, and the bytes did not."""
    size = log.stat().st_size
    kept = _chance.randrange(size + 1)
    os.truncate(log, kept)
    os.truncate(log, max(size, kept + 1))


def zero_note(place: Path, log: Path) -> None:
    with open(place / "note", "r+b") as file:
        file.write(bytes(2 * PAGE))


def garbage_in_note(place: Path, log: Path) -> None:
    with open(place / "note", "r+b") as file:
        file.write(_chance.randbytes(2 * PAGE))


def cut_note(place: Path, log: Path) -> None:
    os.truncate(place / "note", _chance.randrange(PAGE))


def empty_journal(place: Path, log: Path) -> None:
    os.truncate(_journal(place), 0)


def no_journal(place: Path, log: Path) -> None:
    _journal(place).unlink()


DAMAGES = [
    cut_journal, cut_log, zero_journal, garbage_in_journal, zero_tail_of_log, zero_note,
    garbage_in_note, cut_note, empty_journal, no_journal,
]  # fmt: skip


def survive(left, directory: Path, damages) -> None:
    place = crashed(left, directory)
    before = whole(Found(directory))
    logs = [path for path in sorted((directory / LOGS).glob("app.log.*")) if path.stat().st_size]
    for damage in damages:
        damage(place, _chance.choice(logs))
    found = recovered(place)
    if not any("log" in damage.__name__ for damage in damages):  # its own lines, or the journal's
        for name, numbers in before.items():
            assert numbers <= whole(found)[name]
    if all("note" in damage.__name__ for damage in damages):
        found.check(order=False)
        assert not [problem for problem in found.problems if problem.startswith("lost")]


@pytest.mark.parametrize("damage", DAMAGES)
def test_one_damage(left, tmp_path, damage):
    """Each by itself, at random places."""
    for number in range(4):
        survive(left, tmp_path / str(number), [damage])


def test_two_damages(left, tmp_path):
    """Every third pair of them."""
    for number, damages in enumerate(list(itertools.combinations(DAMAGES, 2))[::3]):
        if no_journal not in damages:
            survive(left, tmp_path / str(number), damages)


def cut_everywhere(left, directory: Path, step: int) -> None:
    """At places in the last frames: those that are whole are in the log, the others are not."""
    place = crashed(left, directory / "whole")
    size = _journal(place).stat().st_size
    all_of_it = whole(recovered(place))
    lost_before = 0
    for cut in range(size, max(0, size - 700), -step):
        place = crashed(left, directory / "cut")
        os.truncate(_journal(place), cut)
        found = whole(recovered(place))
        lost = sum(len(numbers - found.get(name, set())) for name, numbers in all_of_it.items())
        assert lost >= lost_before
        lost_before = lost
        shutil.rmtree(directory / "cut")
    assert lost_before > 0


def test_a_journal_cut_at_some_bytes(left, tmp_path):
    """Every 71st."""
    cut_everywhere(left, tmp_path, 71)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_journal_cut_at_every_byte(left, tmp_path):
    """The long form."""
    cut_everywhere(left, tmp_path, 1)


def test_a_stale_page_of_the_journal(left, tmp_path):
    """Its lines may come again, and none of them is junk."""
    for number in range(4):
        survive(left, tmp_path / str(number), [stale_journal])


@pytest.mark.parametrize("content", [b"", bytes(300), b'{"version": 2'])
def test_its_settings_are_lost(left, tmp_path, monkeypatch, content):
    """Nobody knows where its records belong; they are not thrown away, and it is said."""
    monkeypatch.setattr(recovery, "_UNFINISHED_SECONDS", -1.0)
    place = crashed(left, tmp_path)
    (place / "recovery").write_bytes(content)
    done = recovery.recover(str(place), is_forced=True)
    assert "settings" in done.problem
    assert done.left > 0
    assert _journal(place).exists()
    shutil.rmtree(place)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_crashes(left, tmp_path):
    """MPLOGGING_CRASHES of them, each with one to three damages."""
    kinds = [*DAMAGES[:-1], stale_journal]
    for number in range(CRASHES):
        _chance.seed(number)
        survive(left, tmp_path / "one", _chance.sample(kinds, _chance.randint(1, 3)))
        shutil.rmtree(tmp_path / "one")
    print(f"\n{CRASHES} crashes: no junk in the log")
