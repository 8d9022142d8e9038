"""Advice in words and numbers: plans, the curve, what is reached with how many images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.errors import FitError
from predictor.render.changes import change_lines
from predictor.text import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from predictor.planning import Advice, Plan, Point, Reach

SHOWN = 8  # classes named in the table, and sizes of the curve; --output and --format json have all
CLASS_COLUMNS = {"label": "label", "role": "role", "now": "now", "collect": "collect", "count": "total"}  # a manifest
PLAN_COLUMNS = (
    "plan", "advised", "collect", "cut", "other_classes", "cost", "n_samples", "image_steps", "value", "low", "high",
    "gain", "gain_low", "gain_high", "p_better", "outside",
)  # fmt: skip


def class_rows(plan: Plan) -> list[dict[str, Any]]:
    """One row for each class, most to collect first."""
    return [{column: getattr(change, name) for column, name in CLASS_COLUMNS.items()} for change in plan.changes]


def rows(advice: Advice) -> list[dict[str, Any]]:
    """One row for each plan, the highest prediction first."""
    return [
        {
            "plan": plan.name,
            "advised": plan.name == advice.advised,
            "collect": plan.collected,
            **{name: getattr(plan, name) for name in PLAN_COLUMNS[3:-1]},
            "outside": "; ".join(item["indicator"] for item in plan.outside) or None,
        }
        for plan in advice.plans
    ]


def summary(advice: Advice, plan: str = "advised") -> str:
    """The advice in words and numbers. plan : whose counts are shown"""
    from predictor.render.predictions import line, title

    chosen, advice = shown(advice.plan(plan)), shown(advice)
    blocks = [
        [f"{title(advice.manifest, advice.status, advice.target_set, advice.domain, advice.recipe)}   "
         f"BUDGET {advice.budget:,}" + ("" if advice.priced else " images")]
    ]  # fmt: skip
    blocks.append(_plans(advice).split("\n"))
    if len(advice.curve) > 1:
        blocks.append(_curve(advice).split("\n"))
    lines = []
    added = [change for change in chosen.changes if change.collect > 0]
    lines.append(line("collect", _named([c for c in added if c.role == "target"], "+") or "nothing"))
    if chosen.other_classes:
        new = [change for change in added if change.role == "other" and not change.now]
        lines.append(line("other classes", f"{len(new)} new ones of {new[0].collect:,} images"))
    if chosen.cut:
        lines.append(line("leave out", _named([c for c in reversed(chosen.changes) if c.collect < 0], "")))
    for item in advice.against if chosen.name == advice.advised else ():
        same = item.low == item.high == 0
        points = "the same plan" if same else f"{_points(item.gain, item.low, item.high)} points"
        lines.append(line("against", f"{item.plan} {points}"))
    if advice.reach is not None:
        lines += _reach(f"reach {advice.reach.wanted:.4g}", advice.reach, priced=advice.priced)
    if advice.five_points is not None:
        lines += _reach("+5 points", advice.five_points, priced=advice.priced)
    blocks.append(lines)
    if told := change_lines(advice.changes, advice.no_actions):
        blocks.append(told)
    out = [f"{e['indicator']} {e['value']:.4g} (fit saw {e['low']:.4g} to {e['high']:.4g})" for e in chosen.outside]
    last = [line("range", "OUTSIDE " + "; ".join(out) + "; uncalibrated" if out else "inside")]
    last.append(line("image-steps", _steps(advice, chosen)))
    last += [line("note", note) for note in advice.notes]
    blocks.append([*last, f"fit: {advice.fit} ({advice.family})"])
    return "\n\n".join("\n".join(block) for block in blocks)


def _steps(advice: Advice, chosen: Plan) -> str:
    now = next(plan.image_steps for plan in advice.plans if plan.name == "now")
    if now is None:
        frozen = advice.recipe["model"] is not None and advice.recipe["model"].endswith(", head)")
        return "none: the head of a frozen network is solved for" if frozen else "not known to the fit"
    if advice.steps_fixed:
        return f"{now:,} whatever is added, as asked"
    most = max((plan.image_steps or 0 for plan in (*advice.plans, *advice.curve)), default=now)
    with_plan = f", {chosen.image_steps:,} with the plan" if chosen.image_steps != now else ""
    return f"grow with the images: {now:,} now{with_plan}, at most {most:,}; fix them with --image-steps N"


def _reach(name: str, own: Reach, *, priced: bool) -> list[str]:
    """How many images for an accuracy, in one or more lines."""
    from predictor.render.predictions import line, percent_text

    span = f"[{_images(own.low)}, {_images(own.high)}]"
    if own.images is None:
        best = f"; {percent_text(own.value)} with {own.most:,} more images" if own.value is not None else ""
        lines = [line(name, f"{own.reason}{best}")]
        if own.low is not None:
            lines.append(line("", f"its upper bound is reached with {own.low:,} images"))
        return lines
    if own.images == 0:
        return [line(name, f"reached now; images for the whole interval {span}")]
    cost = f" for {own.cost:,.10g}" if priced and own.cost is not None else ""
    lines = [line(name, f"{own.images:,} images{cost} {span}, spread as advised")]
    if own.high is None:
        lines.append(line("", "its lower bound is not reachable within the domain of the fit"))
    return lines


def _curve(advice: Advice) -> str:
    """What a smaller budget reaches: some sizes of the curve, the first and the last among them."""
    from predictor.render.predictions import interval_text, percent_text
    from predictor.render.tables import rows_text

    points = list(advice.curve)
    places = np.unique(np.linspace(0, len(points) - 1, SHOWN).round().astype(int))
    rows = []
    for point in [points[i] for i in places.tolist()]:
        row: dict[str, Any] = {"collect": point.images}
        if advice.priced:
            row["cost"] = f"{point.cost:,.10g}"
        if not advice.steps_fixed:
            row["image-steps"] = point.image_steps
        row[advice.outcome] = f"{percent_text(point.value)} {interval_text(point.low, point.high)}"
        row["P(beats now)"] = None if point.p_better is None else f"{point.p_better:.2f}"
        rows.append(row)
    return rows_text(rows, "table")


def curve_rows(points: tuple[Point, ...]) -> list[dict[str, Any]]:
    """One row for each size of the curve: columns images, value, low, high."""
    return [{name: getattr(point, name) for name in ("images", "value", "low", "high")} for point in points]


def _plans(advice: Advice) -> str:
    from predictor.render.predictions import interval_text, percent_text
    from predictor.render.tables import rows_text

    rows = []
    for plan in advice.plans:
        rows.append(
            {
                "plan": plan.name + (" *" if plan.name == advice.advised else ""),
                "collect": plan.collected,
                **({"cost": f"{plan.cost:,.10g}"} if advice.priced else {}),
                "cut": plan.cut or None,
                "other classes": plan.other_classes or None,
                advice.outcome: f"{percent_text(plan.value)} {interval_text(plan.low, plan.high)}",
                "points against now": None if plan.name == "now" else _points(plan.gain, plan.gain_low, plan.gain_high),
                "P(beats now)": None if plan.p_better is None else f"{plan.p_better:.2f}",
                "range": "OUTSIDE" if plan.outside else "inside",
            }
        )
    return rows_text(rows, "table")


def _points(gain: float, low: float | None, high: float | None) -> str:
    bounds = f" [{100 * low:+z.1f}, {100 * high:+z.1f}]" if low is not None and high is not None else ""
    return f"{100 * gain:+z.1f}{bounds}"


def _images(n: int | None) -> str:
    return "beyond the fit" if n is None else f"{n:,}"


def _named(changes: list[Any], sign: str) -> str:
    shown = ", ".join(f"{change.label} {sign}{change.collect:,}" for change in changes[:SHOWN])
    return shown + (f" and {len(changes) - SHOWN} more: --output FILE" if len(changes) > SHOWN else "")


def plot(advice: Advice) -> Figure:
    """The curve: what each size up to the budget reaches. Raises FitError where it has no point."""
    import pandas as pd

    from predictor.figures import advice_curve

    if not advice.curve:
        raise FitError("the curve has no size inside of what the fit saw", where=advice.manifest)
    wanted = None if advice.reach is None else advice.reach.wanted
    return advice_curve(pd.DataFrame(curve_rows(advice.curve)), advice.outcome, advice.level, wanted)
