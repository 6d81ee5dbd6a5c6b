"""Other programs at the log that a killed session is recovered to, and many at one log.

They may append, cut half lines, go on to parts, compress: each record is there once. Of
one that deletes a file, or copies and truncates it, only this is promised: doubled rather
than lost.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import re
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from mplogging import DatedFileHandler
from mplogging._delivery import recovery as recovering
from mplogging._file import appending, compression
from mplogging._wire.where import leftovers as session_directories

from .faults import programs, scenarios
from .faults.account import DAY, FORMAT, LOGS, Found, Writer, filename, made_up, prepare
from .faults.programs import days_in_turn
from .faults.trial import Trial, in_processes, in_runners, leftovers, watch

TRIALS = int(os.environ.get("MPLOGGING_FOREIGN", "1000"))  # of the long run
_DAYS = (2, 1, 0)
# What a handler does with half a line that is older than itself: it stays, as a line of its
# own, or at the end of a compressed file, since it might be what a crashed machine left. Here
# it is the killed reader's, of a write that the recovery makes again; or another program's.
_SHORTER = "|".join("INFO MainProcess: "[:length] for length in range(1, 18))
_HALF = re.compile(
    r"torn: (.*INFO MainProcess: [-\d x]*|.*INFO script: half a li"
    rf"|(.*\\n|[^']*')({_SHORTER}))'( in .*)?"
)
_OLD = 100  # days: what retention takes


def _handler(directory: str, **options: object) -> DatedFileHandler:
    handler = DatedFileHandler(filename(directory), utc=True, **options)  # type: ignore[arg-type]
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler


class Foreign:
    """Does at random what other programs do to a log.

    Args:
        is_rude: It deletes files too, and copies and truncates them.
    """

    def __init__(self, directory: str, chance: random.Random, is_rude: bool) -> None:
        self._directory, self._chance = directory, chance
        self._trash = Path(directory, "trash")
        self._trash.mkdir(exist_ok=True)
        self.deeds = [self.append, self.append_plainly, self.cut_half_lines, self.parts]
        self.deeds += [self.delete, self.copytruncate] if is_rude else [self.compress]

    def act(self, deeds: int) -> None:
        for _ in range(deeds):
            self._chance.choice(self.deeds)()

    def append(self) -> None:
        """As a program with a handler of its own."""
        ours = Writer(self._directory, _DAYS)
        with contextlib.closing(_handler(self._directory)) as handler:
            ours.log(self._chance.randint(1, 4), to=handler)
        ours.close()

    def append_plainly(self) -> None:
        """As a script with `>>`, that sees to it that a line begins."""
        path = self._one_file()
        if path is not None and path.read_bytes().endswith(b"\n"):
            with path.open("ab") as file:
                file.write(b"WARNING script: plain\n")

    def cut_half_lines(self) -> None:
        """As a program that another kill has struck, and its next start."""
        path = self._one_file()
        if path is not None and path.read_bytes().endswith(b"\n"):
            with path.open("ab") as file:
                file.write(b"INFO script: half a li")
        self.sweep()

    def sweep(self) -> None:
        with contextlib.closing(_handler(self._directory)) as handler:
            handler._cut_half_lines()
            ours = Writer(self._directory, _DAYS)
            ours.log(len(_DAYS), to=handler)
            ours.close()

    def parts(self) -> None:
        """As a program that goes on to further parts."""
        ours = Writer(self._directory, _DAYS)
        with contextlib.closing(_handler(self._directory, maxBytes=200)) as handler:
            ours.log(self._chance.randint(3, 9), to=handler)
        ours.close()

    def compress(self) -> None:
        """As a program that finds files that nobody has written to for long."""
        compression.LOOK_INTERVAL = appending.LOOK_INTERVAL = 0.0
        handler = _handler(self._directory, delay=True, compress="gz", compressAfter=0.11)
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):
                os.utime(path, (1, 1))
        assert handler._compressor is not None
        with contextlib.suppress(OSError):
            handler._compressor.compress_finished()
        handler.close()

    def delete(self) -> None:
        path = self._one_file()
        if path is not None:
            self._keep(path)
            path.unlink()

    def copytruncate(self) -> None:
        path = self._one_file()
        if path is not None:
            self._keep(path)
            os.truncate(path, 0)

    def _keep(self, path: Path) -> None:
        shutil.copy(path, self._trash / f"{time.time_ns()}-{path.name}")

    def _files(self) -> list[Path]:
        paths = sorted(Path(self._directory, LOGS).glob("app.log.*"))
        return [path for path in paths if path.suffix not in (".gz", ".tmp")]

    def _one_file(self) -> Path | None:
        paths = self._files()
        return self._chance.choice(paths) if paths else None


def _recover_all(directory: str) -> None:
    for path in session_directories([os.path.join(directory, LOGS)]):
        recovering.recover(path)


def recover_beside(directory: Path, number: int, is_rude: bool) -> str:
    """A session dies in the midst of a write, others act, and it is recovered beside others."""
    where = directory / f"{number}-{is_rude}"
    prepare(where)
    (where / "run").mkdir()
    chance = random.Random(number)
    how = scenarios.DEATHS[number % 3]
    options = chance.choice([{}, {}, {"maxBytes": 500}])
    trial = Trial(where)
    problems = in_processes(
        where,
        lambda: scenarios.recovery(trial, how, records=chance.randint(3, 60), recovers=False,
                                   **options),
        "kill",
    )  # fmt: skip
    trial.close()

    def act_and_recover() -> None:
        foreign = Foreign(str(where), chance, is_rude)
        foreign.act(chance.randint(0, 4))
        child = 0 if is_rude else os.fork()  # what others do in between is theirs to lose
        if child == 0 and not is_rude:
            code = 1
            try:
                watch()
                beside = [foreign.append, foreign.parts]
                foreign.deeds = beside
                foreign.act(6)
                code = 0
            finally:
                os._exit(code)
        _recover_all(str(where))
        if child:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        Foreign(str(where), chance, is_rude).sweep()

    problems += in_processes(where, act_and_recover)
    problems += in_processes(where, lambda: scenarios.next_session(str(where)))
    if is_rude:
        problems += _lost_or_torn(where)
    else:
        problems += made_up(where).problems
    problems = [text for text in problems if not _HALF.fullmatch(text)]
    problems += [f"left over: {path}" for path in leftovers(where)]
    if problems:
        return f"{number}, {how}, {options}: {problems} in {where}"
    shutil.rmtree(where)
    return ""


def _lost_or_torn(where: Path) -> list[str]:
    """What is lost, though nobody has deleted it, and what is torn."""
    found = Found(where)
    kept = "\n".join(path.read_text() for path in (where / "trash").iterdir()) + "\n"
    lost = [
        f"lost: {name} {number}"
        for name, count in found.accepted.items()
        for number in range(count)
        if number not in found.numbers[name] and f": {name} {number} " not in kept
    ]
    return found.problems + lost


@pytest.mark.parametrize("is_rude", [False, True])
def test_recovery_beside_another_program(tmp_path, is_rude):
    """Some."""
    failures = in_runners(
        lambda number: recover_beside(tmp_path, number, is_rude),
        [(number,) for number in range(12)],
        tmp_path,
    )
    assert not failures, "\n".join(failures)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("is_rude", [False, True])
def test_recovery_beside_another_program_for_long(tmp_path, is_rude):
    """MPLOGGING_FOREIGN of them."""
    failures = in_runners(
        lambda number: recover_beside(tmp_path, number, is_rude),
        [(number,) for number in range(TRIALS)],
        tmp_path,
    )
    assert not failures, "\n".join(failures)
    print(f"\n{TRIALS} recoveries beside a {'rude ' * is_rude}program: nothing lost or torn")


# -- two sessions and two lone programs -------------------------------------------------

_TOGETHER = {"compress": "gz", "compressAfter": 0.2, "maxAge": 50 * DAY}


def together(directory: Path, number: int) -> str:
    """They log, are killed one after the other at random, and started again."""
    where = directory / str(number)
    prepare(where)
    (where / "run").mkdir()
    chance = random.Random(number)
    old = where / LOGS / time.strftime("app.log.%Y-%m-%d", time.gmtime(time.time() - _OLD * DAY))
    old.write_text("WARNING script: old\n")
    problems = in_processes(where, lambda: _kill_and_start(str(where), chance), "kill")
    for _ in range(2):  # the first leaves a file that the second finds quiet
        problems += in_processes(where, lambda: _quiet_session(str(where)))
    found = made_up(where)
    problems += found.problems
    problems += [f"left over: {path}" for path in leftovers(where)]
    if old.exists() or old.with_name(f"{old.name}.gz").exists():
        problems.append("retention has not been at work")
    kinds = Counter(path.suffix for path in (where / LOGS).iterdir())
    if problems:
        return f"{number}: {problems} in {where}"
    shutil.rmtree(where)
    (directory / f"count-{number}").write_text(f"{sum(found.accepted.values())} {kinds['.gz']}")
    return ""


def _quiet_session(directory: str) -> None:
    recovering._UNFINISHED_SECONDS = -1.0
    with scenarios.log_session(directory, **_TOGETHER):
        logging.getLogger().warning("the next")


def _kill_and_start(directory: str, chance: random.Random) -> None:
    kinds = [programs.small_session, programs.small_session, programs.lone, programs.lone]
    running = [_start(kind, directory) for kind in kinds]
    for _ in range(6):
        time.sleep(chance.uniform(0.1, 0.6))
        victim = chance.randrange(len(running))
        _kill(running[victim], chance)
        running[victim] = _start(kinds[victim], directory)
    programs.wait_for_records(directory, 4)
    Path(directory, programs.ENOUGH).touch()
    for pid in running:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _start(kind, directory: str) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            watch()
            kind(directory, days_in_turn(), **_TOGETHER)
            code = 0
        finally:
            os._exit(code)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    return pid


def _kill(pid: int, chance: random.Random) -> None:
    """The whole program, or its first process only."""
    if chance.random() < 0.5:
        os.killpg(pid, signal.SIGKILL)
    else:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_two_sessions_and_two_programs(tmp_path):
    """At one log, with compression and retention; killed and started again."""
    failures = in_runners(
        lambda number: together(tmp_path, number), [(number,) for number in range(4)], tmp_path
    )
    assert not failures, "\n".join(failures)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_two_sessions_and_two_programs_for_long(tmp_path):
    """A fifth of MPLOGGING_FOREIGN, with 6 kills each."""
    count = TRIALS // 5
    failures = in_runners(
        lambda number: together(tmp_path, number),
        [(number,) for number in range(count)],
        tmp_path,
    )
    assert not failures, "\n".join(failures)
    counts = [path.read_text().split() for path in tmp_path.glob("count-*")]
    records, compressed = (sum(int(one[place]) for one in counts) for place in (0, 1))
    print(f"\n{6 * count} kills, {records} records, {compressed} compressed files: all is there")
