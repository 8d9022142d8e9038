"""Rank-frequency curves: images of each class against its rank by size, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from predictor.distribution import Counts, LabelDistribution
from predictor.figures import plain
from predictor.render.comparison import short_names
from predictor.render.drawn import check_figure, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKED = 40  # classes: up to that many each one has a dot
POINTS = 400  # of a curve that has more classes, evenly spread over the logarithm of the rank
IN_ONE_PALETTE = 10  # curves: beyond it the colours go round the wheel
DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)))  # told apart without colour, and where curves coincide
LEGEND_INSIDE = 4  # curves: more names stand beside the axes
LONGEST_NAME = 40  # characters in the legend


def write_rank_frequency(distributions: Mapping[str, LabelDistribution], path: Path) -> None:
    """Write the figure as PNG, SVG or PDF, whole or not at all.

    Raises PredictorError for another ending and a file that cannot be written.
    """
    check_figure(path)
    write_figure(rank_frequency(distributions), path)


def rank_frequency(distributions: Mapping[str, LabelDistribution]) -> Figure:
    """One curve a manifest over all its classes that have images."""
    import seaborn as sns
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n = len(distributions)
    beside = n > LEGEND_INSIDE
    height = max(4.6, 0.3 + 0.17 * n) if beside else 4.6  # room for every name
    figure = Figure(figsize=(8.6 if beside else 6.4, height), layout="constrained")  # no pyplot: no global state
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    colours = sns.color_palette("colorblind", n) if n <= IN_ONE_PALETTE else sns.husl_palette(n, s=0.9, l=0.5)
    for i, (name, distribution) in enumerate(
        zip(short_names(list(distributions)), distributions.values(), strict=True)
    ):
        counts = distribution.ranked_counts
        ranks = shown_ranks(len(counts))
        axes.plot(
            ranks, counts[ranks - 1], color=colours[i], linestyle=DASHES[i % len(DASHES)], lw=1.8,
            marker="o" if len(counts) <= MARKED else None, ms=4, alpha=0.9,
            zorder=2 + i % len(DASHES) / 10,  # dashes above a whole line: both are seen where they coincide
            label=curve_name(name, distribution),
        )  # fmt: skip
    _logarithmic(axes, distributions)
    axes.set(xlabel="rank of the class by its images", ylabel="images of the class")
    axes.grid(alpha=0.25, which="major")
    sns.despine(ax=axes)
    if beside:
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    else:
        axes.legend(frameon=False, fontsize=8)
    return figure


def curve_name(name: str, distribution: LabelDistribution) -> str:
    """What the legend says of a curve: the end of a long name, and its size.

    >>> curve_name("a.csv", LabelDistribution.from_counts({"cat": 1000, "dog": 500}))
    'a.csv (2 classes, 1,500 images)'
    """
    short = name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"
    text = f"{plain(short)} ({distribution.n_classes:,} classes, {distribution.n_samples:,} images)"
    return f" {text}" if text.startswith("_") else text  # a legend leaves out what begins with an underscore


def shown_ranks(n_classes: int) -> NDArray[np.int64]:
    """The ranks that are drawn of 1..n: all of a few, else some evenly spread over the logarithm.

    >>> shown_ranks(3).tolist(), len(shown_ranks(20_000)) <= POINTS, shown_ranks(20_000)[[0, -1]].tolist()
    ([1, 2, 3], True, [1, 20000])
    """
    if n_classes <= POINTS:
        return np.arange(1, n_classes + 1)
    return np.unique(np.rint(np.geomspace(1, n_classes, POINTS)).astype(np.int64))


def _logarithmic(axes: Any, distributions: Mapping[str, LabelDistribution]) -> None:
    """Both axes in powers of ten and plain numbers, with room where all classes are equal."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    counts: list[Counts] = [d.ranked_counts for d in distributions.values() if d.n_classes]
    n_ranks = max((len(own) for own in counts), default=1)
    low = min((int(own[-1]) for own in counts), default=1)
    high = max((int(own[0]) for own in counts), default=1)
    axes.set(xscale="log", yscale="log")
    for axis, start, end in ((axes.xaxis, 1, n_ranks), (axes.yaxis, low, high)):
        narrow = end / start < 50  # few decades: 2 and 5 are named too
        axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5) if narrow else (1,), numticks=12))
        axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlim(0.9, max(n_ranks, 2) * 1.15)
    axes.set_ylim(low / 1.6, high * 1.6)


def short_number(value: float) -> str:
    """A power of ten as a person writes it.

    >>> short_number(500), short_number(20_000), short_number(1_000_000)
    ('500', '20k', '1M')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}" if value >= 1 or math.isclose(value, 0) else f"{value:.1g}"
