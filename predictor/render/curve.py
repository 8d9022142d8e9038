"""A data set at several sizes, for a reader: what each reaches, and what it costs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from predictor.errors import FitError
from predictor.render.page import Block, Page, PageTable, Said, page_text
from predictor.render.predictions import recipe_text, title
from predictor.render.tables import level_text, percent
from predictor.render.verdict import points_text, probability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from predictor.planning.scaling import ScaleCurve, ScalePoint

AXES = {
    "images": ("n_samples", "images"),
    "steps": ("image_steps", "image-steps of training"),
    "hours": ("hours", "hours of training, one run"),
    "money": ("money", "money: training and images that are added"),
}


def page(curve: ScaleCurve) -> Page:
    """What the double brings, a row a size, and what that rests on."""
    table = [_row(curve, point) for point in curve.points]
    columns = [name for name in table[0] if any(row[name] is not None for row in table)]
    lines: list[Block] = []
    if curve.images_per_second:
        told = f"{curve.from_runs:,} runs on {curve.device}" if curve.from_runs else "as said"
        lines.append(Said(f"at {curve.images_per_second:,.0f} images a second ({told}), one process", "hours"))
    if curve.runs:
        n = sum(run.n_runs for run in curve.runs)
        what = f"{len(curve.runs):,} configurations ({n:,} runs), of whatever shape"
        lines.append(Said(f"{what}: {_span(curve)}", "real runs"))
    if curve.covered:
        held = f"{curve.covered[0]:,} of {curve.covered[1]:,} such intervals held at the present size"
        lines.append(Said(f"{100 * curve.level:g} %; {held}", "intervals"))
    lines += [Said(note, "note") for note in curve.notes]
    return [
        [Said(_answer(curve))],
        [title(curve.manifest, curve.status, curve.target_set, curve.domain, curve.recipe)],
        [PageTable(table, columns, optional=("image-steps", "range", "P(better)", "hours"))],
        [*lines, Said(f"fit: {curve.fit}")],
    ]


def _row(curve: ScaleCurve, point: ScalePoint) -> dict[str, Any]:
    told = point.value is not None and point.low is not None and point.high is not None
    low, high = point.low or 0.0, 1.0 if point.high is None else point.high
    return {
        "size": f"x {point.scale:.3g}",
        "images": point.n_samples,
        "image-steps": None if curve.steps_fixed else point.image_steps,
        "hours": None if point.hours is None else f"{point.hours:.3g}",
        "money": None if point.money is None else f"{point.money:,.2f}" if point.money >= 1 else f"{point.money:.2g}",
        curve.outcome: level_text(point.value, low, high, backed=point.backed) if told else None,
        "points against now": None if point.gain is None else points_text(point.gain, point.gain_low, point.gain_high),
        "if now has 50 %": None
        if point.gain is not None or point.gain_at_half is None or any(one.gain is not None for one in curve.points)
        else points_text(point.gain_at_half, None, None),
        "P(better)": None if point.p_better is None else probability(point.p_better),
        "range": "OUTSIDE" if point.outside else "inside",
    }


def _span(curve: ScaleCurve) -> str:
    images, values = [run.n_samples for run in curve.runs], [run.value for run in curve.runs]
    return f"{min(images):,} to {max(images):,} images reach {percent(min(values))} to {percent(max(values))}"


def _answer(curve: ScaleCurve) -> str:
    now = next(point for point in curve.points if point.scale == 1)
    told = [point for point in curve.points if point.scale > 1 and not point.outside and point.gain is not None]
    if now.value is None or not now.backed:
        return f"{curve.manifest}: no level is known, only how sizes compare."
    start = f"{curve.manifest}: {percent(now.value)} {curve.outcome} with {now.n_samples:,} images"
    if not told:
        return f"{start}; no larger size lies inside of what the fit saw."
    last = told[-1]
    gain = points_text(last.gain, last.gain_low, last.gain_high).replace(" [", " points [")
    sure = "" if last.p_better is None else f", P(better) {probability(last.p_better)}"
    more = f"{last.scale:.3g} times as many ({last.n_samples:,}), the most inside of what the fit saw"
    return f"{start}; {more}: {percent(last.value)}, {gain}{sure}."


def rows(curve: ScaleCurve) -> list[dict[str, Any]]:
    """One row for each size."""
    return [
        {**asdict(point), "outside": "; ".join(item["indicator"] for item in point.outside) or None}
        for point in curve.points
    ]


def kinds(curve: ScaleCurve) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV."""
    names = (
        "manifest",
        "outcome",
        "status",
        "target_set",
        "domain",
        "level",
        "images_per_second",
        "device",
        "from_runs",
    )
    about = {name: getattr(curve, name) for name in names}
    return {
        "size": rows(curve),
        "real run": [asdict(run) for run in curve.runs],
        "curve": [{**about, "recipe": recipe_text(curve.recipe), "covered": curve.covered, "fit": curve.fit}],
        "note": [{"reason": note} for note in curve.notes],
        "answer": [{"reason": _answer(curve)}],
    }


def content(curve: ScaleCurve) -> dict[str, Any]:
    """One object for JSON."""
    return {**curve.to_dict(), "sentence": _answer(curve)}


def summary(curve: ScaleCurve) -> str:
    """The sizes in words and numbers."""
    return page_text(page(curve), "table")


def plot(curve: ScaleCurve, axis: str | None = None) -> Figure:
    """The predicted value with its interval against images, image-steps, hours or money; real runs as dots.

    axis : one of AXES; images where left out. Raises FitError where nothing tells it.
    """
    import pandas as pd

    from predictor.figures import accuracy_curve

    name, label = AXES[axis or "images"]
    told = [row for row in rows(curve) if row[name] is not None and row["value"] is not None]
    if not told:
        needed = {"hours": "--speed N or --runs RUNS", "money": "--price-hour X or --price-image FILE"}
        remedy = f"say {needed.get(axis or '', '--axis images')}"
        raise FitError(f"nothing tells the {axis} of a run", where=curve.manifest, remedy=remedy)
    points = pd.DataFrame(told)[[name, "value", "low", "high", "backed", "outside", "scale"]]
    points = points.rename(columns={name: "x"})
    dots = None
    if axis in (None, "images", "steps") and curve.runs:
        dots = pd.DataFrame([{"x": getattr(run, name), "value": run.value} for run in curve.runs]).dropna()
    return accuracy_curve(points, label, curve.outcome, curve.level, dots=dots, dots_of=curve.target_set)
