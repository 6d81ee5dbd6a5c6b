"""What a session does with the handlers that it has taken over, and what they do to it."""

from __future__ import annotations

import logging
import logging.config
import logging.handlers
import subprocess
import sys

import pytest
import tree_jobs
from conftest import texts

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


def test_names_of_handlers(tmp_path):
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
