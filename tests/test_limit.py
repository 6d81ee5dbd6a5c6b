"""Of what is logged over and over, the first so many pass, and the rest is counted."""

from __future__ import annotations

import datetime
import logging
import pickle
import subprocess
import sys

import pytest
from conftest import texts

import mplogging
from mplogging import ConfigError, RateLimit


class Kept(logging.Handler):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[tuple[str, str]] = []

    def emit(self, record):
        self.messages.append((record.levelname, record.getMessage()))


@pytest.fixture
def kept():
    handler = Kept()
    logging.getLogger().addHandler(handler)
    yield handler.messages
    logging.getLogger().removeHandler(handler)


def record(created: float, msg: str = "x", *args, name: str = "limited", level: int = 30):
    return logging.makeLogRecord({
        "created": created, "msg": msg, "args": args, "name": name, "levelno": level,
        "levelname": logging.getLevelName(level), "pathname": "p", "lineno": len(msg),
    })


def test_the_first_pass_and_the_rest_is_counted(kept):
    """With a count, at the level of what was held back, once the time is over."""
    limit = RateLimit(2, 10)
    passed = [limit.filter(record(100 + n, "number %d", n)) for n in range(6)]
    assert passed == [True, True, False, False, False, False]
    assert limit.filter(record(109, "another", level=40)) and kept == []
    assert limit.filter(record(110, "number %d", 6))
    assert kept == [("WARNING", "4 more were held back within 10 s, the last: number 5")]
    assert limit.filter(record(111, "number %d", 7)) and not limit.filter(record(112, "number %d"))
    assert limit.filter(record(130, "something else"))
    assert len(kept) == 2 and kept[1][1].startswith("1 more were held back")


@pytest.mark.parametrize(
    ("per", "passing"), [("message", 5), ("place", 3), ("logger", 2), ("all", 1)]
)
def test_kinds(per, passing):
    """What makes records one kind is for the user to say."""
    limit = RateLimit(1, datetime.timedelta(seconds=10), per)
    records = [
        record(1, "a"), record(1, "b"), record(1, "b", level=40), record(1, "cc"),
        record(1, "ddd", name="other"), record(1, "a"),
    ]  # fmt: skip
    assert sum(map(limit.filter, records)) == passing
    assert not pickle.loads(pickle.dumps(limit))._take_held()
    limit._forget()


def test_a_clock_put_back_begins_anew(kept):
    """But not for what comes a little out of order, as from several processes."""
    limit = RateLimit(1, 10)
    assert [limit.filter(record(at)) for at in (100, 99, 101, 50, 51, 61)] == [
        True, False, False, True, False, True,
    ]
    assert len(kept) == 2


def test_messages_that_are_never_the_same_take_no_memory(kept):
    """The oldest kind is forgotten before its time."""
    limit = RateLimit(1, 1e6)
    assert all(limit.filter(record(1, chr(0x4E00 + n))) for n in range(10_050))
    assert len(limit._windows) <= 10_000


@pytest.mark.parametrize("arguments", [(0, 1), (True, 1), (1, 0), (1, "1"), (1, 1, "word")])
def test_bad_arguments(arguments):
    """Each is named with its value."""
    with pytest.raises(ConfigError, match="must be"):
        RateLimit(*arguments)


def test_on_a_logger_each_process_has_its_own(context, tmp_path):
    """And tells of what it held back when it ends, in whatever way it was started."""
    with mplogging.LogSession(tmp_path / "app.log", format="%(process)d %(message)s"):
        workers = [context.Process(target=_log, args=(10,), daemon=True) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            assert worker.exitcode == 0
    (text,) = texts(tmp_path).values()
    for worker in workers:
        lines = [line for line in text.splitlines() if line.startswith(f"{worker.pid} ")]
        assert [line.partition(" ")[2] for line in lines] == [
            "number 0", "number 1", "number 2",
            "7 more were held back within 3600 s, the last: number 9",
        ]  # fmt: skip
        worker.close()


def _log(count):
    logger = logging.getLogger("limited")
    logger.addFilter(RateLimit(3, 3600))
    for number in range(count):
        logger.info("number %d", number)


def test_on_the_file_all_processes_share_it(context, tmp_path):
    """With `shared`: it is used in the session's own process."""
    file = mplogging.DatedFileHandler(tmp_path / "app.log", delay=True)
    file.addFilter(RateLimit(3, 3600, shared=True))
    file.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    with mplogging.LogSession(file):
        logging.getLogger("main").warning("alone")
        workers = [context.Process(target=_log_all, daemon=True) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
            worker.close()
    file.close()
    lines = next(iter(texts(tmp_path).values())).splitlines()
    assert sum(line.startswith("INFO many the same") for line in lines) == 3
    assert "INFO many 17 more were held back within 3600 s, the last: the same, 9" in lines
    assert len(lines) == 5


def _log_all():
    for number in range(10):
        logging.getLogger("many").info("the same, %d", number)


def test_at_the_end_of_a_program_without_a_session(tmp_path):
    """It is told before logging ends."""
    program = (
        "import logging, mplogging\n"
        "logging.basicConfig(format='%(message)s')\n"
        "logging.getLogger().addFilter(mplogging.RateLimit(1, 60))\n"
        "for n in range(5): logging.warning('number %d', n)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == "number 0\n4 more were held back within 60 s, the last: number 4\n"
