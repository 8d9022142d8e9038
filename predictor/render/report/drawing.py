"""The figures of the page: a colour a domain everywhere, a shape a target set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.figures import plain
from predictor.render.report.embedded import INK, SOFT

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MARKERS = "osD^vPX<>ph*"
FEW_COLOURS = 10  # of the palette that colour-blind readers tell apart; the largest domains have them
LETTER, HANDLE = 0.068, 0.56  # inches of a legend: a letter of its texts; its mark, with the gap to the next column
LEGEND = 16  # entries: more would be larger than the figure
SIDES = {"V: target classes alone": 0, "H: with other classes": 3}  # of the palette


def palette(domains: Sequence[str]) -> dict[str, Any]:
    """{domain: colour}, the same in every figure."""
    import seaborn as sns

    more = max(0, len(domains) - FEW_COLOURS)  # neither too dark nor too light for a page of either colour
    colours = [*sns.color_palette("colorblind", FEW_COLOURS), *sns.husl_palette(more, s=0.7, l=0.55)]
    return dict(zip(domains, colours[: len(domains)], strict=True))


def shapes(target_sets: Sequence[str]) -> dict[str, str]:
    """{target set: marker}; more sets than markers share them."""
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(sorted(target_sets))}


@contextmanager
def canvas(width: float, height: float, columns: int = 1) -> Iterator[tuple[Figure, list[Any]]]:
    """A figure and its axes, whose text and lines take the colours of the page."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style = {
        "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.edgecolor": SOFT,
        "grid.color": SOFT, "axes.spines.top": False, "axes.spines.right": False, "font.size": 9.5,
        "axes.titlesize": 10, "legend.frameon": False, "legend.fontsize": 8.5,
    }  # fmt: skip
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        axes = np.atleast_1d(figure.subplots(1, columns)).tolist()
        for one in axes:
            one.grid(alpha=0.6, lw=0.6)
            one.set_axisbelow(True)
        yield figure, axes


def two_scalings(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Accuracy against robustness, a dot a configuration, its area the images, V and H in two colours.

    panels : {title: columns accuracy, robustness (fractions), images, other}
    """
    import seaborn as sns

    colours = sns.color_palette("colorblind", 8)
    images = np.concatenate([own["images"].to_numpy(float) for own in panels.values()])
    most = max(float(images.max()), 1.0)
    with canvas(4.1 * len(panels), 4.1, len(panels)) as (figure, axes):
        for axis, (title, own) in zip(axes, panels.items(), strict=True):
            for (label, colour), side in zip(SIDES.items(), (False, True), strict=True):
                part = own[own["other"].eq(side)]
                axis.scatter(
                    100 * part["accuracy"], 100 * part["robustness"], s=6 + 150 * part["images"] / most, alpha=0.55,
                    color=colours[colour], lw=0, label=label if axis is axes[0] else None,
                )  # fmt: skip
            axis.set(title=plain(title), xlabel="accuracy (%)", ylabel="robustness (%)" if axis is axes[0] else "")
        for size in _sizes(images):
            axes[0].scatter([], [], s=6 + 150 * size / most, color="0.55", lw=0, label=f"{size:,.0f} images")
        _above(figure, 5)
    return figure


def _sizes(images: np.ndarray) -> list[float]:
    """Two sizes for the legend: a typical and a large one, to one digit."""
    wanted = np.quantile(images, [0.5, 1.0])
    return sorted({float(f"{value:.1g}") for value in wanted if value > 0})


def growth(panels: Mapping[str, pd.DataFrame], colours: Mapping[str, Any]) -> Figure:
    """Accuracy against images: a line a target set, a colour a domain.

    panels : {title: columns domain, target_set, images, accuracy}
    """
    with canvas(5.2 * len(panels), 4.1, len(panels)) as (figure, axes):
        seen = {}
        for axis, (title, own) in zip(axes, panels.items(), strict=True):
            marks = shapes(own["target_set"].unique())
            for (domain, target_set), line in own.groupby(["domain", "target_set"], sort=False):
                line = line.sort_values("images")
                axis.plot(
                    line["images"], 100 * line["accuracy"], f"{marks[target_set]}-", ms=3.8, lw=1, alpha=0.85,
                    color=colours[domain],
                )  # fmt: skip
                seen.setdefault(domain, colours[domain])
            axis.set(xscale="log", title=plain(title), xlabel="training images", ylabel="accuracy (%)")
        _legend(figure, seen)
    return figure


def effects(points: pd.DataFrame, colours: Mapping[str, Any], margin: float) -> Figure:
    """Effects of the parts of a claim: a mark a target set, the mean with its interval as a bar.

    points : columns part, target_set, domain, effect, mean, low, high in points
    """
    parts = list(dict.fromkeys(points["part"]))
    marks = shapes(points["target_set"].unique())
    with canvas(7.4, 0.9 + 0.42 * len(parts)) as (figure, (axis,)):
        axis.axvspan(-margin, margin, color=SOFT, alpha=0.35, lw=0)
        seen = {}
        for row, part in enumerate(parts):
            own = points[points["part"].eq(part)]
            for domain, target_set, value in own[["domain", "target_set", "effect"]].itertuples(index=False):
                axis.plot(value, row, marks[target_set], ms=5, alpha=0.75, color=colours[domain], mew=0)
                seen.setdefault(domain, colours[domain])
            mean, low, high = (own[name].iloc[0] for name in ("mean", "low", "high"))
            if np.isfinite([low, high]).all():
                axis.plot([low, high], [row, row], color=INK, lw=1.6, zorder=1)
            axis.plot(mean, row, "|", ms=13, mew=2.2, color=INK, zorder=3)
        axis.axvline(0, color=INK, lw=0.7, ls=":")
        axis.set_yticks(range(len(parts)), [plain(part) for part in parts])
        axis.set(xlabel="effect (points)", ylim=(len(parts) - 0.5, -0.5))
        _legend(figure, seen)
    return figure


def pooled_rhos(rows: Sequence[Any], outcome: str) -> Figure:
    """Mean rho of each group of indicators with its interval, and open the same at equal size."""
    import seaborn as sns

    colours = sns.color_palette("colorblind", 8)
    with canvas(6.6, 0.9 + 0.24 * len(rows)) as (figure, (axis,)):
        for i, row in enumerate(rows):
            axis.plot([row.low, row.high], [i - 0.12] * 2, color=colours[0], lw=2)
            axis.plot(row.value, i - 0.12, "o", ms=5, color=colours[0], label="rho" if i == 0 else None)
            if row.given_size is not None:
                axis.plot([row.given_low, row.given_high], [i + 0.2] * 2, color=colours[3], lw=1.1)
                axis.plot(row.given_size, i + 0.2, "D", ms=3.8, color=colours[3], mfc="none")
        axis.plot([], [], "D-", ms=3.8, color=colours[3], mfc="none", label="rho at equal number of images")
        axis.axvline(0, color=INK, lw=0.7, ls=":")
        axis.set_yticks(range(len(rows)), [plain(row.indicator) for row in rows])
        axis.set(xlim=(-1, 1), ylim=(len(rows) - 0.4, -0.6), xlabel=f"Spearman's rho with {plain(outcome)}")
        _above(figure, 2)
    return figure


def against_measured(
    points: pd.DataFrame, outcome: str, colours: Mapping[str, Any], domain_of: Mapping[str, str]
) -> Figure:
    """Predictions of runs that the fit had not seen, with their intervals, against what was measured.

    points : columns target_set, measured, predicted, low, high (fractions)
    """
    marks = shapes(points["target_set"].unique())
    with canvas(5.4, 5.0) as (figure, (axis,)):
        seen = {}
        for target_set, own in points.groupby("target_set", sort=False):
            colour = colours[domain_of[target_set]]
            seen.setdefault(domain_of[target_set], colour)
            x, y = 100 * own["measured"], 100 * own["predicted"]
            axis.vlines(x, 100 * own["low"], 100 * own["high"], color=colour, lw=0.5, alpha=0.35)
            axis.plot(x, y, marks[target_set], ms=3.6, alpha=0.8, color=colour, mew=0)
        ends = 100 * points[["measured", "predicted"]].to_numpy(float)
        low, high = max(-2.0, ends.min() - 4), min(102.0, ends.max() + 4)
        axis.plot([low, high], [low, high], color=INK, lw=0.9, ls="--")
        axis.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        axis.set(xlabel=f"measured {plain(outcome)} (%)", ylabel=f"predicted {plain(outcome)} (%), 90 % interval")
        _legend(figure, seen)
    return figure


def told_and_seen(series: Mapping[str, Sequence[tuple[float, float, float, float]]], x: str, y: str) -> Figure:
    """What was stated against how often it came true, with exact binomial intervals where they are known.

    series : {name: (stated, observed, low, high)}, fractions; nan for what has no bound
    """
    import seaborn as sns

    colours = sns.color_palette("colorblind", max(len(series), 1))
    with canvas(5.2, 4.7) as (figure, (axis,)):
        every = np.array([item for own in series.values() for item in own], float)
        least = 100 * max(0.0, float(np.nanmin(every)) - 0.05)
        axis.plot([least, 100], [least, 100], color=INK, lw=0.9, ls="--")
        for i, (name, own) in enumerate(series.items()):
            stated, seen, low, high = 100 * np.array(own, float).T
            axis.vlines(stated, low, high, color=colours[i], lw=1.1, alpha=0.7)
            axis.plot(stated, seen, f"{MARKERS[i % len(MARKERS)]}-", ms=5, lw=1, color=colours[i], label=plain(name))
        axis.set(xlabel=x, ylabel=y, xlim=(least, 101), ylim=(least, 101), aspect="equal")
        _above(figure, 2)
    return figure


def _legend(figure: Figure, seen: Mapping[str, Any]) -> None:
    from matplotlib.lines import Line2D

    if 1 <= len(seen) <= LEGEND:
        handles = [Line2D([], [], marker="o", ls="", color=colour, label=plain(name)) for name, colour in seen.items()]
        _above(figure, 5, handles)


def _above(figure: Figure, most: int, handles: Sequence[Any] | None = None) -> None:
    """A legend above the axes, in as many columns as the figure is wide enough for, `most` at most."""
    named = [label for axis in figure.axes for label in axis.get_legend_handles_labels()[1]]
    labels = named if handles is None else [handle.get_label() for handle in handles]
    fits = int(figure.get_figwidth() / (HANDLE + LETTER * max(map(len, labels), default=1)))
    given = {} if handles is None else {"handles": handles}
    figure.legend(loc="outside upper center", ncols=max(1, min(fits, most, len(labels) or 1)), **given)
