"""File names: each belongs to one period or to nobody."""

from __future__ import annotations

import datetime
import os
import pathlib
import random

import pytest

from mplogging._errors import ConfigError
from mplogging._file.names import FileNames, LogFile
from mplogging._file.periods import Calendar, Period

NOON = 1_795_521_600.0  # 2026-11-24 12:00 UTC, a Tuesday
TEN = datetime.time(10, 0)


def utc(
    when: str = "midnight", interval: int = 1, atTime: datetime.time | None = None
) -> Calendar:
    return Calendar(when, interval, utc=True, atTime=atTime)


def at(calendar: Calendar, *fields: int) -> Period:
    moment = datetime.datetime(*fields, tzinfo=datetime.timezone.utc)  # type: ignore[misc,arg-type]
    return calendar.period_of(moment.timestamp())


def name_of(filename: str, calendar: Calendar, suffix: str | None = None) -> str:
    """The name at NOON, without the directory."""
    names = FileNames(os.path.join("/var/log", filename), calendar, suffix)
    return os.path.relpath(names.path(calendar.period_of(NOON)), "/var/log")


# --- how names look -----------------------------------------------------------------


@pytest.mark.parametrize(
    "filename, calendar, suffix, expected",
    [
        ("app.log", utc(), None, "app.log.2026-11-24"),
        ("app.log", utc("S"), None, "app.log.2026-11-24_12-00-00"),
        ("app.log", utc("M"), None, "app.log.2026-11-24_12-00"),
        ("app.log", utc("H"), None, "app.log.2026-11-24_12"),
        ("app.log", utc("W2"), None, "app.log.2026-11-18"),
        ("app.log", utc(atTime=datetime.time(18)), None, "app.log.2026-11-23"),
        ("app.log", utc(), "%y%j", "app.log.26328"),
        ("100%%.log", utc(), None, "100%.log.2026-11-24"),
        ("app-%Y-%m-%d.log", utc(), None, "app-2026-11-24.log"),
        ("%Y/%m/app-%Y-%m-%d.log", utc(), None, "2026/11/app-2026-11-24.log"),
        ("%G-W%V-%u%%", utc(), None, "2026-W48-2%"),
        ("app-%d.%m.%Y %H%M%S", utc("S"), None, "app-24.11.2026 120000"),
    ],
)
def test_name(filename: str, calendar: Calendar, suffix: str | None, expected: str) -> None:
    """The date goes where the directives are, else to the end."""
    assert name_of(filename, calendar, suffix) == expected


def test_part_and_compression_follow_the_date() -> None:
    """A part's number and the compression come last, in this order."""
    calendar = utc()
    names, period = FileNames("/var/log/app.log", calendar), calendar.period_of(NOON)
    assert names.path(period, 2) == "/var/log/app.log.2026-11-24.2"
    assert names.path(period, 0, "gz") == "/var/log/app.log.2026-11-24.gz"
    assert names.path(period, 12, "zst") == "/var/log/app.log.2026-11-24.12.zst"


def test_years_have_four_digits() -> None:
    """A year before 1000 is padded, so that names sort."""
    calendar = utc()
    names, period = FileNames("/app", calendar), Period(0, 1, datetime.datetime(33, 4, 3))
    assert names.path(period) == "/app.0033-04-03"
    assert FileNames("/%G-%V-%u", calendar).path(period) == "/0033-13-7"


def test_stable_name(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`filename` is absolute, and `stable` the name without a date if there is one."""
    monkeypatch.chdir(tmp_path)
    plain = FileNames("logs/../app%%.log", utc())
    assert (plain.filename, plain.stable) == (f"{tmp_path}/app%%.log", f"{tmp_path}/app%.log")
    dated = FileNames(pathlib.Path("logs", "%Y-%m-%d"), utc())
    assert (dated.filename, dated.stable) == (f"{tmp_path}/logs/%Y-%m-%d", None)


def test_current_directory_is_no_pattern(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A percent sign in the current directory's name means itself."""
    (tmp_path / "50%d%").mkdir()
    monkeypatch.chdir(tmp_path / "50%d%")
    names = FileNames("app.log", utc())
    again = FileNames(names.filename, utc())
    assert names.stable == again.stable == str(tmp_path / "50%d%" / "app.log")


# --- names that are ours, and names that are not ------------------------------------

PATTERNS = [
    (utc("S"), "%Y%m%d%H%M%S"),
    (utc("S", 7), "%H/%j/%M-%S.%Y"),
    (utc("S", 60), "%Y-%m-%d_%H%M"),
    (utc("M", 90), "%Y-%j-%H"),
    (utc("H"), "%Y/%m/%d/%H.log"),
    (utc("D"), "%G/%V/%u"),
    (utc("D"), "%Y/%Y-%m/%Y-%m-%d"),
    (utc("D"), "%d.%m.%y"),
    (utc("D", 31), "%Y-%m"),
    (utc("D", 366), "app-%Y"),
    (utc("D", 371), "app-%G"),
    (utc(atTime=TEN), "%Y-%m-%d"),
    (utc(atTime=TEN), "%Y-%m-%d_%H"),
    (utc("W2"), "%G-W%V"),
    (utc("W2", atTime=TEN), "%Y-%m/%G-W%V"),
    (utc("W6", 2), "%Y%j"),
    (Calendar("H", 3), "%Y-%m-%d_%H"),
    (Calendar("W4"), "%G-%V"),
]


@pytest.mark.parametrize("calendar, pattern", PATTERNS, ids=[pattern for _, pattern in PATTERNS])
def test_names_are_read_back(calendar: Calendar, pattern: str) -> None:
    """Each period has a name of its own, which gives the period back."""
    names, chance = FileNames(f"/var/log/{pattern}", calendar), random.Random(pattern)
    periods = {calendar.period_of(chance.randrange(0, 2_145_916_800)) for _ in range(150)}
    periods |= {calendar.period_of(period.end) for period in periods}
    assert len({names.path(period) for period in periods}) == len(periods)
    for period in periods:
        for part, compression in ((0, ""), (7, ""), (0, "zst"), (123, "gz")):
            path = names.path(period, part, compression)
            assert names.parse(path) == LogFile(period, part, compression, path)


@pytest.mark.parametrize(
    "name",
    [
        "app.log",
        "app.log.",
        "app.log.2026-11-24.",
        "app.log.2026-11-24.0",
        "app.log.2026-11-24.01",
        "app.log.2026-11-24.-1",
        "app.log.2026-11-24.1.2",
        "app.log.2026-11-24." + "9" * 5000,
        "app.log.2026-11-24.gz.1",
        "app.log.2026-11-24.gz.gz",
        "app.log.2026-11-24.GZ",
        "app.log.2026-11-24.bak",
        "app.log.2026-11-24.1.tmp",
        "app.log.2026-11-24\n",
        "app.log.2026-11-24 ",
        "app.log.2026-11-2",
        "app.log.2026-11-4",
        "app.log.2026-11-024",
        "app.log.26-11-24",
        "app.log.2026-11-31",
        "app.log.2026-13-01",
        "app.log.2026-00-01",
        "app.log.0000-01-01",
        "app.log.2026-11-2٤",
        "app.log.２026-11-24",
        "app.log.2026-11-24_12",
        "appXlog.2026-11-24",
        "app.log.notes",
        "my-app.log.2026-11-24",
        "./app.log.2026-11-24",
        "app.log.2026-11-24/",
    ],
)
def test_other_names_are_nobodys(name: str) -> None:
    """Only the very name that would be generated is one of ours."""
    names = FileNames("/var/log/app.log", utc())
    assert names.parse("/var/log/app.log.2026-11-24") is not None
    assert names.parse(f"/var/log/{name}") is None
    assert names.parse("app.log.2026-11-24") is None


@pytest.mark.parametrize(
    "calendar, pattern, name",
    [
        (utc("H"), "%Y-%m-%d_%H", "2026-11-24_24"),
        (utc("S"), "%Y%m%d%H%M%S", "20261124120060"),
        (utc("H", 5), "%Y-%m-%d_%H", "2026-11-24_12"),
        (utc("D", 2), "%Y-%m-%d", "2026-11-24"),
        (utc("W2"), "%Y-%m-%d", "2026-11-24"),
        (utc(atTime=TEN), "%Y-%m-%d_%H", "2026-11-24_11"),
        (utc(), "%Y-%j", "2026-366"),
        (utc(), "%Y-%j", "2026-000"),
        (utc(), "%G-%V-%u", "2025-53-1"),
        (utc(), "%G-%V-%u", "2026-48-8"),
        (utc(), "%Y/%Y-%m-%d", "2025/2026-11-24"),
        (utc(), "%Y-%m-%d-%u", "2026-11-24-3"),
        (utc("W0"), "%G-W%V", "2026-W54"),
    ],
)
def test_dates_of_no_period_are_nobodys(calendar: Calendar, pattern: str, name: str) -> None:
    """A date on which no period begins, or that contradicts itself, is none of ours."""
    assert FileNames(f"/{pattern}", calendar).parse(f"/{name}") is None


# --- what is refused ----------------------------------------------------------------


@pytest.mark.parametrize(
    "calendar, filename, suffix, message",
    [
        (utc(), "", None, "filename must name a file, got ''"),
        (utc(), "logs/", None, "filename must name a file, got 'logs/'"),
        (utc(), "logs/..", None, "filename must name a file"),
        (utc(), "a\0b", None, "filename must name a file"),
        (utc(), os.sep + "tmp", None, "filename must not name a directory, got '/tmp'"),
        (utc(), b"app.log", None, "filename must be .*b'app.log'"),
        (utc(), None, None, "filename must be .*None"),
        (utc(), 3, None, "filename must be .*3"),
        (utc(), "100%", None, "filename has '%'.*%%"),
        (utc(), "a%/%Y", None, "filename has '%/'.*%%"),
        (utc(), "%Y-%b-%d", None, "filename has '%b'.*use %Y"),
        (utc(), "%Y-%-d", None, "filename has '%-'"),
        (utc(), "app.log", "%A", "suffix has '%A'"),
        (utc(), "app.log", "%Y/%m/%d", "suffix must be .*'%Y/%m/%d'"),
        (utc(), "app.log", 3, "suffix must be .*3"),
        (utc(), "app.log", "", "suffix '' does not say which year"),
        (utc(), "app.log", "old", "suffix 'old' does not say which year"),
        (utc(), "%Y-%m-%d", "%Y", "suffix needs .*suffix='%Y' with filename='%Y-%m-%d'"),
        (utc(), "app-%d.log", None, "filename 'app-%d.log' does not say which year"),
        (utc(), "%m-%d", None, "does not say which year"),
        (utc("W0"), "W%V", None, "does not say which year.*%G"),
        (utc("H"), "app-%Y-%m-%d.log", None, "by its day only.*when='H', interval=1"),
        (utc("S"), "app.log", "%Y%m%d", "suffix '%Y%m%d' names a file by its day only"),
        (utc("S"), "%Y%m%d%H%M", None, "by its minute only"),
        (utc("M"), "%Y%m%d%M", None, "by its day only"),
        (utc("M"), "%Y%m%d%H", None, "by its hour only"),
        (utc("midnight", 2), "%Y-%m", None, "by its month only.*interval=2"),
        (utc("midnight", 30), "%Y-%m", None, "by its month only"),
        (utc("midnight", 365), "%Y", None, "by its year only"),
        (utc("W0", 52), "%G", None, "by its ISO year only"),
        (utc("W0"), "%Y-W%V", None, "by its year only.*%V needs %G"),
        (utc(), "%G-W%V", None, "by its week only"),
        (utc(), "%Y-%d", None, "by its year only"),
        (utc(), "%G-%m-%d", None, "by its ISO year only"),
    ],
)
def test_wrong_argument(
    calendar: Calendar, filename: str, suffix: str | None, message: str
) -> None:
    """What cannot name each period is refused, and the value is in the message."""
    with pytest.raises(ConfigError, match=message):
        FileNames(filename, calendar, suffix)


# --- what is found ------------------------------------------------------------------


def test_scan_lists_only_ours_oldest_first(tmp_path: pathlib.Path) -> None:
    """Regular files with a name of ours are found; siblings, directories, links never."""
    ours = [
        "app.log.2025-12-31",
        "app.log.2026-11-23",
        "app.log.2026-11-23.gz",
        "app.log.2026-11-23.2",
        "app.log.2026-11-23.2.zst",
        "app.log.2026-11-23.10",
        "app.log.2026-11-24",
    ]
    others = [
        "app.log",
        "app.log.notes",
        "app.log.2026-11-24.bak",
        "app.log.2026-11-24.1.tmp",
        "app.log.2026-11-24.01",
        "app.log.2026-11-24_10",
        "app.log.2026-11-31",
        "app-worker-2026-11-24.log",
        "other.log.2026-11-24",
    ]
    for name in (*reversed(ours), *others):
        (tmp_path / name).touch()
    (tmp_path / "app.log.2026-11-20").mkdir()
    (tmp_path / "app.log.2026-11-21").symlink_to(tmp_path / "app.log.notes")
    (tmp_path / "app.log.2026-11-22").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "app.log.2026-11-19")
    calendar = utc()
    found = FileNames(tmp_path / "app.log", calendar).scan()
    assert [os.path.relpath(file.path, tmp_path) for file in found] == ours
    assert found[4] == (at(calendar, 2026, 11, 23), 2, "zst", str(tmp_path / ours[4]))


def test_scan_walks_dated_directories(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only directories that can hold our files are looked into, and links are not."""
    for name in ("2025/12", "2026/11", "2026/11.old", "2026/1", "archive/11", "2024"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "app-30.log").touch()
    (tmp_path / "2023").touch()
    (tmp_path / "2022").symlink_to(tmp_path / "2025", target_is_directory=True)
    (tmp_path / "2025/12/app-32.log").touch()
    scandir, walked = os.scandir, []
    monkeypatch.setattr(os, "scandir", lambda path: walked.append(path) or scandir(path))
    found = FileNames(tmp_path / "%Y/%m/app-%d.log", utc()).scan()
    walked = [os.path.relpath(path, tmp_path) for path in walked]
    assert sorted(walked) == [".", "2024", "2025", "2025/12", "2026", "2026/11"]
    assert [os.path.relpath(file.path, tmp_path) for file in found] == [
        "2025/12/app-30.log",
        "2026/11/app-30.log",
    ]


def test_scan_takes_special_characters_literally(tmp_path: pathlib.Path) -> None:
    """Characters of globs and regular expressions mean themselves."""
    special = "[ab]*?(x|y)+.%d"
    for name in (special, "a", "ab(x|y)+.24"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "{app}*.2026-11-24").touch()
        (tmp_path / name / "{app}xy.2026-11-24").touch()
    names = FileNames(tmp_path / special.replace("%", "%%") / "{app}*", utc())
    assert [file.path for file in names.scan()] == [str(tmp_path / special / "{app}*.2026-11-24")]


def test_scan_follows_the_literal_directories(tmp_path: pathlib.Path) -> None:
    """A link before the first directive is the user's own choice of a place."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/app.log.2026-11-24").touch()
    (tmp_path / "logs").symlink_to(tmp_path / "disk", target_is_directory=True)
    found = FileNames(tmp_path / "logs/app.log", utc()).scan()
    assert [file.path for file in found] == [str(tmp_path / "logs/app.log.2026-11-24")]


def test_scan_of_missing_directories(tmp_path: pathlib.Path) -> None:
    """A directory that is not there, or is a file, holds nothing."""
    assert FileNames(tmp_path / "missing/app.log", utc()).scan() == []
    (tmp_path / "file").touch()
    assert FileNames(tmp_path / "file/%Y/app-%m-%d.log", utc()).scan() == []


def test_the_last_part(tmp_path: pathlib.Path) -> None:
    """Of the one period, compressed or not; what is no part of it does not count."""
    calendar = utc()
    names = FileNames(tmp_path / "app.log", calendar)
    period = at(calendar, 2026, 11, 24)
    assert names.last_part(period) == 0
    for name in ("24", "24.2", "24.10.gz", "23.11", "25.12", "24.13.tmp", "24.014", "24x.15"):
        (tmp_path / f"app.log.2026-11-{name}").touch()
    (tmp_path / "app.log.2026-11-24.16").mkdir()
    (tmp_path / "app.log.2026-11-24.17").symlink_to(tmp_path / "app.log.2026-11-24")
    assert names.last_part(period) == 10


def test_a_scan_of_many_names_remembers_them(tmp_path, monkeypatch):
    """However many there are: the next scan of the same directory asks the calendar nothing."""
    monkeypatch.setattr("mplogging._file.names._MOST_REMEMBERED", 4)
    for day in range(10, 30):
        (tmp_path / f"app.log.2001-09-{day}").touch()
    calendar = Calendar(utc=True)
    names = FileNames(tmp_path / "app.log", calendar)
    found = names.scan()
    asked = []
    monkeypatch.setattr(calendar, "period_labelled", asked.append)
    assert names.scan() == found and len(found) == 20
    assert asked == []
