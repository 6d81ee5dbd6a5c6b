"""The compiled path gives byte for byte what `logging.Formatter` gives."""

from __future__ import annotations

import copy
import datetime
import itertools
import logging
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mplogging import ConfigError
from mplogging._file.lines import LineFormat

MOMENTS = (0.0, 1.999999, -0.5, -1.0, -86_400.25, 1_000_000_000.9999, 1_711_846_800.0, 2**31 + 0.5)


def raised():
    try:
        raise ValueError("wrong")
    except ValueError:
        return sys.exc_info()


def records():
    texts = [{"msg": "plain"}, {"msg": "%s and %d", "args": ("ü", 3)}, {"msg": "ends\n"},
             {"msg": ""}, {"msg": "100%"}, {"msg": 17}, {"msg": "%(k)s", "args": {"k": 1}}]
    extras = [{}, {"exc_info": raised()}, {"stack_info": "Stack (most recent call last):"},
              {"exc_info": raised(), "stack_info": "Stack\n"}, {"exc_text": "kept\n"},
              {"exc_text": "kept\n", "stack_info": "Stack"},
              {"exc_info": raised(), "exc_text": "x"}]
    for text, extra in itertools.product(texts, extras):
        yield {"name": "a.b", "levelname": "INFO", "levelno": 20, "lineno": 7, "a.b": 8,
               **text, **extra}
    for created in MOMENTS:
        yield {"msg": "x", "name": "a", "a.b": 9, "created": created, "msecs": created % 1 * 1000,
               "levelname": "INFO", "levelno": 20, "lineno": 7}


class Subclass(logging.Formatter):
    default_msec_format = "%s.%03d"
    default_time_format = "%H-%M-%S"
    converter = time.gmtime


class OwnTime(logging.Formatter):
    def formatTime(self, record, datefmt=None):
        return f"<{record.created}>"


class OwnMessage(logging.Formatter):
    def formatMessage(self, record):
        return "<" + super().formatMessage(record) + ">"


class OwnException(logging.Formatter):
    def formatException(self, ei):
        return ""

    def formatStack(self, stack_info):
        return "<" + stack_info + ">\n"


class OwnFormat(logging.Formatter):
    def format(self, record):
        return super().format(record).upper()


class OwnConverter(logging.Formatter):
    def converter(self, seconds):
        return datetime.datetime.fromtimestamp(round(seconds)).timetuple()


class NoMilliseconds(logging.Formatter):
    default_msec_format = None


class NeverTime(logging.Formatter):
    def usesTime(self):
        return False


def formatters():
    percent = ["%(message)s", "%(asctime)s %(levelname)-8s %(name)s %(message)s",
               "%(asctime)s %(message)s %(asctime)s", "100%% %(levelno)05d %(message).3s!",
               "%(lineno)x %(created).2f %(msecs)03d %(message)r", "%(message)s %(name)s\n",
               "%(asctime)s", "%(a.b)s %(message)s"]
    for pattern in percent:
        for datefmt in (None, "%Y/%m/%d %H:%M", ""):
            yield logging.Formatter(pattern, datefmt)
    yield logging.Formatter("{asctime} {levelname:>9} {message}", style="{")
    yield logging.Formatter("$asctime ${levelname} $message", style="$")
    yield logging.Formatter()
    pattern = "%(asctime)s %(name)s %(message)s"
    for kind in (Subclass, OwnTime, OwnMessage, OwnException, OwnFormat, OwnConverter,
                 NoMilliseconds, NeverTime):
        if kind is not NeverTime:
            yield kind(pattern)
        yield kind("%(name)s %(message)s")
    if sys.version_info >= (3, 10):
        yield logging.Formatter("%(request)s %(message)s", defaults={"request": "none"})
    for name, value in (
        ("converter", time.gmtime), ("datefmt", "%H"), ("default_msec_format", "%s;%d"),
        ("formatTime", lambda record, datefmt=None: "then"), ("format", lambda record: "all"),
        ("formatMessage", lambda record: "message"), ("formatException", lambda info: "oops"),
        ("usesTime", lambda: True), ("formatStack", lambda text: text + "!"),
    ):
        formatter = logging.Formatter(pattern)
        setattr(formatter, name, value)
        yield formatter


@pytest.mark.parametrize("formatter", list(formatters()), ids=lambda f: type(f).__name__)
def test_as_the_formatter_has_it(formatter):
    """Over many formats, styles, overrides and records; and the record's attributes too."""
    lines = LineFormat(formatter)
    for attributes in records():
        one, other = (logging.makeLogRecord(attributes) for _ in range(2))
        one.__dict__.update(other.__dict__)
        assert lines.line(one) == (formatter.format(other) + "\n").encode()
        assert one.__dict__ == other.__dict__


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        return type(error), str(error)


def test_whatever_the_format():
    """Of random formats and records: the same line, or the same error, as ever.

    Times and milliseconds come again, so that what is kept of them is used.
    """
    choose = random.Random(1).choice
    fields = ("asctime", "message", "levelname", "msecs", "created", "lineno", "own", "nothing")
    fields = [f"%({name}){spec}" for name in fields for spec in ("s", "s", "-9s", "03d", "r", "%")]
    for _ in range(3000):
        pattern = "".join(choose(fields) + choose(["", " ", "%%", "ü\n"]) for _ in range(4))
        kind = choose([logging.Formatter, logging.Formatter, Subclass, NoMilliseconds])
        formatter = kind(pattern, choose([None, None, "%H:%M", "%%%d", ""]), validate=False)
        formatter.default_msec_format = choose(["%s,%03d", "%s,%03d", "%%%s.%d", "", "%s"])
        terminator = choose(["\n", "\r\n", "%s", ""])
        line = LineFormat(formatter, terminator=terminator).line
        for _ in range(4):
            attributes = {
                "msg": choose(["a %s", "%", "ü\n", "\ud800"]), "args": choose([None, (), ("b",)]),
                "created": choose([1e9, 1e9 + 0.001, 1e9 + 1, -1.5, 1e18, float("nan")]),
                "msecs": choose([0, 1.0, 1.5, 999.0]), "own": choose(["%s", None]),
                "exc_info": choose([None, None, raised()]),
            }
            expected = outcome(formatter.format, logging.makeLogRecord(attributes))
            if isinstance(expected, str):
                expected = (expected + terminator).encode("utf-8", "backslashreplace")
            assert outcome(line, logging.makeLogRecord(attributes)) == expected, pattern


def marked(self, record, datefmt=None):
    return f"<{record.created}>"


PATCHES = {
    "converter": time.gmtime, "default_msec_format": "%s.%03d", "default_time_format": "%H-%M",
    "formatTime": marked, "formatMessage": lambda self, record: "<message>",
    "format": lambda self, record: "<all>", "usesTime": lambda self: True,
    "formatException": lambda self, info: "<trace>",
}
FORMATTERS = {
    "default": logging.Formatter("%(asctime)s %(levelname)s %(message)s"),
    "datefmt": logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"),
    "brace": logging.Formatter("{asctime} {message}", style="{"),
    "subclass": type("Own", (logging.Formatter,), {})("%(asctime)s %(message)s"),
}


@pytest.fixture
def zone(monkeypatch):
    """Sets the time zone, as Django does; it is put back."""

    def set_zone(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    set_zone("Asia/Kolkata")
    yield set_zone
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("newlines", ["keep", "escape"])
@pytest.mark.parametrize("kind", FORMATTERS)
@pytest.mark.parametrize("name", PATCHES)
def test_what_is_changed_for_all_formatters(monkeypatch, zone, name, kind, newlines):
    """On the class, later: each line is as the formatter has it, from the next millisecond on."""
    formatter = FORMATTERS[kind]
    line = LineFormat(formatter, newlines=newlines).line
    attributes = {
        "msg": "x", "created": 1e9, "msecs": 0.0, "name": "a", "exc_info": raised(),
        "levelname": "INFO",
    }

    def check():
        if name not in ("converter", "formatException"):  # these at once
            attributes["created"] += 0.001
            attributes["msecs"] += 1.0
        one, other = (logging.makeLogRecord(attributes) for _ in range(2))
        expected = formatter.format(other)
        if newlines == "escape":
            expected = "\n    ".join(expected.splitlines())
        assert line(one).decode() == expected + "\n"
        assert one.__dict__.get("asctime") == other.__dict__.get("asctime")

    check()
    monkeypatch.setattr(logging.Formatter, name, PATCHES[name])
    check()
    check()
    monkeypatch.undo()
    check()


@pytest.mark.parametrize("kind", FORMATTERS)
def test_the_zone_is_set(zone, kind):
    """Each line is of the zone that is set, within the second too."""
    formatter = FORMATTERS[kind]
    line = LineFormat(formatter).line
    texts = set()
    for name in ("Asia/Kolkata", "UTC", "America/New_York", "Asia/Kolkata"):
        zone(name)
        record = logging.makeLogRecord(
            {"msg": "x", "created": 1e9, "msecs": 0.0, "levelname": "INFO"}
        )
        texts.add(line(record).decode())
        assert line(record).decode() == formatter.format(record) + "\n"
    assert len(texts) == 3


def test_a_clock_that_one_formatter_gets_later(zone):
    """`formatter.converter = time.gmtime`, after `setFormatter`, as is often written."""
    formatter = logging.Formatter("%(asctime)s %(message)s")
    line = LineFormat(formatter).line
    record = logging.makeLogRecord({"msg": "x", "created": 1e9})
    line(record)
    for formatter.converter in (time.gmtime, time.localtime, lambda seconds: time.gmtime(0)):
        assert line(record).decode() == formatter.format(record) + "\n"


@pytest.mark.parametrize("name, value", [
    ("converter", "time.gmtime"), ("default_msec_format", "'%s.%03d'"),
    ("formatTime", "lambda self, record, datefmt=None: 'then'"),
    ("format", "lambda self, record: 'all'"),
    ("formatMessage", "lambda self, record: 'message'"),
    ("usesTime", "lambda self: False"),
])
def test_what_was_changed_before_the_import(name, value):
    """It is taken for no part of the standard library."""
    program = (
        "import logging, sys, time\n"
        f"logging.Formatter.{name} = {value}\n"
        "from mplogging._file.lines import LineFormat\n"
        "record = logging.makeLogRecord({'msg': 'x', 'created': 1e9, 'msecs': 0.0})\n"
        "for text in ('%(asctime)s %(message)s', '%(message)s'):\n"
        "    formatter = logging.Formatter(text)\n"
        "    record.asctime = 'unset'\n"
        "    expected = formatter.format(record) + '\\n'\n"
        "    record.asctime = 'unset'\n"
        "    got = LineFormat(formatter).line(record).decode()\n"
        "    assert got == expected, (got, expected)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60,
        env={**os.environ, "TZ": "Asia/Kolkata",
             "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("field", ["nothing", "name.upper", "getMessage", "__class__"])
def test_fields_that_are_not_there(field):
    """The same error as ever; what merely is an attribute is no field."""
    formatter = logging.Formatter(f"%(name)s %({field})s")
    record = logging.makeLogRecord({"msg": "x"})
    with pytest.raises(ValueError) as expected:
        formatter.format(copy.copy(record))
    with pytest.raises(ValueError) as got:
        LineFormat(formatter).line(record)
    assert str(got.value) == str(expected.value)


@pytest.mark.parametrize("newlines, text", [
    ("keep", "a\nb\tc\nTrace\n  of it"),
    ("escape", "a\\nb\\tc\n    Trace\n      of it"),
    ("indent", "a\n    b\tc\n    Trace\n      of it"),
])
def test_newlines(newlines, text):
    """No line of data can pass for the beginning of a record; the record is as it was."""
    record = logging.makeLogRecord({"msg": "a\nb\tc", "exc_text": "Trace\n  of it"})
    assert LineFormat(logging.Formatter(), newlines=newlines).line(record) == text.encode() + b"\n"
    assert record.exc_text == "Trace\n  of it"


@pytest.mark.parametrize("newlines, text", [
    ("escape", "<A\n    B\\tC\n    TRACE\n      OF IT>"),
    ("indent", "<A\n    B\tC\n    TRACE\n      OF IT>"),
])
def test_newlines_of_a_formatter_of_ones_own(newlines, text):
    """It alone knows where the trace begins: each further line is indented."""

    class Own(logging.Formatter):
        def format(self, record):
            return "<" + super().format(record).upper() + ">"

    record = logging.makeLogRecord({"msg": "a\nb\tc", "exc_text": "Trace\n  of it"})
    assert LineFormat(Own(), newlines=newlines).line(record) == text.encode() + b"\n"


def test_a_formatter_that_is_changed_later():
    """What it was when it was set holds."""
    formatter = logging.Formatter("%(asctime)s %(message)s", "%Y")
    line = LineFormat(formatter).line
    record = logging.makeLogRecord({"msg": "x", "created": 1e9})
    before = line(record)
    formatter.datefmt = "%H:%M"
    formatter.default_msec_format = None
    assert line(logging.makeLogRecord({"msg": "x", "created": 1e9 + 7200})) == before


def test_any_object_that_formats():
    """`dictConfig` takes one, so do we."""

    class Duck:
        def format(self, record):
            return "quack"

    assert LineFormat(Duck()).line(logging.makeLogRecord({})) == b"quack\n"


@pytest.mark.parametrize("errors, line", [
    ("backslashreplace", b"\\udcff\n"), ("replace", b"?\n"), ("surrogateescape", b"\xff\n"),
])
def test_encoding_errors(errors, line):
    """As `errors` says."""
    record = logging.makeLogRecord({"msg": "\udcff"})
    assert LineFormat(logging.Formatter(), errors=errors).line(record) == line


def test_bad_arguments():
    """Each by its name."""
    for name, value in (("encoding", "x"), ("errors", "x"), ("newlines", "x")):
        with pytest.raises(ConfigError, match=name):
            LineFormat(logging.Formatter(), **{name: value})
