"""What `python -m mplogging sessions` and `top` do: show the sessions of this user."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

from .finding import Found, sessions
from .glimpse import DEAD, RUNS
from .redrawing import Redrawing

_HEADS = ("PID", "STATE", "PROCESSES", "RECORDS", "RECORDS/S", "WAITING", "DROPPED", "LOG")
_UNKNOWN = "-"
# A reader that is at work writes its figures each second.
_STALE_SECONDS = 5.0
_STATES = (
    "STATE is `runs`; `ends`; `orphaned`, if its process is gone and others write on;"
    " `dead`, if all are gone and it waits for `mplogging recover`. RECORDS are those written"
    " to its logs, WAITING is what stands in its journal and not in the log yet, DROPPED are"
    " records that never will. What can't be told is shown as `-`."
)


def add_sessions(commands: Any) -> None:
    """The two commands' arguments."""
    listing = commands.add_parser(
        "sessions",
        help="list the sessions that run",
        description=f"List this user's sessions, and how they do. {_STATES}",
        epilog="example: mplogging sessions\n\n"
        "exit status: 0 if there is one, 1 if there is none, 2 for a wrong call",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    listing.set_defaults(run=list_sessions)
    top = commands.add_parser(
        "top",
        help="the same, again and again",
        description=f"Show this user's sessions, and how they do, until Ctrl-C. {_STATES}",
        epilog="example: mplogging top --interval 0.5\n\n"
        "exit status: 130 after Ctrl-C; with --count 0 if there was one the last time, 1 if"
        " there was none; 2 for a wrong call",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="SECONDS",
        help="how long to wait in between (default: %(default)s)",
    )  # fmt: skip
    top.add_argument(
        "-n", "--count", type=_count, metavar="N", help="how often (default: until Ctrl-C)"
    )
    top.set_defaults(run=show_sessions)
    for parser in (listing, top):
        parser.add_argument(
            "sessions", nargs="*", metavar="ADDRESS|PID|FILE",
            help="only these: their addresses, their processes or their logs (default: all)",
        )  # fmt: skip
        parser.add_argument(
            "--json", action="store_true", help="a line of JSON, a list of objects"
        )


def list_sessions(options: argparse.Namespace) -> int:
    """Print them once; returns the exit status."""
    found = _found(options.sessions)
    for line in _lines(found, options.json):
        print(line)
    return 0 if found else 1


def show_sessions(options: argparse.Namespace) -> int:
    """Print them again and again; returns the exit status."""
    screen = Redrawing(is_plain=options.json)
    left = options.count
    while True:
        found = _found(options.sessions)
        screen.draw(_lines(found, options.json))
        if left is not None:
            left -= 1
            if not left:
                return 0 if found else 1
        time.sleep(options.interval)


def _found(targets: Sequence[str]) -> list[Found]:
    return [
        one
        for one in sessions(targets)
        if not targets or any(map(one.is_meant_by, targets))
    ]  # fmt: skip


def _lines(found: Sequence[Found], is_json: bool) -> list[str]:
    told = [_told(one) for one in found]
    if is_json:
        return [json.dumps(told)]
    if not told:
        return ["no session of this user is seen here"]
    rows = [_HEADS, *map(_row, told)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "  ".join([*(text.rjust(width) for text, width in zip(row[:-1], widths)), row[-1]])
        for row in rows
    ]
    dead = [one for one in told if one["state"] == DEAD]
    return lines + [
        f"to write what process {one['pid']} left: mplogging recover {one['address']}"
        for one in dead
    ]


def _told(one: Found) -> dict[str, Any]:
    """All that is known of it, under the names that JSON has; None if it can't be told."""
    figures = one.journals[0].figures
    rate = None
    if figures is not None and one.state == RUNS:
        is_at_work = time.time() - figures.at < _STALE_SECONDS
        rate = figures.rate if is_at_work or not figures.rate else None
    dropped = sum(journal.dropped for journal in one.journals)
    if figures is not None:
        # A process that could not keep its account has told it, as long as it lived.
        dropped = max(dropped, figures.told) + figures.beside
    return {
        "address": one.address,
        "logs": one.logs,
        "pid": one.pid,
        "state": one.state,
        "processes": len(one.holders) or (0 if one.state == DEAD else None),
        "records": None if figures is None else figures.records,
        "records_per_second": None if rate is None else round(rate, 1),
        "waiting_bytes": sum(journal.waiting_bytes for journal in one.journals),
        "dropped": dropped,
    }


def _row(told: dict[str, Any]) -> tuple[str, ...]:
    rate = told["records_per_second"]
    return (
        str(told["pid"]), told["state"], _number(told["processes"]), _number(told["records"]),
        _number(None if rate is None else round(rate)), _size(told["waiting_bytes"]),
        _number(told["dropped"]), ", ".join(told["logs"]) or _UNKNOWN,
    )  # fmt: skip


def _number(number: int | None) -> str:
    return _UNKNOWN if number is None else str(number)


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(
            f"must be seconds, more than 0 and at most 86400, got {text!r}"
        )
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a number of 1 or more, got {text!r}")
    return int(text)
