"""An exception arrives in another process: its class, chain and places, or what is known of it."""

from __future__ import annotations

import gc
import logging
import sys
import traceback
import weakref

import pytest
from conftest import texts

import mplogging
from mplogging._exceptions import dump, load
from mplogging._records import dump_record, load_record


class NeedsTwo(Exception):
    """Does not come out of its pickle: `__init__` takes what `args` has not."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


class Sore(Exception):
    def __str__(self):
        raise RuntimeError("no words")

    def __reduce__(self):
        raise RuntimeError("no pickle")


def fail(error):
    raise error


def caught(*errors):
    """What `sys.exc_info` gives for the last, which is raised from the one before, and so on."""
    cause = None
    for error in errors:
        error.__cause__ = cause
        try:
            fail(error)
        except BaseException as raised:
            cause = raised
            exc_info = sys.exc_info()
    return exc_info


def shown(exc_info):
    """Its text, but for the marks below source lines, which a version may make or not."""
    lines = "".join(traceback.format_exception(*exc_info)).splitlines()
    return [line for line in lines if set(line) - set(" ^~")]


@pytest.mark.parametrize("errors", [
    [ValueError("one")], [KeyError("a"), ValueError("b"), OSError(2, "none")],
    [NeedsTwo("a", "b")], [NeedsTwo("a", "b"), ValueError("c")], [KeyboardInterrupt()],
    [UnicodeDecodeError("utf-8", b"x", 0, 1, "why")],
], ids=repr)  # fmt: skip
def test_it_reads_as_where_it_was_raised(errors):
    """Its class's name, its text, what it was raised from, and each place with its source."""
    exc_info = caught(*errors)
    kind, error, places = load(dump(exc_info))
    assert shown((kind, error, places)) == shown(exc_info)
    assert error.__traceback__ is places and type(error) is kind
    assert (kind.__module__, kind.__qualname__) == (
        exc_info[0].__module__, exc_info[0].__qualname__,
    )  # fmt: skip
    assert places.tb_next.tb_frame.f_code.co_name == "fail"
    assert places.tb_next.tb_frame.f_globals["__name__"] == __name__


def test_its_class_is_the_same_where_it_can_be():
    """So that a handler can tell kinds apart."""
    assert load(dump(caught(OSError(2, "none"))))[0] is FileNotFoundError
    assert load(dump(caught(NeedsTwo(1, 2))))[0] is not NeedsTwo


def test_what_was_hidden_stays_so():
    """`raise … from None`, and an exception that came while another was handled."""
    def within(**how):
        try:
            try:
                fail(KeyError("first"))
            except KeyError:
                if how:
                    raise ValueError("second") from how["cause"]
                fail(ValueError("second"))
        except ValueError:
            return sys.exc_info()

    for exc_info in (within(), within(cause=None)):
        assert shown(load(dump(exc_info))) == shown(exc_info)


def test_a_chain_in_a_circle_and_one_without_end():
    """Each exception once, and no more than can be of use."""
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    _, error, _ = load(dump((ValueError, first, None)))
    assert error.__context__.__context__ is error
    error = ValueError(0)
    for number in range(1, 1000):
        above = ValueError(number)
        above.__cause__, error = error, above
    assert load(dump((ValueError, error, None)))[1].args == (999,)


def test_what_is_no_exception():
    """What logging takes all the same, and exceptions that are sore, or too large."""
    assert dump((None, None, None)) is dump(True) is None
    kind, error, _ = load(dump(caught(Sore())))
    assert (kind.__name__, str(error)) == ("Sore", "<str() of the exception failed>")
    _, error, _ = load(dump(caught(ValueError("x" * 1_000_000))))
    assert len(str(error)) == 1_000_000


def test_nothing_is_kept_alive():
    """Who keeps the exception does not keep what the one who loaded it had at hand."""
    class Marked:
        pass

    def arrived(data):
        here = Marked()
        return load(data), weakref.ref(here)

    data = dump(caught(ValueError("x")))
    gc.disable()
    try:
        exc_info, here = arrived(data)
        assert here() is None
        assert exc_info[2].tb_frame.f_back is None
    finally:
        gc.enable()


def test_a_record_has_both():
    """The text as it was made, and the exception."""
    record = logging.makeLogRecord({"msg": "x", "exc_info": caught(ValueError("one"))})
    arrived, problem = load_record(dump_record(record))
    assert problem is None
    assert arrived.exc_text == logging.Formatter().formatException(record.exc_info)
    assert shown(arrived.exc_info) == shown(record.exc_info)
    assert logging.Formatter().format(arrived) == logging.Formatter().format(record)


def work():
    try:
        fail(NeedsTwo("a", "b"))
    except NeedsTwo as error:
        try:
            raise LookupError("gone") from error
        except LookupError:
            logging.exception("it failed")


class Looks(logging.Handler):
    """As an exporter does: at the exception, not at the text."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.seen = []

    def emit(self, record):
        kind, error, places = record.exc_info
        self.seen.append((kind, str(error), type(error.__cause__).__name__, places.tb_lineno))


def test_a_handler_in_the_parent_looks_at_it(tmp_path, context):
    """Whichever process logs it."""
    looks = Looks()
    with mplogging.LogSession(tmp_path / "app.log", handlers=[looks]):
        process = context.Process(target=work)
        process.start()
        process.join()
        work()
    here = (LookupError, "gone", "NeedsTwo", work.__code__.co_firstlineno + 5)
    assert looks.seen == [here, here]
    (text,) = texts(tmp_path).values()
    assert text.count("LookupError: gone\n") == text.count("NeedsTwo: a and b\n") == 2
