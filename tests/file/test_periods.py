"""The calendar: every instant has one period, whatever the clocks do."""

from __future__ import annotations

import datetime
import itertools
import logging.handlers
import math
import os
import pathlib
import pickle
import random
import subprocess
import sys
import time

import pytest

from mplogging._errors import ConfigError
from mplogging._file.names import FileNames
from mplogging._file.periods import Calendar, Period

ROOT = pathlib.Path(__file__).parent.parent.parent
ZONEINFO = pathlib.Path("/usr/share/zoneinfo")
ZONES = [
    "America/New_York",
    "America/Sao_Paulo",  # clocks change at midnight
    "America/St_Johns",  # clocks changed at 00:01 until 2011
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # clocks change by half an hour
    "Europe/Berlin",
    "Pacific/Apia",  # without a 2011-12-30
    "UTC",
]
DAY = 86_400
END_OF_2037 = 2_145_916_800


def run_in_zones(scripts: dict[str, str]) -> dict[str, str]:
    """What each zone's script prints in a process of its own: this one's zone must stay."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "file")])
    running = {
        zone: subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, "TZ": zone, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for zone, script in scripts.items()
        if (ZONEINFO / zone).exists()
    }
    if not running:
        pytest.skip(f"the system does not know {', '.join(scripts)}")
    outputs = {zone: process.communicate() for zone, process in running.items()}
    failures = {zone: errors for zone, (_, errors) in outputs.items() if running[zone].returncode}
    assert not failures, "\n".join(f"{zone}:\n{errors}" for zone, errors in failures.items())
    return {zone: output.strip() for zone, (output, _) in outputs.items()}


def label(*fields: int) -> datetime.datetime:
    return datetime.datetime(*fields)  # type: ignore[arg-type]


def seconds(*fields: int) -> int:
    """Unix seconds of this time in UTC."""
    return int(label(*fields).replace(tzinfo=datetime.timezone.utc).timestamp())


# --- what holds in every zone -------------------------------------------------------


def transitions() -> list[int]:
    """Each first second of a new offset in this process's zone, 1970 to 2037."""
    found = []
    for day in range(0, END_OF_2037, DAY):
        low, high = day, day + DAY
        offset = time.localtime(low).tm_gmtoff
        if time.localtime(high).tm_gmtoff != offset:
            while high - low > 1:
                middle = (low + high) // 2
                if time.localtime(middle).tm_gmtoff == offset:
                    low = middle
                else:
                    high = middle
            found.append(high)
    return found


def settings() -> list[Calendar]:
    ten, odd = datetime.time(10, 0), datetime.time(2, 30, 15)
    plain = [("S", 1), ("S", 7), ("M", 1), ("M", 45), ("H", 1), ("H", 5), ("D", 1), ("D", 3)]
    weeks = [(f"W{weekday}", 1 + weekday % 2) for weekday in range(7)]
    dated = [("D", 1), ("midnight", 2), ("W0", 1), ("W6", 2)]
    return [
        *(Calendar(when, interval) for when, interval in plain + weeks),
        *(Calendar(when, interval, atTime=at) for when, interval in dated for at in (ten, odd)),
        Calendar("H", utc=True),
        Calendar("W3", utc=True, atTime=odd),
    ]


def check_calendar(calendar: Calendar, names: FileNames, instants: list[float]) -> None:
    """Every instant has one period, without gap or overlap, and each period one name."""
    periods = set()
    for instant in instants:
        period = calendar.period_of(instant)
        following = calendar.period_of(period.end)
        assert period.start <= instant < period.end, (calendar, instant, period)
        assert following.start == period.end, (calendar, period, following)
        fresh = Calendar(calendar.when, calendar.interval, calendar.utc, calendar.atTime)
        assert fresh.period_of(period.end - 1) == period, (calendar, instant)
        assert fresh.period_of(period.start) == period, (calendar, instant)
        periods |= {period, following}
    ordered = sorted(periods)
    for earlier, later in zip(ordered, ordered[1:]):
        assert earlier.end <= later.start, (calendar, earlier, later)
        assert earlier.label < later.label, (calendar, earlier, later)
        assert names.path(earlier) < names.path(later), (calendar, earlier, later)
    for period in ordered:
        assert calendar.period_labelled(period.label) == period
        for part, compression in ((0, ""), (12, "gz")):
            path = names.path(period, part, compression)
            assert names.parse(path) == (period, part, compression, path)


def check_changes(changes: list[int]) -> None:
    """Around each change, minute, hour and day are those of the clock's highest time."""
    calendars = [(Calendar("M"), 60), (Calendar("H"), 3600), (Calendar("D"), DAY)]
    for change in changes:
        before = change - 1 + time.localtime(change - 1).tm_gmtoff
        for second in range(change - 4793, change + 4800, 599):
            highest = second + time.localtime(second).tm_gmtoff
            if second >= change:
                highest = max(highest, before)
            for calendar, unit in calendars:
                expected = datetime.datetime(1970, 1, 1) + datetime.timedelta(
                    seconds=highest // unit * unit
                )
                assert calendar.period_of(second).label == expected, (calendar, second)


def check_zone(zone: str) -> None:
    """Runs in a process that has this zone."""
    chance = random.Random(zone)
    changes = transitions()
    near = [
        change + sign * distance
        for change in changes
        for distance in (0, 1, 1799, 1800, 3599, 3600, 5400, 7200, DAY, chance.randrange(7 * DAY))
        for sign in (-1, 1)
    ]
    far = [chance.uniform(0, END_OF_2037) for _ in range(400)]
    for calendar in settings():
        names = FileNames("app.log", calendar, suffix="%Y-%m-%d_%H-%M-%S")
        sample = chance.sample(near, min(len(near), 40)) + chance.sample(far, 15)
        check_calendar(calendar, names, [float(instant) for instant in sample])
    check_changes(changes)
    if zone != "America/St_Johns":
        daily, hourly = Calendar("D"), Calendar("H")
        for instant in itertools.chain(near, far):
            local = time.localtime(instant)
            for calendar, pattern in ((daily, "%Y-%m-%d"), (hourly, "%Y-%m-%d_%H")):
                name = calendar.period_of(instant).label.strftime(calendar.suffix)
                assert name == time.strftime(pattern, local), (calendar, instant)
    print(len(changes))


def test_periods_cover_all_time_in_every_zone() -> None:
    """No gap, no overlap, no label twice, and names of the local clock."""
    script = "import test_periods; test_periods.check_zone({!r})"
    changes = run_in_zones({zone: script.format(zone) for zone in ZONES})
    unchanging = {zone for zone, number in changes.items() if number == "0"}
    assert unchanging == {"UTC", "Asia/Kolkata"} & changes.keys()


# --- what happens when clocks change ------------------------------------------------


def period_in(zone: str, calendar: str, call: str) -> Period | None:
    script = (
        "import sys, pickle, datetime; from mplogging._file.periods import Calendar;"
        f"sys.stdout.write(pickle.dumps({calendar}.{call}, 0).hex())"
    )
    period: Period | None = pickle.loads(bytes.fromhex(run_in_zones({zone: script})[zone]))
    return period


CHANGES = {
    "the hour that comes twice is one period": (
        "Europe/Berlin",
        "Calendar('H')",
        seconds(2026, 10, 25, 1, 30),
        Period(seconds(2026, 10, 25, 0), seconds(2026, 10, 25, 2), label(2026, 10, 25, 2)),
    ),
    "repeated minutes stay in the last one before the change": (
        "Europe/Berlin",
        "Calendar('M')",
        seconds(2026, 10, 25, 1, 30),
        Period(seconds(2026, 10, 25, 0, 59), seconds(2026, 10, 25, 2), label(2026, 10, 25, 2, 59)),
    ),
    "repeated half hours too": (
        "Australia/Lord_Howe",
        "Calendar('H')",
        seconds(2026, 4, 4, 15, 20),
        Period(seconds(2026, 4, 4, 14), seconds(2026, 4, 4, 15, 30), label(2026, 4, 5, 1)),
    ),
    "a day has 25 hours": (
        "Europe/Berlin",
        "Calendar()",
        seconds(2026, 10, 25, 12),
        Period(seconds(2026, 10, 24, 22), seconds(2026, 10, 25, 23), label(2026, 10, 25)),
    ),
    "a day has 23 hours": (
        "Europe/Berlin",
        "Calendar()",
        seconds(2026, 3, 29, 12),
        Period(seconds(2026, 3, 28, 23), seconds(2026, 3, 29, 22), label(2026, 3, 29)),
    ),
    "a day without midnight begins at 01:00": (
        "America/Sao_Paulo",
        "Calendar()",
        seconds(2018, 11, 4, 12),
        Period(seconds(2018, 11, 4, 3), seconds(2018, 11, 5, 2), label(2018, 11, 4)),
    ),
    "a day goes on when the clock falls back into the day before": (
        "America/St_Johns",
        "Calendar()",
        seconds(2010, 11, 7, 3),
        Period(seconds(2010, 11, 7, 2, 30), seconds(2010, 11, 8, 3, 30), label(2010, 11, 7)),
    ),
    "a skipped atTime comes with the change": (
        "Europe/Berlin",
        "Calendar(atTime=datetime.time(2, 30))",
        seconds(2026, 3, 29, 12),
        Period(seconds(2026, 3, 29, 1), seconds(2026, 3, 30, 0, 30), label(2026, 3, 29, 2, 30)),
    ),
    "an atTime that comes twice counts the first time": (
        "Europe/Berlin",
        "Calendar(atTime=datetime.time(2, 30))",
        seconds(2026, 10, 25, 1),
        Period(
            seconds(2026, 10, 25, 0, 30), seconds(2026, 10, 26, 1, 30), label(2026, 10, 25, 2, 30)
        ),
    ),
    "a week with a change in it": (
        "America/New_York",
        "Calendar('W6')",
        seconds(2026, 11, 4),
        Period(seconds(2026, 11, 1, 4), seconds(2026, 11, 8, 5), label(2026, 11, 1)),
    ),
}


@pytest.mark.parametrize("zone, calendar, created, expected", CHANGES.values(), ids=CHANGES)
def test_clocks_change(zone: str, calendar: str, created: int, expected: Period) -> None:
    """A change of the clock makes a period longer or shorter, and opens none twice."""
    assert period_in(zone, calendar, f"period_of({created})") == expected


@pytest.mark.parametrize(
    "zone, calendar, fields",
    [
        ("Pacific/Apia", "Calendar()", "2011, 12, 30"),
        ("Europe/Berlin", "Calendar('H')", "2026, 3, 29, 2"),
    ],
)
def test_skipped_time_has_no_period(zone: str, calendar: str, fields: str) -> None:
    """A day or an hour that the clock skipped is no period."""
    assert period_in(zone, calendar, f"period_labelled(datetime.datetime({fields}))") is None


# --- what the arguments mean --------------------------------------------------------


@pytest.mark.parametrize(
    "when, interval, atTime, expected",
    [
        ("s", 1, None, label(2026, 11, 24, 13, 45, 59)),
        ("S", 30, None, label(2026, 11, 24, 13, 45, 30)),
        ("M", 1, None, label(2026, 11, 24, 13, 45)),
        ("h", 1, None, label(2026, 11, 24, 13)),
        ("H", 6, None, label(2026, 11, 24, 12)),
        ("d", 1, None, label(2026, 11, 24)),
        ("Midnight", 1, None, label(2026, 11, 24)),
        ("midnight", 1, datetime.time(13, 45, 59), label(2026, 11, 24, 13, 45, 59)),
        ("midnight", 1, datetime.time(13, 46), label(2026, 11, 23, 13, 46)),
        ("W0", 1, None, label(2026, 11, 23)),
        ("w1", 1, None, label(2026, 11, 24)),
        ("W1", 1, datetime.time(18), label(2026, 11, 17, 18)),
        ("W2", 1, None, label(2026, 11, 18)),
        ("W6", 1, None, label(2026, 11, 22)),
    ],
)
def test_period_begins_where_asked(
    when: str, interval: int, atTime: datetime.time | None, expected: datetime.datetime
) -> None:
    """`when`, `interval` and `atTime` say where a period begins."""
    calendar = Calendar(when, interval, utc=True, atTime=atTime)
    period = calendar.period_of(seconds(2026, 11, 24, 13, 45, 59) + 0.5)
    assert period.label == expected
    assert period.start == expected.replace(tzinfo=datetime.timezone.utc).timestamp()
    assert period.end == period.start + calendar.step


@pytest.mark.parametrize("when", ["S", "M", "H", "D", "MIDNIGHT", "W0", "W6"])
def test_suffix_is_the_standard_librarys(when: str, tmp_path: pathlib.Path) -> None:
    """Names look as those of TimedRotatingFileHandler."""
    handler = logging.handlers.TimedRotatingFileHandler(tmp_path / "app.log", when, delay=True)
    handler.close()
    assert Calendar(when.lower()).suffix == handler.suffix
    assert Calendar(when.lower()).when == when


def test_interval_counts_from_1970() -> None:
    """Intervals are counted from 1970, so that a restart changes nothing."""
    calendar = Calendar("D", 3, utc=True)
    assert calendar.period_of(0) == (0, 3 * DAY, label(1970, 1, 1))
    assert calendar.period_of(-0.5) == (-3 * DAY, 0, label(1969, 12, 29))
    assert calendar.period_labelled(label(1970, 1, 4)) == (3 * DAY, 6 * DAY, label(1970, 1, 4))
    assert calendar.period_labelled(label(1970, 1, 2)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        label(2026, 11, 24, 0, 0, 1),
        label(2026, 11, 24).replace(microsecond=1),
        label(2026, 11, 24).replace(tzinfo=datetime.timezone.utc),
    ],
)
def test_other_times_are_no_label(wrong: datetime.datetime) -> None:
    """Only the exact naive label finds a period."""
    assert Calendar(utc=True).period_labelled(wrong) is None


def test_first_label_from_a_time_on() -> None:
    """`label_from` gives the label at that time, else the next."""
    calendar = Calendar("W0", utc=True, atTime=datetime.time(10))
    assert calendar.label_from(label(2026, 11, 23, 10)) == label(2026, 11, 23, 10)
    assert calendar.label_from(label(2026, 11, 23, 10, 0, 1)) == label(2026, 11, 30, 10)


def test_known_period_costs_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instant of a period just met is not searched for again."""
    calendar = Calendar()
    earlier, later = calendar.period_of(1_000_000.0), calendar.period_of(2_000_000.0)
    monkeypatch.setattr(calendar, "_period", None)
    assert calendar.period_of(1_000_000.25) is earlier
    assert calendar.period_of(later.end - 0.25) is later


@pytest.mark.parametrize("created", [math.nan, math.inf, -math.inf, 1e300, -1e300, 1e12, -1e12])
@pytest.mark.parametrize("utc", [False, True])
def test_impossible_instant(created: float, utc: bool) -> None:
    """What is no instant of the years 1 to 9999 is a ValueError, also after another."""
    calendar = Calendar(utc=utc)
    calendar.period_of(0)
    with pytest.raises(ValueError, match="created must be"):
        calendar.period_of(created)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"when": "W7"}, "when must be .*'W7'"),
        ({"when": "Y"}, "when must be .*'Y'"),
        ({"when": None}, "when must be .*None"),
        ({"interval": 0}, "interval must be .*0"),
        ({"interval": True}, "interval must be .*True"),
        ({"interval": 1.0}, "interval must be .*1.0"),
        ({"interval": 40_000}, "interval must not exceed .*40000"),
        ({"atTime": "10:00"}, "atTime must be .*'10:00'"),
        ({"atTime": datetime.time(10, tzinfo=datetime.timezone.utc)}, "atTime must be .*utc"),
        ({"atTime": datetime.time(10, 0, 0, 1)}, "atTime must be .*1"),
        ({"atTime": datetime.time(10), "when": "H"}, "atTime needs .*when='H'"),
    ],
)
def test_wrong_argument(arguments: dict[str, object], message: str) -> None:
    """A wrong argument is named with its value."""
    with pytest.raises(ConfigError, match=message):
        Calendar(**arguments)  # type: ignore[arg-type]
