"""What was measured, as text, and as rst tables for the README and the documentation."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from . import goals
from .peers import PEERS, YARDSTICK
from .questions import FLOORS, GENERAL, QUESTIONS, Measure, Question
from .results import Figure, Key, Results


def number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


# -------------------------------------------------------------------------- text


def text(results: Results) -> str:
    parts = [f"{name}: {value}" for name, value in results.environment.items()]
    for question in QUESTIONS:
        for measure in measures(question):
            parts += table(results, question, measure)
    parts += troubles(results)
    reached = list(goals.lines(results))
    if reached:
        parts += ["", "aimed at, and reached:", *reached]
    return "\n".join(parts)


def label(peer: str) -> str:
    return peer if PEERS[peer].safe else f"{peer} (unsafe)"


def measures(question: Question) -> list[Measure]:
    return list(dict.fromkeys(m for case in question.cases for m in case.measures))


def table(results: Results, question: Question, measure: Measure) -> Iterator[str]:
    """One measure: a line a peer, a column a case, `median (least … most) ratio`."""
    cases = [case.label for case in question.cases if measure in case.measures]
    rows = []
    for peer in question.peers:
        cells = [cell(results, question, measure, case, peer) for case in cases]
        if any(cells):
            rows.append([label(peer), *cells])
    if not rows:
        return
    better = "more is better" if measure.more else "less is better"
    ratio = f"; × {question.yardstick} of the same round" if measure.relative else ""
    yield f"\n{question.name}: {measure.name}, {measure.unit} ({better}{ratio})"
    yield from aligned([["", *cases], *rows])


def cell(results: Results, question: Question, measure: Measure, case: str, peer: str) -> str:
    key = Key(question.name, measure.name, case, peer)
    figure = results.figure(key)
    mark = "!" if results.marked(question.name, case, peer) else ""
    if figure is None:
        return mark
    shown = f"{mark}{number(figure.median)} {spread(figure)}"
    ratio = results.ratio(key, question.yardstick) if measure.relative else None
    return shown if ratio is None else f"{shown} × {ratio:.2f}"


def spread(figure: Figure) -> str:
    if figure.least == figure.most:
        return ""
    return f"({number(figure.least)} … {number(figure.most)})"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    for first, *rest in rows:
        cells = [first.ljust(widths[0])]
        cells += [each.rjust(width) for each, width in zip(rest, widths[1:])]
        yield "  ".join(cells).rstrip()


def troubles(results: Results) -> Iterator[str]:
    if results.troubles:
        yield "\nmarked with !:"
    for (question, case, peer), what in results.troubles.items():
        told = "; ".join(f"{each} ({times} ×)" for each, times in what.items())
        yield f"  {peer}, {question}, {case}: {told}"


# --------------------------------------------------------------------------- rst


RATE = ("throughput, 4 workers", Key("throughput", "throughput", "4 fork", ""), True)
CALL = Key("call", "call mean", "1 fork", "")
COLUMNS: tuple[tuple[str, Key, bool], ...] = (
    RATE,
    ("records/s", RATE[1], False),
    ("one call", CALL, True),
    ("one call, µs", CALL, False),
    ("CPU a record", Key("throughput", "cpu", "4 fork", ""), True),
    ("parent's CPU, µs", Key("throughput", "parent cpu", "4 fork", ""), False),
    ("worker grows, MiB", Key("memory", "worker growth", "200,000 records", ""), False),
    ("latency p99, ms", Key("latency", "latency p99", "40 a second", ""), False),
)
FEW_COLUMNS = (
    ("one call, µs", CALL, False),
    ("× FileHandler", CALL, True),
    ("throughput of 4 workers, × FileHandler", *RATE[1:]),
)
FEW = (goals.OURS, YARDSTICK, "QueueHandler + mp.Queue", "concurrent-log-handler", "loguru")


def rst(results: Results) -> str:
    """All peers: against FileHandler where no unit is given, else as they are.

    What is marked with ! has lines that are not as they should be; `text` says which.
    """
    note = "; ".join(f"{name} {value}" for name, value in results.environment.items())
    table = grid(results, by_throughput(results), COLUMNS)
    parts = [table, "", textwrap.fill(note, 99), "", *reached(results)]
    return "\n".join(parts).rstrip()


def reached(results: Results) -> Iterator[str]:
    """What is compared beside the table, mplogging's figure on the left."""
    rows = [
        [f"{value:.2f}", goal.what]
        for goal in goals.GOALS
        if (value := goal.reached(results)) is not None
    ]
    if rows:
        rows.insert(0, ["reached", "what"])
        rule = "  ".join("=" * max(map(len, column)) for column in zip(*rows))
        width = max(len(value) for value, _ in rows)
        head, *body = (f"{value.rjust(width)}  {what}" for value, what in rows)
        yield from [rule, head, rule, *body, rule, ""]




def short(results: Results) -> str:
    """The few that most people come from."""
    measured = by_throughput(results)
    return grid(results, [peer for peer in FEW if peer in measured], FEW_COLUMNS)


def grid(
    results: Results, peers: Sequence[str], columns: Sequence[tuple[str, Key, bool]]
) -> str:
    rows = [["", *(title for title, _, _ in columns)]]
    for peer in peers:
        rows.append([label(peer), *(summary(results, key, peer, rel) for _, key, rel in columns)])
    widths = [max(map(len, column)) for column in zip(*rows)]
    rule = "  ".join("=" * width for width in widths)
    # A line of a simple table needs a first cell; the escape makes one that shows nothing.
    rows[0][0] = "\\"
    head, *body = aligned(rows)
    return "\n".join([rule, head, rule, *body, rule])


def summary(results: Results, key: Key, peer: str, relative: bool) -> str:
    key = key._replace(peer=peer)
    figure = results.figure(key)
    mark = " !" if results.marked(key.question, key.case, peer) else ""
    if figure is None:
        return f"–{mark}"
    ratio = results.ratio(key, YARDSTICK) if relative else None
    if ratio is None and figure.median >= 1000:
        return f"{number(figure.median)}{mark}"
    return f"{figure.median if ratio is None else ratio:.2f}{mark}"


def by_throughput(results: Results) -> list[str]:
    """The peers that were measured, the fastest first, floors last."""
    known = [p for p in GENERAL if any(key.peer == p for key in results.values)]

    def place(peer: str) -> tuple[bool, float]:
        ratio = results.ratio(goals.RATE_4._replace(peer=peer), YARDSTICK)
        return peer in FLOORS, -(ratio or 0.0)

    return sorted(known, key=place)
