"""What a session does with the handlers that it has taken over, and what they do to it."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import subprocess
import sys

import pytest
import tree_jobs
from conftest import eventually, texts

import mplogging

pytestmark = pytest.mark.usefixtures("tree")

# As programs do whose standard output is collected by lines.
FEEDING_ITSELF = """
import logging, sys, threading
import mplogging

done = threading.Semaphore(0)

class ToLogger:
    def write(self, text):
        if text.strip():
            logging.getLogger("stderr").error(text.strip())
    def flush(self):
        pass

class Failing(logging.Handler):
    def emit(self, record):
        try:
            raise OSError("the sink is gone")
        except OSError:
            self.handleError(record)
        done.release()

sys.stderr = ToLogger()
other = logging.FileHandler("other.log")
with mplogging.LogSession("logs/app.log", format="%(message)s", handlers=[Failing(), other]):
    for number in range(3):
        logging.info("record %d", number)
    for number in range(3):
        done.acquire()
"""


def test_a_handler_that_makes_records(tmp_path):
    """They go to the file, and to no handler: one whose failure is logged fails no more often."""
    done = subprocess.run(
        [sys.executable, "-c", FEEDING_ITSELF], cwd=tmp_path, capture_output=True, timeout=60
    )
    assert done.returncode == 0
    other = texts(tmp_path).pop("other.log")
    (text,) = texts(tmp_path / "logs").values()
    records = [f"record {number}" for number in range(3)]
    assert other.splitlines() == records
    assert [line for line in text.splitlines() if line in records] == records
    assert text.count("OSError: the sink is gone") == 3


@pytest.mark.parametrize("flushes", [True, False])
def test_a_memory_handler(tmp_path, flushes):
    """It is flushed by the session's end as it would be by `logging.shutdown`."""
    target = tree_jobs.Texts()
    memory = logging.handlers.MemoryHandler(10, target=target, flushOnClose=flushes)
    with mplogging.LogSession(tmp_path / "app.log", handlers=[memory]):
        logging.info("waits")
    assert target.texts == ["waits"] * flushes
    memory.setTarget(None)
    memory.close()


def test_names_of_handlers(tmp_path, no_other_handlers):
    """They lead to the program's own handlers, within a session and after it."""
    config = {
        "version": 1,
        "handlers": {
            "file": {"class": "mplogging.DatedFileHandler", "filename": str(tmp_path / "app.log")},
        },
        "root": {"level": "INFO", "handlers": ["file"]},
    }
    logging.config.dictConfig(config)
    (file,) = logging.getLogger().handlers
    with mplogging.LogSession():
        assert logging._handlers["file"] is file
        logging.config.dictConfig({
            "version": 1, "incremental": True, "handlers": {"file": {"level": "ERROR"}},
        })  # fmt: skip
        assert file.level == logging.ERROR
    assert logging._handlers["file"] is file
    logging.getLogger().removeHandler(file)
    file.close()


@pytest.mark.parametrize("place", ["file", "second file", "beside", "named"])
def test_a_level_that_is_changed(tmp_path, context, place):
    """It holds at once in the parent, and soon in workers that run already."""
    root, named = logging.getLogger(), logging.getLogger("named")
    root.setLevel(logging.INFO)
    files = [mplogging.DatedFileHandler(tmp_path / f"{number}.log") for number in range(2)]
    for file in files:
        file.setFormatter(logging.Formatter("%(message)s"))
    beside, sink = tree_jobs.Texts(), tree_jobs.Texts()
    root.handlers[:] = [*files, beside]
    named.addHandler(sink)
    handler = dict(zip(["file", "second file", "beside", "named"], [*files, beside, sink]))[place]
    handler.setLevel(logging.ERROR)

    def seen():
        if handler in files:
            name, _, _ = str(handler.activeFilename).rpartition("/")[2].partition(".log")
            return "".join(text for path, text in texts(tmp_path).items() if path[0] == name)
        return "\n".join(handler.texts)

    with mplogging.LogSession() as session:
        ours, theirs = context.Pipe()
        process = context.Process(target=tree_jobs.say_when_told, args=(theirs, "named"))
        process.start()
        theirs.close()

        def is_written(text):
            ours.send(text)
            assert ours.recv() == text
            assert session.flush(10)
            return text in seen()

        assert not is_written("too low")
        handler.setLevel(logging.INFO)
        named.info("of the parent")
        assert session.flush(10)
        eventually(lambda: "of the parent" in seen())
        eventually(lambda: is_written("high enough"))
        handler.setLevel(logging.ERROR)
        named.info("again too low")
        eventually(lambda: not is_written(f"silent from {len(seen())} on"))
        ours.send(None)
        process.join()
        ours.close()
    assert "again too low" not in seen() and "too low" not in seen()
    assert "setLevel" not in vars(handler)
    for file in files:
        root.removeHandler(file)
        file.close()


class Special(logging.Formatter):
    """As uvicorn's `AccessFormatter` and structlog's `ProcessorFormatter`: of msg and args."""

    def __init__(self):
        super().__init__()
        self.clock = lambda: 0  # so that it can't be pickled

    def format(self, record):
        if isinstance(record.msg, dict):
            return f"{record.msg['event']} by {record.msg['user']['id']}"
        client, request, status = record.args
        return f"{status // 100}xx {client} {request}"


def test_formatters_that_look_at_message_and_arguments(tmp_path, in_worker):
    """They do beside the file, and for the file itself."""
    file, beside = mplogging.DatedFileHandler(tmp_path / "app.log"), tree_jobs.Texts()
    for handler in (file, beside):
        handler.setFormatter(Special())
    with mplogging.LogSession(file, handlers=[beside]):
        in_worker(tree_jobs.say_specially)
        tree_jobs.say_specially()
    file.close()
    (text,) = texts(tmp_path).values()
    assert text.splitlines() == beside.texts == ["4xx 1.2.3.4 GET /", "login by 7"] * 2
