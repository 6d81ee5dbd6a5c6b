"""What was measured, as text, as an rst table for the README, and as plots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import goals
from .peers import PEERS
from .questions import FLOORS, GENERAL, QUESTIONS, Measure, Question
from .results import Figure, Key, Results

HERE = Path(__file__).resolve().parent
OURS = goals.OURS


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


COLUMNS: tuple[tuple[str, Key, bool], ...] = (
    ("throughput, 4 workers", Key("throughput", "throughput", "4 fork", ""), True),
    ("one call", Key("call", "call mean", "1 fork", ""), True),
    ("CPU a record", Key("throughput", "cpu", "4 fork", ""), True),
    ("parent's CPU, µs", Key("throughput", "parent cpu", "4 fork", ""), False),
    ("worker grows, MiB", Key("memory", "worker growth", "200,000 records", ""), False),
    ("latency p99, ms", Key("latency", "latency p99", "40 a second", ""), False),
)


def rst(results: Results) -> str:
    """The summary: the first columns against FileHandler, the others as they are."""
    rows = [["", *(title for title, _, _ in COLUMNS)]]
    for peer in by_throughput(results):
        rows.append([label(peer), *(summary(results, key, peer, rel) for _, key, rel in COLUMNS)])
    widths = [max(map(len, column)) for column in zip(*rows)]
    rule = "  ".join("=" * width for width in widths)
    # A line of a simple table needs a first cell; the escape makes one that shows nothing.
    rows[0][0] = "\\"
    head, *body = aligned(rows)
    note = "Against ``FileHandler`` per process where no unit is given. " + "; ".join(
        f"{name} {value}" for name, value in results.environment.items()
    )
    return "\n".join([rule, head, rule, *body, rule, "", note, *troubles(results)])


def summary(results: Results, key: Key, peer: str, relative: bool) -> str:
    key = key._replace(peer=peer)
    figure = results.figure(key)
    mark = " !" if results.marked(key.question, key.case, peer) else ""
    if figure is None:
        return f"–{mark}"
    ratio = results.ratio(key, "FileHandler") if relative else None
    return f"{figure.median if ratio is None else ratio:.2f}{mark}"


def by_throughput(results: Results) -> list[str]:
    """The peers that were measured, the fastest first, floors last."""
    known = [p for p in GENERAL if any(key.peer == p for key in results.values)]

    def place(peer: str) -> tuple[bool, float]:
        ratio = results.ratio(goals.RATE_4._replace(peer=peer), "FileHandler")
        return peer in FLOORS, -(ratio or 0.0)

    return sorted(known, key=place)


# ------------------------------------------------------------------------- plots


def plot(results: Results) -> list[Path]:
    """Write the SVG files for which there are values, and return their paths."""
    import matplotlib

    matplotlib.use("svg")
    # The same input gives the same file; text stays text.
    matplotlib.rcParams.update({"svg.hashsalt": "mplogging", "svg.fonttype": "none"})
    drawn = [plot_throughput(results), plot_call(results)]
    return [path for path in drawn if path.exists()]


def save(figure: Any, name: str) -> Path:
    path = HERE / name
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    return path


def plot_throughput(results: Results) -> Path:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5))
    workers = (1, 2, 4, 8)
    for peer in by_throughput(results):
        points: dict[int, Figure] = {}
        for count in workers:
            found = results.figure(goals.RATE_4._replace(case=f"{count} fork", peer=peer))
            if found:
                points[count] = found
        if points:
            heights = [point.median / 1000 for point in points.values()]
            axes.plot(list(points), heights, label=peer, marker="o", **style(peer))
    axes.set_xscale("log", base=2)
    axes.set_xticks(workers, [str(count) for count in workers])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("workers")
    axes.set_ylabel("thousand records a second, all in the file")
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return save(figure, "throughput.svg")


def plot_call(results: Results) -> Path:
    from matplotlib import pyplot

    found = {
        peer: results.figure(Key("call", "call mean", "1 fork", peer))
        for peer in by_throughput(results)
    }
    bars = sorted(((f, peer) for peer, f in found.items() if f), reverse=True)
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for bar, peer in bars:
        reach = [[bar.median - bar.least], [bar.most - bar.median]]
        axes.barh(peer, bar.median, xerr=reach, color=style(peer)["color"], ecolor="0.3")
    axes.set_xlabel("mean cost of a call in one worker, µs (lines: least and most of the rounds)")
    return save(figure, "call_cost.svg")


def style(peer: str) -> dict[str, Any]:
    """Ours stands out, the yardstick and the floors stay behind, the rest have a colour each."""
    if peer == OURS:
        return {"color": "crimson", "linewidth": 3}
    if peer == "FileHandler":
        return {"color": "black", "linestyle": "--"}
    if peer in FLOORS:
        return {"color": "0.7", "linestyle": ":"}
    rest = [name for name in GENERAL if name not in (OURS, "FileHandler", *FLOORS)]
    return {"color": f"C{rest.index(peer) % 10}"}
