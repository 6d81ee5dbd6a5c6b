"""What waits in memory: for each file its own lines, and no longer than need be."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
import threading
import time

import pytest
from conftest import eventually, texts
from leftovers import open_descriptors

from mplogging import LogSession
from mplogging._file.unwritten import Failed

from .jobs import end_while_lines_wait
from .test_appending import NAME, NOON, handler_for, log

DAY = 86_400
DAY_BEFORE = "app.log.2001-09-08"


def test_the_loss_is_told_first(tmp_path, monkeypatch):
    """In the same file before what had waited, though the format asks for unknown fields."""
    now = time.time()
    handler = handler_for(tmp_path, bufferBytes=20)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    (tmp_path / os.path.basename(handler.activeFilename)).mkdir()
    for text in ("first", "second", "third" * 10):
        log(handler, text, now)
    assert (handler.waiting, handler.lost) == (2, 1)
    (tmp_path / os.path.basename(handler.activeFilename)).rmdir()
    handler.setFormatter(logging.Formatter("%(message)s %(request)s"))
    handler.flush()
    handler.close()
    [text] = texts(tmp_path).values()
    loss, *rest = text.splitlines()
    assert "1 lines were lost" in loss
    assert rest == ["first", "second"]


def test_nothing_waits_with_no_buffer(tmp_path, capsys):
    """`bufferBytes=0`: counted at once; at the end, what waits is reported as lost."""
    (tmp_path / NAME).mkdir()
    handler = handler_for(tmp_path, bufferBytes=0)
    log(handler, "one")
    assert (handler.waiting, handler.lost) == (0, 1)
    handler.close()
    other = handler_for(tmp_path)
    log(other, "two")
    assert other.waiting == 1
    other.close()
    assert (other.waiting, other.lost) == (0, 1)
    assert "1 lines are lost" in capsys.readouterr().err


def test_a_file_that_refuses_holds_up_no_other(tmp_path, capsys):
    """What waits for it comes later, in its order; a second file may refuse as well."""
    (tmp_path / DAY_BEFORE).mkdir()
    handler = handler_for(tmp_path)
    log(handler, "one")
    for text in ("late", "later"):
        log(handler, text, NOON - DAY)
        log(handler, f"after {text}")
    assert (tmp_path / NAME).read_text() == "one\nafter late\nafter later\n"
    assert handler.waiting == 2
    (tmp_path / "app.log.2001-09-10").mkdir()
    log(handler, "early", NOON + DAY)
    log(handler, "on time")
    assert handler.waiting == 3
    assert capsys.readouterr().err.count("--- Logging error ---") == 1  # it is the same error
    (tmp_path / DAY_BEFORE).rmdir()
    handler.flush()
    (tmp_path / "app.log.2001-09-10").rmdir()
    handler.flush()
    log(handler, "last", NOON - DAY)
    handler.close()
    assert texts(tmp_path) == {
        DAY_BEFORE: "late\nlater\nlast\n",
        NAME: "one\nafter late\nafter later\non time\n",
        "app.log.2001-09-10": "early\n",
    }
    assert (handler.waiting, handler.lost) == (0, 0)


def test_another_line_prompts_the_next_attempt(tmp_path, monkeypatch):
    """Once a file takes its lines again, no further line of its own is needed."""
    (tmp_path / DAY_BEFORE).mkdir()
    handler = handler_for(tmp_path)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    log(handler, "late", NOON - DAY)
    (tmp_path / DAY_BEFORE).rmdir()
    log(handler, "at once")
    assert handler.waiting == 1
    now = time.monotonic()
    monkeypatch.setattr("mplogging._file.backlog.monotonic", lambda: now + 1)
    log(handler, "a second after")
    assert handler.waiting == 0
    monkeypatch.undo()
    handler.close()
    assert texts(tmp_path) == {DAY_BEFORE: "late\n", NAME: "at once\na second after\n"}


def test_another_file_is_told_at_the_end(tmp_path, capsys):
    """Lines that one file refuses until the end: the log says how many they were."""
    (tmp_path / DAY_BEFORE).mkdir()
    handler = handler_for(tmp_path)
    log(handler, "late", NOON - DAY)
    log(handler, "later", NOON - DAY)
    present = os.path.basename(handler.activeFilename)
    handler.close()
    (tmp_path / DAY_BEFORE).rmdir()
    [loss] = texts(tmp_path)[present].splitlines()
    assert loss.startswith("2 lines were lost") and DAY_BEFORE in loss
    assert handler.lost == 2
    assert "2 lines are lost at its end" in capsys.readouterr().err


def test_more_than_a_piece_waits(tmp_path, monkeypatch):
    """Everything is written, in order, though it is more than one write takes."""
    (tmp_path / NAME).mkdir()
    handler = handler_for(tmp_path)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    for number in range(2500):
        log(handler, str(number))
    assert handler.waiting == 2500
    (tmp_path / NAME).rmdir()
    handler.flush()
    handler.close()
    assert texts(tmp_path)[NAME].split() == [str(number) for number in range(2500)]


def test_a_time_without_a_file_harms_no_other(tmp_path, capsys):
    """It goes to `handleError`, though the disk refuses; the others wait, and are written."""
    (tmp_path / NAME).mkdir()
    handler = handler_for(tmp_path)
    for text, created in (("one", NOON), ("nan", float("nan")), ("two", NOON)):
        log(handler, text, created)
    (tmp_path / NAME).rmdir()
    handler.flush()
    handler.close()
    assert texts(tmp_path) == {NAME: "one\ntwo\n"}
    assert "created must be finite" in capsys.readouterr().err


def test_a_session_goes_on(tmp_path, capsys):
    """A late record that can't be written stops neither the others nor the end."""
    with LogSession(tmp_path / "app.log", format="%(message)s", utc=True) as session:
        path = session.activeFilename
        yesterday = time.strftime("app.log.%Y-%m-%d", time.gmtime(time.time() - DAY))
        (tmp_path / yesterday).mkdir()
        late = logging.makeLogRecord({"msg": "late", "created": time.time() - DAY, "levelno": 20})
        logging.getLogger().handle(late)
        assert session.flush(0.1) is False
        logging.info("on time")
        assert session.flush(0.1) is False
        with open(path, encoding="utf-8") as file:
            assert file.read() == "on time\n"
        (tmp_path / yesterday).rmdir()
        assert session.flush(10) is True
    assert texts(tmp_path)[yesterday] == "late\n"
    assert session.stats().lost == 0


def test_a_report_that_raises(tmp_path, monkeypatch):
    """`handleError` may raise, as `logging` allows: the lines are there all the same."""
    handler = handler_for(tmp_path)

    def refuse(record):
        raise RuntimeError("no")

    monkeypatch.setattr(handler, "handleError", refuse)
    (tmp_path / NAME).mkdir()
    with pytest.raises(RuntimeError):
        log(handler, "one")
    log(handler, "two")
    assert handler.waiting == 2
    (tmp_path / NAME).rmdir()
    handler.flush()
    handler.close()
    assert texts(tmp_path) == {NAME: "one\ntwo\n"}


@pytest.mark.parametrize("is_raising", [True, False])
def test_an_interrupting_line_without_a_file(tmp_path, monkeypatch, is_raising):
    """It is counted and reported, once; the other that interrupts is written."""
    handler = handler_for(tmp_path)
    log(handler, "before")
    reports = []

    def report(record):
        reports.append(record.getMessage())
        if is_raising:
            raise RuntimeError("no")

    monkeypatch.setattr(handler, "handleError", report)
    file = handler._series.newest_file
    append = file.append

    def interrupted(chunks):
        monkeypatch.setattr(file, "append", append)
        handler._write(float("nan"), [b"nan\n"])
        handler._write(NOON, [b"other\n"])
        append(chunks)

    monkeypatch.setattr(file, "append", interrupted)
    with contextlib.suppress(RuntimeError):
        log(handler, "interrupted")
    log(handler, "after")
    handler.close()
    text = texts(tmp_path)[NAME]
    assert sorted(text.split()) == ["after", "before", "interrupted", "other"]
    assert [message for message in reports if "nan" in message] == reports[:1]
    assert handler.lost == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_begins_at_zero(tmp_path, monkeypatch):
    """What its parent lost, and wrote late, is the parent's."""
    handler = handler_for(tmp_path, bufferBytes=0)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    (tmp_path / NAME).mkdir()
    log(handler, "lost")
    log(handler, "newest", NOON + DAY)
    log(handler, "late", NOON - DAY)
    assert (handler.lost, handler.late) == (1, 1)
    child = os.fork()
    if child == 0:
        os._exit(handler.lost + handler.late)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    handler.close()


def test_memory_is_given_back(tmp_path, monkeypatch):
    """What has been written no longer counts for `bufferBytes`."""
    handler = handler_for(tmp_path, bufferBytes=10)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    for name, created in ((NAME, NOON), (DAY_BEFORE, NOON - DAY)):
        (tmp_path / name).mkdir()
        log(handler, "12345678", created)
        assert (handler.waiting, handler.lost) == (1, 0)
        (tmp_path / name).rmdir()
        handler.flush()
    handler.close()
    assert texts(tmp_path) == {NAME: "12345678\n", DAY_BEFORE: "12345678\n"}


def test_room_for_some(tmp_path, monkeypatch):
    """The others follow, once; and no attempt is made for each line that comes meanwhile."""
    handler = handler_for(tmp_path)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    (tmp_path / NAME).mkdir()
    for number in range(5):
        log(handler, str(number))
    (tmp_path / NAME).rmdir()
    append, attempts = handler._series.append, []

    def append_some(created, chunks):
        attempts.append(len(chunks))
        append(created, chunks[:2])
        raise Failed(chunks[2:]) from OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(handler._series, "append", append_some)
    now = time.monotonic()
    monkeypatch.setattr("mplogging._file.backlog.monotonic", lambda: now + 1)
    for number in range(5, 8):
        log(handler, str(number))
    assert attempts == [5] and handler.waiting == 6
    monkeypatch.undo()
    handler.close()
    assert texts(tmp_path) == {NAME: "".join(f"{number}\n" for number in range(8))}


def test_the_loss_waits_too(tmp_path, monkeypatch):
    """The present file refuses as well: the word of another's loss comes when it can."""
    handler = handler_for(tmp_path, bufferBytes=0)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    present = tmp_path / os.path.basename(handler.activeFilename)
    for path in (present, tmp_path / DAY_BEFORE):
        path.mkdir()
    log(handler, "late", NOON - DAY)
    (tmp_path / DAY_BEFORE).rmdir()
    handler.flush()
    present.rmdir()
    handler.flush()
    handler.close()
    assert present.read_text().startswith("1 lines were lost")


@pytest.mark.parametrize("is_there_room", [True, False])
def test_a_child_that_ends_while_lines_wait(tmp_path, context, capfd, is_there_room):
    """It runs no `atexit`: they are written all the same, or their loss is told."""
    child = context.Process(target=end_while_lines_wait, args=(str(tmp_path), is_there_room))
    child.start()
    child.join()
    assert child.exitcode == 0
    files = texts(tmp_path)
    if is_there_room:
        assert files == {NAME: "one\ntwo\n"}
    else:
        [text] = files.values()
        assert text.startswith("2 lines were lost")
    if context.get_start_method() != "forkserver":  # whose stderr is its server's
        assert ("2 lines are lost at its end" in capfd.readouterr().err) != is_there_room


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "mplogging-backlog"]


def test_lines_are_written_by_themselves(tmp_path, monkeypatch):
    """Once there is room, though nobody logs; then nothing is left of it."""
    handler = handler_for(tmp_path, bufferBytes=8)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    for _ in range(2):
        (tmp_path / NAME).mkdir()
        for text in ("one", "two", "lost"):
            log(handler, text)
        assert (handler.waiting, len(threads())) == (2, 1)
        (tmp_path / NAME).rmdir()
        eventually((tmp_path / NAME).exists)
        eventually(lambda: not threads())
        assert texts(tmp_path)[NAME] == "one\ntwo\n"
        (tmp_path / NAME).unlink()
        with handler.lock:
            handler._series.close()
    today = os.path.basename(handler.activeFilename)
    assert texts(tmp_path)[today].count("1 lines were lost") == 2  # this is told too
    handler.close()


def test_an_end_while_lines_wait(tmp_path, capsys):
    """Closing ends the thread; a line that waits after it is seen to again."""
    handler = handler_for(tmp_path)
    (tmp_path / NAME).mkdir()
    log(handler, "one")
    handler.close()
    eventually(lambda: not threads())
    log(handler, "two")
    assert len(threads()) == 1
    (tmp_path / NAME).rmdir()
    eventually((tmp_path / NAME).exists)
    eventually(lambda: not threads())
    handler.close()
    assert texts(tmp_path)[NAME] == "two\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_writes_by_itself_too(tmp_path, monkeypatch):
    """Its parent's thread is not there; the parent's lines are not the child's."""
    handler = handler_for(tmp_path)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    (tmp_path / NAME).mkdir()
    log(handler, "parent")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            log(handler, "child")
            (tmp_path / NAME).rmdir()
            eventually(lambda: not handler.waiting)
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    eventually(lambda: not handler.waiting)
    handler.close()
    assert sorted(texts(tmp_path)[NAME].split()) == ["child", "parent"]


def test_the_report_does_not_show_the_lines(tmp_path, capsys):
    """They may be confidential; not even the exceptions that led to it know them."""
    handler = handler_for(tmp_path)
    text, shown = "".join(["se", "cret"]), []  # shown stacks have the source's words

    class Showing(logging.Handler):
        def handleError(self, record):
            shown.append(sys.exc_info()[1])

    (tmp_path / NAME).mkdir()
    log(handler, text)
    handler.handleError = Showing().handleError
    handler.close()
    told = capsys.readouterr().err
    assert "lines wait in memory" in told
    assert text not in told
    for error in shown:
        while error is not None:
            assert text not in repr(vars(error)) + repr(error)
            error = error.__cause__ or error.__context__


def test_large_lines_wait_in_small_pieces(tmp_path, monkeypatch):
    """A backlog of any size takes no more memory to be written than a small one."""
    handler = handler_for(tmp_path)
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    (tmp_path / NAME).mkdir()
    for number in range(50):
        log(handler, str(number) * 100_000)
    (tmp_path / NAME).rmdir()
    append, sizes = handler._series.append, []

    def noted(created, chunks):
        sizes.append(sum(map(len, chunks)))
        append(created, chunks)

    monkeypatch.setattr(handler._series, "append", noted)
    handler.flush()
    handler.close()
    assert texts(tmp_path)[NAME].split() == [str(number) * 100_000 for number in range(50)]
    assert max(sizes) <= 1 << 20


class Alarm(BaseException):
    """What a signal handler raises."""


def interrupted(call, after):
    """Call it, and raise before that many instructions of mplogging's; True if it came to that."""
    left = after

    def trace(frame, event, argument):
        nonlocal left
        if not frame.f_globals.get("__name__", "").startswith("mplogging."):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left < 0:
                raise Alarm
        return trace

    sys._getframe().f_trace_opcodes = True  # 3.12 must hear of it before
    sys.settrace(trace)
    try:
        call()
    except Alarm:
        return True
    finally:
        sys.settrace(None)
    return False


@pytest.mark.parametrize("options", [{}, {"lock": False}, {"maxBytes": 5000}])
@pytest.mark.parametrize("opens, step", [(False, 1), (True, 13)])
@pytest.mark.filterwarnings("ignore:unclosed scandir:ResourceWarning")
def test_an_exception_at_any_instruction(tmp_path, options, opens, step):
    """As a signal handler raises it: the next line is in the file when its call returns."""
    opened = open_descriptors()
    handler = handler_for(tmp_path, **options)
    log(handler, "before")
    after = []
    is_over = False
    while not is_over:
        count = step * len(after)
        if opens:
            handler.close()
        is_over = not interrupted(lambda: log(handler, f"maybe {count}"), count)  # noqa: B023
        after.append(f"after {count}")
        log(handler, after[-1])
        assert handler.waiting == 0
    handler.close()
    for descriptor in open_descriptors().keys() - opened:
        os.close(descriptor)  # it was just opened, and nobody had it yet
    lines = "".join(texts(tmp_path).values()).splitlines()
    assert len(after) > 100
    assert [line for line in lines if line.startswith("after")] == after
    maybe = [line for line in lines if line.startswith("maybe")]
    assert len(maybe) == len(set(maybe)) and len(lines) == 1 + len(after) + len(maybe)


def test_no_memory_to_join_the_lines(tmp_path, monkeypatch):
    """They wait, each once, and are written when there is some."""
    handler = handler_for(tmp_path)
    reports = []
    monkeypatch.setattr(handler, "handleError", lambda record: reports.append(record.getMessage()))

    class Lines(list):
        def __iter__(self):
            raise MemoryError

    log(handler, "before")
    handler._series.newest_file._fitting = lambda chunks, end: Lines(chunks)
    handler._series.newest_file._max_bytes = 1
    handler._write(NOON, [b"one\n", b"two\n"])
    assert handler.waiting == 2
    assert "MemoryError" in reports[0]
    handler._series.newest_file._max_bytes = 0
    handler.flush()
    handler.close()
    assert texts(tmp_path) == {NAME: "before\none\ntwo\n"}
