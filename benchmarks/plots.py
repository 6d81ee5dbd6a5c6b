"""The plots: every line and bar has its name beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import goals
from .questions import FLOORS, GENERAL
from .report import by_throughput, label, number
from .results import Figure, Key, Results

HERE = Path(__file__).resolve().parent
OURS = (goals.OURS, goals.NEEDED)
WORKERS = (1, 2, 4, 8)
# The least distance between two labels, as a part of the plot's height.
GAP = 0.047
STROKES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
MARKERS = "os^vDPXp<>*"


def plot(results: Results) -> list[Path]:
    """Write the SVG files for which there are values, and return their paths."""
    import matplotlib

    matplotlib.use("svg")
    # The same input gives the same file; text stays text.
    matplotlib.rcParams.update({"svg.hashsalt": "mplogging", "svg.fonttype": "none"})
    drawn = [plot_throughput(results), plot_call(results)]
    return [path for path in drawn if path is not None]


def save(figure: Any, name: str) -> Path:
    path = HERE / name
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    return path


def plot_throughput(results: Results) -> Path | None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 5.5))
    ends: dict[str, float] = {}
    for peer in by_throughput(results):
        points: dict[int, Figure] = {}
        for count in WORKERS:
            found = results.figure(goals.RATE_4._replace(case=f"{count} fork", peer=peer))
            if found:
                points[count] = found
        if points:
            heights = [point.median / 1000 for point in points.values()]
            axes.plot(list(points), heights, **style(peer))
            ends[peer] = heights[-1]
    if not ends:
        return None
    # Those at the bottom differ by factors, as those at the top do.
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xscale("log", base=2)
    axes.set_xticks(WORKERS, [str(count) for count in WORKERS])
    axes.grid(axis="y", color="0.9")
    axes.set_title("Thousand records a second, all in the file (higher is better)")
    axes.set_xlabel("workers")
    name_the_lines(axes, ends)
    return save(figure, "throughput.svg")


def name_the_lines(axes: Any, ends: Mapping[str, float]) -> None:
    """Each at its line's right end, moved up or down where they would lie on each other."""
    least, most = map(math.log, axes.get_ylim())
    wanted = {peer: (math.log(end) - least) / (most - least) for peer, end in ends.items()}
    for peer, height in apart(wanted).items():
        axes.annotate(
            label(peer),
            (WORKERS[-1], ends[peer]),
            (1.06, height),
            textcoords="axes fraction",
            va="center",
            fontsize="small",
            color=style(peer)["color"],
            weight="bold" if peer in OURS else "normal",
            arrowprops={"arrowstyle": "-", "color": "0.8", "shrinkA": 2, "shrinkB": 5},
        )


def apart(wanted: Mapping[str, float]) -> dict[str, float]:
    """Heights near those wanted, in their order, `GAP` from each other.

    Labels that would touch form a block, which stands around the middle of what they want.
    """
    blocks: list[list[tuple[float, str]]] = []
    for name, height in sorted(wanted.items(), key=lambda item: item[1]):
        blocks.append([(height, name)])
        while len(blocks) > 1 and top(blocks[-2]) + GAP > bottom(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return {
        name: bottom(block) + place * GAP
        for block in blocks
        for place, (_, name) in enumerate(block)
    }


def bottom(block: list[tuple[float, str]]) -> float:
    middle = sum(height for height, _ in block) / len(block)
    return middle - GAP * (len(block) - 1) / 2


def top(block: list[tuple[float, str]]) -> float:
    return bottom(block) + GAP * (len(block) - 1)


def plot_call(results: Results) -> Path | None:
    from matplotlib import pyplot

    found = {
        peer: results.figure(Key("call", "call mean", "1 fork", peer))
        for peer in by_throughput(results)
    }
    bars = sorted(((f, peer) for peer, f in found.items() if f), reverse=True)
    if not bars:
        return None
    figure, axes = pyplot.subplots(figsize=(8, 4.5))
    for bar, peer in bars:
        axes.barh(label(peer), bar.median, color=style(peer)["color"])
        axes.annotate(
            number(bar.median), (bar.median, label(peer)), (4, 0),
            textcoords="offset points", va="center", fontsize="small",
        )  # fmt: skip
    axes.set_title("Mean cost of a log call in one worker (lower is better)")
    axes.set_xlabel("µs")
    axes.margins(x=0.1)
    axes.spines[["top", "right"]].set_visible(False)
    return save(figure, "call_cost.svg")


def style(peer: str) -> dict[str, Any]:
    """Ours stands out, the yardstick and the floors stay behind, the rest differ in all ways."""
    if peer in OURS:
        stroke = STROKES[OURS.index(peer)]
        return {"color": "crimson", "linewidth": 3, "linestyle": stroke, "marker": "o"}
    if peer == "FileHandler":
        return {"color": "black", "linewidth": 2, "marker": "s"}
    if peer in FLOORS:
        at = FLOORS.index(peer)
        return {"color": ("0.45", "0.7")[at % 2], "linestyle": STROKES[at % 2 + 1], "marker": "."}
    rest = [name for name in GENERAL if name not in (*OURS, "FileHandler", *FLOORS)]
    at = rest.index(peer)
    # Without the red of ours.
    color = f"C{[0, 1, 2, 4, 5, 6, 8, 9][at % 8]}"
    return {
        "color": color,
        "linestyle": STROKES[at % len(STROKES)],
        "marker": MARKERS[at % len(MARKERS)],
    }
