"""A link that follows the active file."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import warnings

import pytest
from conftest import eventually, texts

from mplogging import DatedFileHandler, MPLoggingWarning

DAY = 86_400
NOON = 1_000_000_000 - 1_000_000_000 % DAY + DAY // 2  # 2001-09-09


def handler_for(directory, **options):
    handler = DatedFileHandler(
        directory / "app.log", **{"utc": True, "delay": True, "symlink": True, **options}
    )
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def log(handler, text, day=0):
    handler.handle(logging.makeLogRecord({"msg": text, "created": NOON + day * DAY}))


def test_it_follows(tmp_path):
    """To the newest period and part, and not back for late records."""
    handler = handler_for(tmp_path, maxBytes=5)
    targets = []
    for text, day in (("a", 0), ("b", 1), ("late", 0), ("cccc", 1)):
        log(handler, text, day)
        targets.append(os.readlink(tmp_path / "app.log"))
    handler.close()
    assert targets == [
        "app.log.2001-09-09", "app.log.2001-09-10", "app.log.2001-09-10", "app.log.2001-09-10.1",
    ]


def test_a_name_of_its_own(tmp_path):
    """A path, to a directory of its own too; the target is relative."""
    (tmp_path / "links").mkdir()
    handler = handler_for(tmp_path, symlink=tmp_path / "links" / "now")
    log(handler, "a")
    handler.close()
    assert os.readlink(tmp_path / "links" / "now") == "../app.log.2001-09-09"


@pytest.mark.parametrize("kind, what", [("file", "a file"), ("directory", "a directory")])
def test_it_replaces_only_links(tmp_path, kind, what):
    """A regular file or a directory in its place is somebody's: a warning says what to do."""
    now = tmp_path / "now"
    if kind == "file":
        now.write_text("mine")
    else:
        now.mkdir()
    handler = handler_for(tmp_path, symlink=now)
    with pytest.warns(MPLoggingWarning, match=f"{now} is {what}.*mv {now} {now}.old") as caught:
        log(handler, "a")
        log(handler, "b", 1)
    assert len(caught) == 1
    handler.close()
    assert not now.is_symlink()
    assert texts(tmp_path)["app.log.2001-09-09"] == "a\n"


def test_a_plain_file_of_the_days_before(tmp_path):
    """Where `delay` is off, the warning comes as the handler is made."""
    (tmp_path / "app.log").write_text("old\n")
    with pytest.warns(MPLoggingWarning, match="app.log is a file"):
        handler_for(tmp_path, delay=False).close()


def test_warnings_as_errors(tmp_path, capsys):
    """It is told otherwise, and no line is lost for it."""
    (tmp_path / "app.log").write_text("old\n")
    handler = handler_for(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log(handler, "a")
    handler.close()
    assert texts(tmp_path) == {"app.log": "old\n", "app.log.2001-09-09": "a\n"}
    assert "no link to" in capsys.readouterr().err


def test_a_warning_that_is_logged(tmp_path):
    """`captureWarnings`: it comes to the very handler that is opening the file."""
    (tmp_path / "app.log").write_text("old\n")
    handler = handler_for(tmp_path)
    logger = logging.getLogger("py.warnings")
    logger.addHandler(handler)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        try:
            log(handler, "a")
        finally:
            logging.captureWarnings(False)
            logger.removeHandler(handler)
    today = os.path.basename(handler.activeFilename)
    handler.close()
    assert texts(tmp_path)["app.log.2001-09-09"] == "a\n"
    assert "no link to" in texts(tmp_path)[today]


def test_it_is_put_right(tmp_path):
    """A dangling link, a stray one, one to a later file that is gone, a killed maker's."""
    for target in ("nowhere", "/etc/passwd", "app.log.2099-01-01"):
        (tmp_path / "app.log").symlink_to(target)
        (tmp_path / "app.log.tmp").symlink_to("nowhere")
        handler = handler_for(tmp_path)
        log(handler, "a")
        handler.close()
        assert os.readlink(tmp_path / "app.log") == "app.log.2001-09-09"
        (tmp_path / "app.log").unlink()


def test_it_does_not_go_back(tmp_path):
    """A program that is behind leaves it on the later file, which is there."""
    for day in (3, 0):
        handler = handler_for(tmp_path)
        log(handler, "a", day)
        handler.close()
    assert os.readlink(tmp_path / "app.log") == "app.log.2001-09-12"


def test_it_is_never_missing(tmp_path):
    """It is replaced in one step: whoever looks finds one of the files."""
    handler = handler_for(tmp_path)
    log(handler, "a")
    is_over, misses = threading.Event(), []

    def look():
        while not is_over.is_set():
            if not os.path.exists(tmp_path / "app.log"):
                misses.append(1)

    thread = threading.Thread(target=look)
    thread.start()
    for day in range(100):
        log(handler, "a", day)
    is_over.set()
    thread.join()
    handler.close()
    assert not misses


def test_a_link_that_cannot_be_made(tmp_path, capsys):
    """It is reported; the line is in its file."""
    handler = handler_for(tmp_path, symlink=tmp_path / "missing" / "now")
    log(handler, "a")
    handler.close()
    assert texts(tmp_path) == {"app.log.2001-09-09": "a\n"}
    assert "but not what goes with it" in capsys.readouterr().err


def test_tail_follows_across_a_rollover(tmp_path):
    """`tail -F app.log`, as an operator leaves it running."""
    handler = handler_for(tmp_path)
    log(handler, "first")
    command = ["tail", "-n", "+1", "-F", "-s", "0.05", str(tmp_path / "app.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True) as tail:
        assert tail.stdout.readline() == "first\n"
        log(handler, "second", 1)
        assert tail.stdout.readline() == "second\n"
        log(handler, "third", 2)
        assert tail.stdout.readline() == "third\n"
        tail.terminate()
    handler.close()
    eventually(lambda: tail.returncode is not None)


def test_a_directory_that_is_a_link(tmp_path):
    """The link's own directory may be reached through one: it still leads to the file."""
    (tmp_path / "deep" / "run").mkdir(parents=True)
    (tmp_path / "log").mkdir()
    (tmp_path / "run").symlink_to("deep/run")
    handler = handler_for(tmp_path / "log", symlink=tmp_path / "run" / "now")
    log(handler, "a")
    handler.close()
    assert (tmp_path / "run" / "now").read_text() == "a\n"


def test_a_file_of_the_temporary_name(tmp_path, capsys):
    """It is somebody's: it stays, and there is no link."""
    (tmp_path / "app.log.tmp").write_text("mine")
    handler = handler_for(tmp_path)
    log(handler, "a")
    handler.close()
    assert texts(tmp_path) == {"app.log.tmp": "mine", "app.log.2001-09-09": "a\n"}
    assert "not what goes with it" in capsys.readouterr().err


def test_a_record_of_the_future(tmp_path):
    """From a clock gone wild: it leads neither the link nor retention astray."""
    handler = handler_for(tmp_path, backupCount=1)
    for day in (0, 100_000, 1, 2):
        log(handler, str(day), day)
    handler.close()
    assert os.readlink(tmp_path / "app.log") == "app.log.2001-09-11"
    assert texts(tmp_path) == {
        "app.log.2275-06-25": "100000\n",
        "app.log.2001-09-10": "1\n",
        "app.log.2001-09-11": "2\n",
    }
    assert handler.late == 0
