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


def advice_curve(points: pd.DataFrame, outcome: str, level: float, wanted: float | None = None) -> Figure:
    """What more images reach: the predicted value with its interval against the images to collect.

    points : columns images, value, low, high (fractions); wanted : an accuracy to reach, drawn as a line
    """
    figure, axes = _axes(width=6.4, height=4.4)
    images = points["images"].to_numpy(float)
    axes.fill_between(images, 100 * points["low"], 100 * points["high"], alpha=0.2, lw=0, label=f"{level:.0%} interval")
    axes.plot(images, 100 * points["value"], "o-", ms=4, label="predicted")
    if wanted is not None:
        axes.axhline(100 * wanted, color="0.4", lw=1, ls="--", label=f"wanted: {100 * wanted:.4g} %")
    axes.set_xscale(
        "symlog", linthresh=max(1.0, float(images[images > 0].min(initial=np.inf)) if images.any() else 1.0)
    )
    axes.set(xlabel="images to collect, spread as advised", ylabel=f"predicted {plain(outcome)} (%)")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, loc="lower right")
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
    axes.invert_yaxis()
    axes.set(xlabel=what)
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
