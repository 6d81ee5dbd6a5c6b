"""The plot of `growth`: an axis a panel, each relative to its first point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import growth
from .peers import YARDSTICK
from .results import Results

PATH = Path(__file__).resolve().parent / "growth.svg"
STYLES: dict[str, dict[str, Any]] = {
    growth.OURS: {"color": "crimson", "linewidth": 2.5, "marker": "o"},
    YARDSTICK: {"color": "black", "linestyle": "--", "marker": ".",
                "label": "FileHandler (unsafe)"},
}


def plot(results: Results) -> Path:
    """Write the SVG file, and return its path."""
    import matplotlib

    matplotlib.use("svg")
    # The same input gives the same file; text stays text.
    matplotlib.rcParams.update({"svg.hashsalt": "mplogging", "svg.fonttype": "none"})
    from matplotlib import pyplot

    figure, places = pyplot.subplots(2, 4, figsize=(12, 5.5))
    panels = list(places.flat)
    for axis, panel in zip(growth.AXES, panels):
        draw(panel, results, axis)
    handles, labels = panels[0].get_legend_handles_labels()
    for panel in panels[len(growth.AXES):]:
        panel.axis("off")
        panel.legend(handles, labels, loc="center", frameon=False)
    figure.tight_layout()
    figure.savefig(PATH, metadata={"Date": None})
    return PATH


def draw(panel: Any, results: Results, axis: growth.Axis) -> None:
    # Of the throughput, a machine with two cores tells how busy it was.
    highest = 1.0
    for peer, style in STYLES.items():
        times = growth.relative(results, axis, growth.CPU, peer)
        if times:
            panel.plot(list(times), list(times.values()), **{"label": peer, **style})
            highest = max(highest, *times.values())
    panel.axhline(1, color="0.8", zorder=0)
    panel.set_xscale("log")
    panel.set_xlabel(axis.name)
    panel.set_ylabel("CPU a record, × the first")
    if axis.bytes_each:
        panel.set_yscale("log")
    else:
        panel.set_ylim(0, max(2, 1.1 * highest))
