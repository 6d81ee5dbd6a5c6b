"""A record arrives in another process with all that can travel, and never takes a writer down."""

from __future__ import annotations

import enum
import logging
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mplogging._records import dump_record, load_record

FORMATS = (
    "%(asctime)s %(levelname)s %(processName)s[%(process)d] %(name)s: %(message)s",
    "%(filename)s:%(lineno)d %(funcName)s %(threadName)s %(process)d %(thread)d %(message)s",
    "%(pathname)s %(module)s %(created)f %(msecs)d %(relativeCreated)d %(levelno)s %(message)s",
)


class Silent:
    """Can't be pickled, and its repr raises."""

    def __reduce__(self):
        raise TypeError("stays here")

    def __repr__(self):
        raise ValueError("and says nothing")


class Level(enum.IntEnum):
    AUDIT = 25


class Name(str, enum.Enum):
    API = "api"


class Exact(float):
    pass


def record_of(msg: object = "hello", *args: object, extra=None, **kwargs) -> logging.LogRecord:
    """What a logger makes of this call."""
    logger = logging.getLogger("records")
    name = kwargs.pop("name", "records")
    level = kwargs.pop("level", logging.INFO)
    exc_info, sinfo = kwargs.pop("exc_info", None), kwargs.pop("sinfo", None)
    return logger.makeRecord(
        name, level, __file__, 17, msg, args, exc_info, "function", extra, sinfo
    )


def there_and_back(record: logging.LogRecord) -> logging.LogRecord:
    loaded, problem = load_record(dump_record(record))
    assert problem is None
    return loaded


def caught() -> tuple:
    try:
        raise KeyError("the cause")
    except KeyError as cause:
        try:
            raise RuntimeError("the effect") from cause
        except RuntimeError:
            return sys.exc_info()


# --- what travels -----------------------------------------------------------------------


@pytest.mark.parametrize("pattern", FORMATS)
@pytest.mark.parametrize(
    "record",
    [
        record_of("plain"), record_of("%s and %d", "text", 5), record_of("%(a)s", {"a": 1}),
        record_of("with a traceback", exc_info=caught()),
        record_of("with a stack", sinfo="Stack (most recent call last):\n  here"),
        record_of("with both", exc_info=caught(), sinfo="Stack:\n  here"),
        record_of("no exception", exc_info=(None, None, None)),
        record_of("lines\nof\r\nmany\x00kinds\x1b[31m"), record_of("lone \ud800 surrogate"),
        record_of(17), record_of(""), record_of("100%"),
    ],
    ids=lambda record: str(record.msg)[:12].encode("ascii", "replace").decode().split("\n")[0],
)  # fmt: skip
def test_same_text_in_the_reader(pattern, record):
    """A formatter makes the same of it there as here."""
    formatter = logging.Formatter(pattern)
    loaded = there_and_back(record)
    assert formatter.format(loaded) == formatter.format(record)
    assert bool(loaded.exc_info) == bool(record.exc_info and record.exc_info[0])
    assert (loaded.msg, loaded.args or ()) == (record.msg, record.args)


class Point:
    """Reads otherwise in every process."""

    def __init__(self, x):
        self.x = x


def test_message_and_arguments_of_the_programs_own():
    """They are themselves, but the text is the one that was made where they were logged."""
    point = Point(3)
    record = record_of("at %s", point)
    loaded = there_and_back(record)
    assert loaded.args[0].x == 3 and loaded.args[0] is not point
    assert loaded.getMessage() == f"at {point}"
    loaded.msg = "now at %s"
    assert loaded.getMessage() == f"now at {loaded.args[0]}"
    assert type(pickle.loads(pickle.dumps(loaded))) is logging.LogRecord


def test_a_dictionary_as_the_message():
    """As structlog and formatters for JSON have it; what can't travel in it is told."""
    lock = threading.Lock()
    record = record_of({"event": "hello", "list": [1, {"a": 2}], "lock": lock})
    loaded = there_and_back(record)
    assert loaded.msg == {"event": "hello", "list": [1, {"a": 2}], "lock": repr(lock)}
    assert loaded.getMessage() == str(record.msg)


@pytest.mark.parametrize("arg", [threading.Lock(), list(range(100_000))], ids=["lock", "large"])
def test_arguments_that_do_not_travel(arg):
    """The text does. An argument of many bytes takes no more room than its text."""
    loaded = there_and_back(record_of("%.9s", arg))
    assert (loaded.getMessage(), loaded.args) == (str(arg)[:9], None)


class Slotted(logging.LogRecord):
    __slots__ = ("request",)


def test_fields_in_slots():
    """Of a class that the program's record factory makes."""
    record = Slotted("api", logging.INFO, __file__, 1, "hello", (), None)
    record.request = "r1"
    assert there_and_back(record).request == "r1"


def test_the_traceback_stays_apart():
    """It travels as `exc_text`, not within the message."""
    loaded = there_and_back(record_of("failed", exc_info=caught()))
    assert loaded.getMessage() == "failed"
    assert "KeyError: 'the cause'" in loaded.exc_text
    assert loaded.exc_text.endswith("RuntimeError: the effect")


def test_a_formatted_traceback_is_kept():
    """What a formatter has made of the exception already is not made again."""
    record = record_of("failed", exc_info=caught())
    record.exc_text = "in short: it failed"
    assert there_and_back(record).exc_text == "in short: it failed"


def test_the_record_stays_as_it_was():
    """Other handlers of the same process find message, arguments and exception in place."""
    record = record_of("%s", "x", exc_info=caught(), extra={"lock": threading.Lock()})
    before = dict(record.__dict__)
    dump_record(record)
    assert {**record.__dict__, "exc_text": None} == before


def test_extra():
    """Fields of `extra=` keep their types."""
    extra = {
        "user": "x", "number": 1, "ratio": 0.5, "nothing": None, "flag": True,
        "path": Path("/a"), "nested": {"a": [1, (2,)]}, "level": Level.AUDIT, "data": b"\0",
    }  # fmt: skip
    loaded = there_and_back(record_of(extra=extra))
    assert {name: getattr(loaded, name) for name in extra} == extra
    assert {name: type(getattr(loaded, name)) for name in extra} == {
        name: type(value) for name, value in extra.items()
    }


@pytest.mark.parametrize("msg, args", [("%d", ("x",)), ("%s %s", ("one",)), ("%(a)s", ({},))])
def test_arguments_that_do_not_fit(msg, args):
    """The error is raised where the record was logged."""
    with pytest.raises((TypeError, KeyError)):
        dump_record(record_of(msg, *args))


# --- what doesn't -----------------------------------------------------------------------


def test_what_cannot_be_pickled_arrives_as_its_repr():
    """Or as a word on why there is none; the other fields are themselves."""
    lock = threading.Lock()
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    extra = {"lock": lock, "silent": Silent(), "local": lambda: 0, "deep": deep, "user": ["x"]}
    loaded = there_and_back(record_of("kept", extra=extra))
    assert loaded.lock == repr(lock)
    assert loaded.silent == "<Silent: repr() raised ValueError>"
    assert "<lambda>" in loaded.local
    assert loaded.deep == "<list: repr() raised RecursionError>"
    assert loaded.user == ["x"]
    assert loaded.getMessage() == "kept"


def test_what_cannot_be_unpickled_is_left_out():
    """In a reader that lacks the class, only that field is missing, and the reader knows."""
    extra = {"mine": Name.API, "user": "x", "path": Path("/")}
    record = record_of("%s arrives", "it", extra=extra)
    record.name, record.levelno, record.created = Name.API, Level.AUDIT, Exact(5.5)
    program = (
        "import sys; from mplogging._records import load_record\n"
        "record, problem = load_record(bytes.fromhex(sys.stdin.read()))\n"
        "print(hasattr(record, 'mine'), record.user, record.path, type(problem).__name__)\n"
        "print(record.getMessage(), record.name, record.levelno, record.created)\n"
    )
    # Under a name that no other program can import.
    data = dump_record(record).replace(__name__.encode(), b"x" * len(__name__))
    done = subprocess.run(
        [sys.executable, "-c", program], input=data.hex(), capture_output=True, text=True
    )
    assert done.stdout == "False x / ModuleNotFoundError\nit arrives api 25 5.5\n", done.stderr


def test_standard_fields_are_of_built_in_types():
    """A name, level or message of a subclass travels without it."""
    record = record_of("hello", extra={"mine": Level.AUDIT})
    record.name, record.levelno, record.created = Name.API, Level.AUDIT, Exact(5.5)
    loaded = there_and_back(record)
    fields = (loaded.name, loaded.levelno, loaded.created)
    assert fields == ("api", 25, 5.5)
    assert [type(field) for field in fields] == [str, int, float]
    assert type(loaded.mine) is Level


@pytest.mark.parametrize(
    "data",
    [
        b"", b"no pickle", pickle.dumps(None), pickle.dumps((1, 2, 3)), pickle.dumps(({}, None)),
        pickle.dumps(("text", {})), dump_record(record_of())[:-5],
    ],
)  # fmt: skip
def test_no_record(data):
    """Other data raise an `Exception`, which the reader counts."""
    with pytest.raises(Exception):  # noqa: B017
        load_record(data)


def test_past_the_programs_own_record_factory():
    """A factory need not stand empty records: they are made by nobody but us."""
    program = (
        "import logging\n"
        "def factory(name, *args, **options):\n"
        "    record = logging.LogRecord(name, *args, **options)\n"
        "    record.head = name.rsplit('.', 1)[0]\n"
        "    return record\n"
        "logging.setLogRecordFactory(factory)\n"
        "import mplogging\n"
        "from mplogging._records import dump_record, load_record, own_record\n"
        "record = logging.getLogger('a.b').makeRecord('a.b', 20, '', 0, 'x', (), None)\n"
        "print(load_record(dump_record(record))[0].head)\n"
        "print(own_record(30, 'of %s', 'ours').getMessage())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "a\nof ours\n", done.stderr
