"""A log is read back whole and in order, whatever becomes of its files meanwhile."""

from __future__ import annotations

import datetime
import gzip
import importlib
import logging
import os
import sys
import threading
import time

import pytest
from conftest import eventually
from past_logs import FORMAT, HOUR, START, handler, messages, record, write

import mplogging
from mplogging import ConfigError, LogReader, MPLoggingWarning


def compress(path) -> None:
    """As the handler's compressor leaves a finished file."""
    with gzip.open(f"{path}.gz", "wb") as file:
        file.write(path.read_bytes())
    path.unlink()


def log(directory, count, **settings):
    """Records of which each is an hour later; returns the handler."""
    made = handler(directory, **settings)
    write(made, *(record(START + number * HOUR, f"number {number}") for number in range(count)))
    return made


def numbers(*values):
    return [f"number {value}" for value in values]


def test_files_in_the_order_of_their_periods(tmp_path):
    """Compressed ones in their place, parts by number, a late line in its own file."""
    made = handler(tmp_path, maxBytes=100)
    write(made, *(record(START + number, f"number {number}") for number in range(24)))
    write(made, record(START + HOUR, "number 25"), record(START - 1, "number -1"))
    names = sorted(os.listdir(tmp_path))
    assert len(names) > 12  # so that "10" must come after "9"
    compress(tmp_path / names[0])
    compress(tmp_path / names[4])
    expected = numbers(-1, *range(24), 25)
    assert messages(LogReader(tmp_path / "app.log")) == expected
    assert messages(LogReader(made)) == expected
    assert messages(LogReader(tmp_path / "app.log", when="H", utc=True)) == expected


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("app.log", {"when": "S"}),
        ("app.log", {"when": "M", "interval": 15}),
        ("app.log", {"when": "midnight"}),
        ("app.log", {"when": "W3"}),
        ("app.log", {"suffix": "%Y%m%d-%H"}),
        ("%Y/%m/app-%d.log", {"when": "D"}),
        ("%Y/app.%j.%H.log", {"when": "H"}),
    ],
)
def test_names_tell_their_calendar(tmp_path, name, settings):
    """Of a log in the user's own time zone, too."""
    made = mplogging.DatedFileHandler(
        tmp_path / name, **{"when": "H", "delay": True, **settings}
    )
    made.setFormatter(logging.Formatter(FORMAT))
    for number in range(40):
        made.handle(record(START + number * 5 * HOUR, f"number {number}"))
    made.close()
    suffix = {"suffix": settings["suffix"]} if "suffix" in settings else {}
    assert messages(LogReader(tmp_path / name, **suffix)) == numbers(*range(40))
    since = START + 100 * HOUR
    assert messages(LogReader(tmp_path / name, since=since, **suffix)) == numbers(*range(20, 40))
    assert messages(LogReader(tmp_path / name, last=3, **suffix)) == numbers(37, 38, 39)


def test_a_name_by_the_month_needs_when(tmp_path):
    """It says so; a handler says it by itself."""
    made = handler(tmp_path, suffix="%Y-%m", when="D", interval=31)
    write(made, record(START, "number 0"))
    with pytest.raises(ConfigError, match="when="):
        LogReader(tmp_path / "app.log", suffix="%Y-%m")
    assert messages(LogReader(made)) == numbers(0)


def test_one_file_by_its_own_name(tmp_path):
    """Plain or compressed, of whatever program."""
    (tmp_path / "plain.txt").write_text("one\ntwo\n  more of it\n")
    assert messages(LogReader(tmp_path / "plain.txt")) == ["one", "two\n  more of it"]
    log(tmp_path, 2)
    path = tmp_path / min(name for name in os.listdir(tmp_path) if name.startswith("app"))
    assert messages(LogReader(path)) == numbers(0)
    compress(path)
    assert messages(LogReader(f"{path}.gz")) == numbers(0)


def test_a_cursor_resumes_exactly_there(tmp_path):
    """After each entry of all, in another reader, compressed files and later lines included."""
    made = log(tmp_path, 6)
    write(made, *(record(START + 5 * HOUR + number, f"number {number}") for number in (6, 7)))
    cursors = []
    reader = LogReader(made)
    for entry in reader:
        cursors.append((entry.message, reader.cursor))
    for name in sorted(os.listdir(tmp_path))[:4]:
        compress(tmp_path / name)
    write(made, record(START + 4 * HOUR, "number late"), record(START + 9 * HOUR, "number 8"))
    for count, (_, cursor) in enumerate(cursors, 1):
        rest = messages(LogReader(made, cursor=cursor))
        assert sorted(rest) == sorted(numbers(*range(count, 9), "late"))
    assert messages(reader) == numbers("late", 8)
    assert messages(reader) == []
    assert LogReader(made, cursor=reader.cursor).cursor == reader.cursor


def test_a_file_that_is_compressed_while_it_is_read(tmp_path):
    """Is neither repeated nor skipped, wherever the reader stands."""
    made = log(tmp_path, 1)
    write(made, *(record(START + n / 10, f"number {n}") for n in range(1, 5000)))
    (name,) = os.listdir(tmp_path)
    reader = LogReader(made)
    entries = iter(reader)
    met = [next(entries).message for _ in range(10)]
    compress(tmp_path / name)
    other = LogReader(made, cursor=reader.cursor)
    rest = messages(other)
    assert met + [entry.message for entry in entries] == met + rest == numbers(*range(5000))
    assert messages(reader) == messages(other) == []
    assert reader.missed == other.missed == []


def test_what_is_removed_unread_is_said(tmp_path):
    """In bytes, where they are known."""
    made = log(tmp_path, 3)
    reader = LogReader(made)
    entries = iter(reader)
    next(entries)
    cursor = reader.cursor
    size = (tmp_path / sorted(os.listdir(tmp_path))[1]).stat().st_size
    for name in sorted(os.listdir(tmp_path))[:2]:
        (tmp_path / name).unlink()
    with pytest.warns(MPLoggingWarning, match="removed"):
        assert [entry.message for entry in entries] + messages(reader) == numbers(2)
    assert [missed.bytes for missed in reader.missed] == [size]
    resumed = LogReader(made, cursor=cursor)
    with pytest.warns(MPLoggingWarning):
        assert messages(resumed) == numbers(2)
    assert f"{size} or more bytes" in str(resumed.missed[0])
    # Of one that was the newest, and read to its end, nobody knows what came later.
    for name in os.listdir(tmp_path):
        (tmp_path / name).unlink()
    write(made, record(START + 9 * HOUR, "number 9"))
    again = LogReader(made, cursor=reader.cursor)
    with pytest.warns(MPLoggingWarning, match="unknown number"):
        assert messages(again) == numbers(9)
    assert messages(reader) == numbers(9) and len(reader.missed) == 1


def test_parts_that_came_and_went_are_said(tmp_path):
    """Their numbers tell it."""
    made = handler(tmp_path, maxBytes=1)
    write(made, record(START, "number 0"))
    reader = LogReader(made)
    assert messages(reader) == numbers(0)
    write(made, *(record(START + number, f"number {number}") for number in range(1, 5)))
    for part in (2, 3):
        (tmp_path / f"app.log.2026-11-24_10.{part}").unlink()
    with pytest.warns(MPLoggingWarning):
        assert messages(LogReader(made, cursor=reader.cursor)) == numbers(1, 4)
        assert messages(reader) == numbers(1, 4)
    assert [missed.path[-2:] for missed in reader.missed] == [".2", ".3"]


def test_a_damaged_file_is_said(tmp_path):
    """What can be read of it is read, and so is the next."""
    made = log(tmp_path, 2)
    first = tmp_path / min(os.listdir(tmp_path))
    compress(first)
    whole = (tmp_path / f"{first}.gz").read_bytes()
    (tmp_path / f"{first}.gz").write_bytes(whole[:-12])
    reader = LogReader(made)
    with pytest.warns(MPLoggingWarning, match="damaged"):
        assert messages(reader)[-1:] == numbers(1)
    assert messages(reader) == []


def test_half_a_line_is_read_once_it_is_whole(tmp_path):
    """And at the end of a file to which nothing comes any more."""
    path = tmp_path / "app.log.2026-11-24"
    path.write_bytes(b"2026-11-24 10:00:00 one\n2026-11-24 10:00:01 tw")
    reader = LogReader(tmp_path / "app.log")
    assert messages(reader) == ["2026-11-24 10:00:00 one"]
    with path.open("ab") as file:
        file.write(b"o")
    assert messages(reader) == []
    cursor = reader.cursor
    with path.open("ab") as file:
        file.write(b"\n")
    assert messages(reader) == ["2026-11-24 10:00:01 two"]
    path.write_bytes(path.read_bytes()[:-1])
    compress(path)
    resumed = LogReader(tmp_path / "app.log", cursor=cursor)
    assert messages(resumed) == ["2026-11-24 10:00:01 two"]


def test_lines_that_belong_to_an_entry(tmp_path):
    """A traceback, and each line of a message, with the format known or not."""
    made = handler(tmp_path)
    try:
        raise ValueError("no\nluck") from None
    except ValueError as error:
        failed = record(START + 1, "it failed", exc_info=(type(error), error, None))
    write(made, record(START, "one\ntwo\n\nthree"), failed, record(START + 2, "last"))
    for reader in (LogReader(made), LogReader(tmp_path / "app.log")):
        first, second, third = reader
        assert first.message == "one\ntwo\n\nthree"
        assert second.message == "it failed\nValueError: no\nluck"
        assert third.text.endswith("last") and third.created == START + 2


def test_an_entry_of_any_size(tmp_path):
    """Is one, however many lines it has."""
    made = handler(tmp_path)
    large = "".join(f"line {number}\n" for number in range(300_000))
    write(made, record(START, "before"), record(START + 1, large), record(START + 2, "after"))
    assert messages(LogReader(made)) == ["before", large, "after"]
    assert messages(LogReader(made, last=2)) == [large, "after"]


def test_tracebacks_where_no_line_has_a_time(tmp_path):
    """By how they look."""
    made = handler(tmp_path, "%(message)s")
    try:
        try:
            int("x")
        except ValueError:
            [][1]
    except IndexError as error:
        failed = record(START, "it failed", exc_info=(type(error), error, error.__traceback__))
    write(made, record(START, "before"), failed, record(START, "after"))
    before, failure, after = LogReader(made)
    assert (before.text, after.text) == ("before", "after")
    assert failure.text.startswith("it failed\nTraceback")
    assert "ValueError: invalid" in failure.text and failure.text.endswith("out of range")


def test_since_and_until(tmp_path):
    """By files, by bisection and by entry; compressed files alike."""
    made = handler(tmp_path)
    write(made, *(record(START + number, f"number {number}") for number in range(7000)))
    since, until = START + 3000, START + 4000
    assert messages(LogReader(made, since=since, until=until)) == numbers(*range(3000, 4000))
    compress(tmp_path / min(os.listdir(tmp_path)))
    assert messages(LogReader(made, since=since, until=until)) == numbers(*range(3000, 4000))
    reader = LogReader(made, since=since)
    assert len(messages(reader)) == 4000
    assert messages(LogReader(made, cursor=reader.cursor)) == []


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 799, 801, 5000])
def test_the_last_so_many(tmp_path, count, is_compressed):
    """From the end back, over files, of those that are asked for."""
    made = log(tmp_path, 5)
    write(made, *(record(START + 4 * HOUR + n, f"number {n}") for n in range(5, 2000)))
    if is_compressed:
        for name in os.listdir(tmp_path):
            compress(tmp_path / name)
    assert messages(LogReader(made, last=count)) == numbers(*range(2000))[max(0, 2000 - count):]
    found = messages(LogReader(made, last=count, grep=r"[05]$"))
    assert found == numbers(*range(0, 2000, 5))[max(0, 400 - count):]


def test_grep_finds_what_each_entry_has(tmp_path):
    """Whether many are looked at in one go, or one by one, with letters of any kind."""
    made = handler(tmp_path)
    texts = [f"number {number}\n  line two of {number}" for number in range(3000)]
    texts[7] = "n\u00fcmber 7"
    write(made, *(record(START + number, text) for number, text in enumerate(texts)))
    assert messages(LogReader(made, grep=r"two of 17\d\d$")) == texts[1700:1800]
    assert messages(LogReader(made, grep=r"^  line two of 99$")) == [texts[99]]
    assert messages(LogReader(made, grep=r"n.mber 7$")) == [texts[7]]
    assert messages(LogReader(made, grep=r"(?<=of )2999\Z")) == texts[2999:]
    assert messages(LogReader(made, grep=r"2999[^x]*2026")) == []
    assert messages(LogReader(made, grep=r"nothing")) == []


def test_following_sees_whatever_comes(tmp_path):
    """A line, a late one in an older file, a part, a period, and a file's compression."""
    made = log(tmp_path, 2, maxBytes=150)
    met = []
    with LogReader(made, follow=True) as reader:
        thread = threading.Thread(
            target=lambda: met.extend(entry.message for entry in reader)
        )
        thread.start()
        eventually(lambda: len(met) == 2)
        for step, when in enumerate([1, 0, 1, 1, 1, 5, 0]):
            write(made, record(START + when * HOUR + step, f"number {step + 2}"))
            eventually(lambda step=step: len(met) == step + 3)
            if step == 3:
                compress(tmp_path / "app.log.2026-11-24_10")
        reader.close()
        thread.join()
    assert met == numbers(*range(9))


def test_readers_beside_writers(context, tmp_path):
    """One that follows, and one that resumes from its cursor, miss and repeat nothing."""
    read_beside(context, tmp_path, 1000)


@pytest.mark.soak
def test_readers_beside_writers_for_long(context, tmp_path):
    """While the files are compressed, too."""
    read_beside(context, tmp_path, 150_000, compress="gz", compressAfter=0.2)
    assert sum(name.endswith(".gz") for name in os.listdir(tmp_path)) > 2


def read_beside(context, directory, count, **settings):
    met, resumed = [], []
    options = {"when": "S", "suffix": "%Y%m%d-%H%M%S"}
    with mplogging.LogSession(
        directory / "app.log", maxBytes=20_000, format="%(asctime)s %(message)s",
        **options, **settings,
    ):  # fmt: skip
        reader = LogReader(directory / "app.log", follow=True, **options)
        thread = threading.Thread(target=lambda: met.extend(entry.text for entry in reader))
        thread.start()
        workers = [
            context.Process(target=_work, args=(number, count), daemon=True)
            for number in range(2)
        ]
        for worker in workers:
            worker.start()
        cursor = LogReader(directory / "app.log", **options).cursor
        while any(worker.is_alive() for worker in workers):
            again = LogReader(directory / "app.log", cursor=cursor, **options)
            for entry in again:
                resumed.append(entry.text)
                if len(resumed) % 100 == 0:
                    break
            cursor = again.cursor
        for worker in workers:
            worker.join()
            worker.close()
    resumed += [
        entry.text for entry in LogReader(directory / "app.log", cursor=cursor, **options)
    ]
    eventually(lambda: len(met) >= 2 * count)
    reader.close()
    thread.join()
    expected = sorted(f"{worker} {number} " for worker in range(2) for number in range(count))
    for found in (met, resumed):
        assert sorted(text[24:].rstrip("x") for text in found) == expected


def _work(worker, count):
    for number in range(count):
        logging.info("%d %d %s", worker, number, "x" * 50)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"since": "soon"}, "since .*'soon'"),
        ({"until": True}, "until .*True"),
        ({"last": -1}, "last .*-1"),
        ({"last": 1, "cursor": "{}"}, "cursor"),
        ({"cursor": "x"}, "cursor .*'x'"),
        ({"cursor": '{"version":1,"files":{"../x":[0,0,0,0]}}'}, "cursor"),
        ({"encoding": "utf-16"}, "utf-16"),
        ({"encoding": "none"}, "'none'"),
        ({"when": "X"}, "when .*'X'"),
        ({"format": "%(asctime"}, "asctime"),
        ({"format": "{message", "style": "{"}, "message"),
        ({"grep": "("}, "grep .*'\\('"),
    ],
)
def test_bad_arguments(tmp_path, arguments, said):
    """Each is named with its value."""
    with pytest.raises(ConfigError, match=said):
        LogReader(tmp_path / "app.log", **arguments)


@pytest.mark.parametrize("filename", [7, None, b"app.log", "", "."])
def test_names_that_are_none(filename):
    """Are refused as the handler refuses them."""
    with pytest.raises(ConfigError, match="filename"):
        LogReader(filename)


def test_lines_that_have_no_end(tmp_path):
    """A handler whose lines end otherwise is refused."""

    class Odd(mplogging.DatedFileHandler):
        terminator = "\0"

    with pytest.raises(ConfigError, match="line feed"):
        LogReader(Odd(tmp_path / "app.log", delay=True))


def test_times_of_those_who_ask(tmp_path):
    """A moment may be given in many ways."""
    made = handler(tmp_path)
    now = time.time()
    write(made, record(now - 7200, "old"), record(now - 60, "new"))
    for since in (
        now - 3600, datetime.datetime.fromtimestamp(now - 3600), datetime.timedelta(hours=1),
        "1h", "60m", "0.04d", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now - 3600)),
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 3600)),
    ):
        assert messages(LogReader(made, since=since)) == ["new"], since


def test_zstandard_files(tmp_path):
    """Are read where there is a module for it, and else named with what it takes."""
    made = log(tmp_path, 2)
    first = tmp_path / min(os.listdir(tmp_path))
    try:
        module = importlib.import_module("compression.zstd")
    except ImportError:
        module = pytest.importorskip("zstandard")
    with module.open(f"{first}.zst", "wb") as file:
        file.write(first.read_bytes())
    first.unlink()
    assert messages(LogReader(made)) == numbers(0, 1)
    assert messages(LogReader(made, last=2)) == numbers(0, 1)


def test_a_compression_that_nothing_here_reads(tmp_path, monkeypatch):
    """Is said, with the way out; what is newer is read all the same."""
    made = log(tmp_path, 2)
    first = tmp_path / min(os.listdir(tmp_path))
    os.rename(first, f"{first}.zst")
    for module in ("compression.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match="zstandard"):
        messages(LogReader(made))
    assert messages(LogReader(made, last=1)) == numbers(1)
