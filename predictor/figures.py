"""Figures: agreement as a heat map, indicator against outcome, predicted against measured."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LOG_ABOVE = 20.0  # largest over smallest value of an indicator: beyond it the axis is logarithmic
FEW_COLUMNS = 4  # of a heat map: up to that many their names fit side by side
DPI = 110


def agreement_map(table: pd.DataFrame) -> Figure:
    """Spearman's rho: a row an indicator, a column a target set and outcome; grey where it is undefined.

    table : `AgreementTable.to_frame()`
    """
    import seaborn as sns

    rho = table[table["statistic"].eq("spearman") & table["given"].isna()]
    grid = rho.pivot_table(
        index="indicator", columns=["target_set", "outcome"], values="value", aggfunc="first", sort=False
    ).astype(float)
    grid = grid.loc[grid.abs().mean(axis=1).sort_values(ascending=False).index]
    grid.columns = [plain(f"{target_set} · {outcome.removeprefix('shift:')}") for target_set, outcome in grid.columns]
    grid.index = [plain(name) for name in grid.index]
    few = grid.shape[1] <= FEW_COLUMNS
    figure, axes = _axes(width=max(6.0, 2.6 + 0.62 * grid.shape[1]), height=(0.9 if few else 2.1) + 0.34 * len(grid))
    with quiet_glyphs():
        sns.heatmap(
            grid, vmin=-1, vmax=1, cmap="vlag", annot=True, fmt=".2f", annot_kws={"size": 8}, linewidths=0.5, ax=axes,
            cbar=not few, cbar_kws=None if few else {"label": "Spearman's rho"},
        )  # fmt: skip
    axes.set_facecolor("0.88")
    axes.set(xlabel="", ylabel="")
    axes.tick_params(axis="y", rotation=0)
    axes.tick_params(axis="x", rotation=0 if few else 50)
    for label in axes.get_xticklabels():
        label.set_ha("center" if few else "right")
    return figure


def indicator_against_outcome(frame: pd.DataFrame, indicators: Sequence[str], outcome: str) -> Figure:
    """One panel an indicator: each configuration's mean outcome with the range of its seeds, a colour a target set.

    frame : one row a run, from `predictor.frame`
    """
    import seaborn as sns

    frame = frame[frame[f"out_{outcome}"].notna()]
    columns = [f"ind_{name}" for name in indicators]
    keys = ["target_set", "configuration_id"]
    grouped = frame.groupby(keys)
    points = grouped[columns].first()
    seeds = grouped[f"out_{outcome}"].agg(["mean", "min", "max"]) * 100
    points = points.join(seeds).reset_index()
    sets = sorted(points["target_set"].unique())
    colours = dict(zip(sets, sns.color_palette("colorblind", len(sets)), strict=True))
    figure, panels = _axes(width=4.1 * len(indicators), height=3.9, columns=len(indicators))
    for axes, name in zip(np.atleast_1d(panels), indicators, strict=True):
        for target_set in sets:
            own = points[points["target_set"].eq(target_set) & points[f"ind_{name}"].notna()]
            error = np.stack([own["mean"] - own["min"], own["max"] - own["mean"]])
            axes.errorbar(
                own[f"ind_{name}"], own["mean"], yerr=error, fmt="o", ms=4.5, lw=1, alpha=0.8,
                color=colours[target_set], label=plain(target_set),
            )  # fmt: skip
        values = points[f"ind_{name}"].dropna()
        if len(values) and values.min() > 0 and values.max() / values.min() > LOG_ABOVE:
            axes.set_xscale("log")
        axes.set(xlabel=plain(name), ylabel=f"{plain(outcome)} (%)")
        axes.grid(alpha=0.25)
    handles, labels = np.atleast_1d(panels)[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 6), frameon=False)
    return figure


def predicted_against_measured(points: pd.DataFrame, outcome: str) -> Figure:
    """Out-of-fold predictions with their intervals against what was measured.

    points : columns target_set, measured, predicted, low, high (fractions)
    """
    import seaborn as sns

    sets = sorted(points["target_set"].unique())
    colours = dict(zip(sets, sns.color_palette("colorblind", len(sets)), strict=True))
    figure, axes = _axes(width=5.4, height=5.0)
    for target_set in sets:
        own = points[points["target_set"].eq(target_set)] * 1
        error = 100 * np.stack([own["predicted"] - own["low"], own["high"] - own["predicted"]]).clip(min=0)
        axes.errorbar(
            100 * own["measured"], 100 * own["predicted"], yerr=error, fmt="o", ms=4.5, lw=0.8, alpha=0.8,
            color=colours[target_set], label=plain(target_set),
        )  # fmt: skip
    ends = 100 * points[["measured", "predicted", "low", "high"]].to_numpy(float)
    low, high = max(-2.0, ends.min() - 3), min(102.0, ends.max() + 3)
    axes.plot([low, high], [low, high], color="0.5", lw=1, zorder=0)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")  # so that the line stands at 45 degrees
    axes.set(xlabel=f"measured {plain(outcome)} (%)", ylabel=f"predicted {plain(outcome)} (%), 90 % interval")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, loc="upper left")
    return figure


def accuracy_curve(
    points: pd.DataFrame,
    x_name: str,
    outcome: str,
    level: float,
    *,
    wanted: float | None = None,
    dots: pd.DataFrame | None = None,
    dots_of: str = "",
) -> Figure:
    """The predicted value with its interval against what is spent; dashed beyond what the fit saw.

    points : columns x, value, low, high (fractions) and, if any, backed (whether the value is shown), outside, scale
    wanted : an accuracy to reach, drawn as a line; dots : columns x and value of real runs, which are of `dots_of`
    """
    import seaborn as sns

    blue, orange, green = sns.color_palette("colorblind", 3)
    figure, axes = _axes(width=6.8, height=4.6)
    x = points["x"].to_numpy(float)
    low, value, high = (100 * points[name].to_numpy(float) for name in ("low", "value", "high"))
    shown = points["backed"].to_numpy(bool) if "backed" in points else np.ones(len(x), dtype=bool)
    inside = points["outside"].isna().to_numpy() if "outside" in points else np.ones(len(x), dtype=bool)
    axes.fill_between(x, low, high, alpha=0.18, lw=0, color=blue, label=f"{level:.0%} interval".replace("%", " %"))
    if (shown & inside).any():
        at = shown & inside
        axes.plot(x[at], value[at], "o-", ms=4, lw=1.8, color=blue, label="predicted")
    beyond = shown & ~inside
    if beyond.any():
        near = np.convolve(beyond, [1, 1, 1], "same").astype(bool) & shown  # from the last point that is inside
        axes.plot(x[near], value[near], "--", lw=1.4, color=blue, zorder=1)
        axes.plot(
            x[beyond], value[beyond], "o", ms=4, mfc="white", mec=blue, label="predicted, outside of what the fit saw"
        )
    if dots is not None and len(dots):
        axes.plot(
            dots["x"], 100 * dots["value"], "D", ms=4, mfc="none", mec=orange, mew=1.0, alpha=0.9, zorder=3,
            label=f"real runs of {plain(dots_of)}, of any shape (n = {len(dots):,})",
        )  # fmt: skip
    if "scale" in points and (now := points["scale"].eq(1)).any():
        axes.axvline(float(points.loc[now, "x"].iloc[0]), color="0.45", lw=1, ls=":", label="now")
    if wanted is not None:
        axes.axhline(100 * wanted, color=green, lw=1.2, ls="--", label=f"wanted: {100 * wanted:.4g} %")
    _log_axis(axes.xaxis, x)
    axes.set(xlabel=x_name, ylabel=f"{plain(outcome)} (%)")
    axes.grid(alpha=0.25)
    sns.despine(ax=axes)
    axes.legend(frameon=False, fontsize=8.5, loc="best")
    return figure


def _log_axis(axis: Any, values: Any) -> None:
    """A logarithmic axis with plain numbers; from 0 on it begins with a linear part."""
    from matplotlib.ticker import FuncFormatter, NullFormatter, SymmetricalLogLocator

    positive = values[values > 0]
    least = float(positive.min(initial=np.inf)) if len(positive) else 1.0
    if len(positive) < len(values):
        axis.axes.set_xscale("symlog", linthresh=least, linscale=0.4)
        axis.axes.set_xlim(-0.1 * least, 1.15 * max(float(values.max()), least))
        axis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=least, subs=(1, 2, 5)))
    else:
        axis.axes.set_xscale("log")
        if positive.max() / least < 300:
            from matplotlib.ticker import LogLocator

            axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"))
    axis.set_minor_formatter(NullFormatter())


FEW_CLASSES = 40  # of a bar chart: up to that many each has a bar with its name
NAMED_CLASSES = 10  # of more: so many of the worst and of the best are named


def class_bars(classes: pd.DataFrame, outcome: str, level: float, *, title: str = "") -> Figure:
    """Accuracy of each class with its interval, worst first: a bar each; of many a line, named at its ends.

    classes : columns name, value, low, high (fractions), worst first; n_samples
    """
    import seaborn as sns

    blue, orange = sns.color_palette("colorblind", 2)
    n = len(classes)
    low, value, high = (100 * classes[name].to_numpy(float) for name in ("low", "value", "high"))
    told = f"{plain(outcome)} (%), {100 * level:g} % interval"
    if n <= FEW_CLASSES:
        figure, axes = _axes(width=6.8, height=1.2 + 0.24 * n)
        at = np.arange(n)
        axes.barh(at, value, color=blue, alpha=0.75, height=0.72)
        axes.hlines(at, low, high, color="0.25", lw=1.2)
        labels = [
            f"{plain(str(name))}  ({count:,})"
            for name, count in zip(classes["name"], classes["n_samples"], strict=True)
        ]
        axes.set_yticks(at, labels)
        axes.set(ylim=(n - 0.4, -0.6), xlim=(0, 100), xlabel=told, ylabel="class (images)")
        axes.grid(alpha=0.25, axis="x")
    else:
        figure, axes = _axes(width=7.6, height=5.4)
        rank = np.arange(1, n + 1)
        axes.fill_between(
            rank, low, high, color=blue, alpha=0.18, lw=0, label=f"{level:.0%} interval".replace("%", " %")
        )
        axes.plot(rank, value, color=blue, lw=1.8, label="predicted")
        axes.set(xlim=(1, n), ylim=(0, 100), xlabel="rank of the class, worst first", ylabel=f"{plain(outcome)} (%)")
        axes.grid(alpha=0.25)
        for first, ends, place in ((True, range(NAMED_CLASSES), 0.02), (False, range(n - NAMED_CLASSES, n), 0.98)):
            names = [plain(str(classes["name"].iloc[i]))[:28] for i in ends]
            head = "worst" if first else "best"
            text = "\n".join([head, *(f"{name}  {value[i]:.0f} %" for name, i in zip(names, ends, strict=True))])
            axes.text(
                place, 0.97 if first else 0.03, text, transform=axes.transAxes, fontsize=7.5, linespacing=1.25,
                ha="left" if first else "right", va="top" if first else "bottom",
                bbox={"facecolor": "white", "alpha": 0.8, "lw": 0},
            )  # fmt: skip
        axes.plot(rank[:NAMED_CLASSES], value[:NAMED_CLASSES], "o", ms=3, color=orange)
        axes.legend(frameon=False, fontsize=8.5, loc="upper center")
    if title:
        axes.set_title(plain(title), fontsize=10)
    sns.despine(ax=axes)
    return figure


def plain(name: str) -> str:
    """A user's name as matplotlib text: a pair of dollar signs would be read as a formula.

    >>> plain("$5")
    '\\\\$5'
    """
    return name.replace("$", r"\$")


@contextmanager
def quiet_glyphs() -> Iterator[None]:
    """No warning for characters that the figures' font lacks: they show as boxes, the tables hold the full name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def data_uri(figure: Figure) -> str:
    """A figure as a PNG inside a `data:` address."""
    stream = io.BytesIO()
    with quiet_glyphs():
        figure.savefig(stream, format="png", dpi=DPI)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def _axes(*, width: float, height: float, columns: int = 1) -> tuple[Figure, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")  # no pyplot: no global state, no window
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def intervals(points: pd.DataFrame, what: str, *, against: float | None = None) -> Figure:
    """Values with their intervals, one below the other; a colour a series.

    points : columns label, series, value, low, high; what : name of the axis; against : a value to compare with
    """
    import seaborn as sns

    series = list(dict.fromkeys(points["series"]))
    colours = dict(zip(series, sns.color_palette("colorblind", len(series)), strict=True))
    place = {label: i for i, label in enumerate(dict.fromkeys(points["label"]))}
    figure, axes = _axes(width=6.4, height=1.2 + 0.22 * len(place) * max(1, len(series)) ** 0.7)
    for i, name in enumerate(series):
        own = points[points["series"].eq(name)]
        y = own["label"].map(place).to_numpy(float) + 0.16 * (i - (len(series) - 1) / 2)
        value = own["value"].to_numpy(float)
        error = np.stack([value - own["low"].to_numpy(float), own["high"].to_numpy(float) - value]).clip(min=0)
        axes.errorbar(value, y, xerr=error, fmt="o", ms=4.5, lw=1.2, color=colours[name], label=plain(str(name)))
    if against is not None:
        axes.axvline(against, color="0.4", lw=1, ls="--")
    axes.set_yticks(list(place.values()), [plain(str(label)) for label in place])
    axes.set(xlabel=what, ylim=(max(len(place), 1) - 0.5, -0.5))
    axes.grid(alpha=0.25, axis="x")
    if len(series) > 1:
        axes.legend(frameon=False)
    return figure


def falling_width(widths: Sequence[float], step: str) -> Figure:
    """Width of an interval after each step, the first before any: fractions, drawn in points. step : what one is"""
    figure, axes = _axes(width=5.4, height=3.6)
    axes.plot(range(len(widths)), 100 * np.asarray(widths, dtype=float), "o-", ms=5)
    axes.set_xticks(range(len(widths)))
    axes.set(xlabel=step, ylabel="width of the interval (points)", ylim=(0, None))
    axes.grid(alpha=0.25)
    return figure
