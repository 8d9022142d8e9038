"""Advice in words and numbers: plans, the curve, what is reached with how many images."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.errors import FitError
from predictor.render.changes import change_blocks, change_rows
from predictor.render.page import Block, Heading, Page, PageTable, Said, page_text
from predictor.render.predictions import recipe_text, title
from predictor.render.tables import level_text, percent
from predictor.render.verdict import against_now, outside_text, points_text, probability

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from predictor.planning import Advice, Plan, Point, Reach

SHOWN = 8  # classes named in the table, and sizes of the curve; --output and --format json have all
CLASS_COLUMNS = {"label": "label", "role": "role", "now": "now", "collect": "collect", "count": "total"}  # a manifest
PLAN_COLUMNS = (
    "plan", "advised", "collect", "cut", "other_classes", "cost", "n_samples", "image_steps", "value", "low", "high",
    "gain", "gain_low", "gain_high", "p_better", "backed", "gain_at_half", "outside",
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


def page(advice: Advice, *, plan: str = "advised") -> Page:
    """The answer, the plans, the curve, what to collect. plan : whose counts are shown"""
    chosen = advice.plan(plan)
    head = title(advice.manifest, advice.status, advice.target_set, advice.domain, advice.recipe)
    budget = f"BUDGET {advice.budget:,}" + ("" if advice.priced else " images")
    first: list[Block] = [Said(_answer(advice))]
    unbounded = _without_budget(advice)
    named: list[Block] = [head if unbounded else Heading((*head.parts, budget))]
    lines: list[Block] = []
    added = [change for change in chosen.changes if change.collect > 0]
    if not unbounded:
        lines.append(Said(_named([c for c in added if c.role == "target"], "+") or "nothing", "collect"))
    if chosen.other_classes:
        new = [change for change in added if change.role == "other" and not change.now]
        lines.append(Said(f"{len(new)} new ones of {new[0].collect:,} images", "other classes"))
    if chosen.cut:
        lines.append(Said(_named([c for c in reversed(chosen.changes) if c.collect < 0], ""), "leave out"))
    for item in advice.against if chosen.name == advice.advised else ():
        same = item.low == item.high == 0
        points = f"{points_text(item.gain, item.low, item.high)} points"
        if same:
            points = "the same plan"
        elif item.gain is None:
            points = "no level is known" if item.p_better is None else f"P(better) {probability(item.p_better)}"
        lines.append(Said(f"{item.plan} {points}", "against"))
    if advice.reach is not None:
        lines += _reach(f"reach {advice.reach.wanted:.4g}", advice.reach, priced=advice.priced)
    if advice.five_points is not None:
        lines += _reach("+5 points", advice.five_points, priced=advice.priced)
    last: list[Block] = [
        Said(f"OUTSIDE {outside_text(chosen.outside)}; uncalibrated" if chosen.outside else "inside", "range")
    ]
    last.append(Said(_steps(advice, chosen), "image-steps"))
    last += [Said(note, "note") for note in advice.notes]
    last.append(Said(f"fit: {advice.fit} ({advice.family})"))
    curve = [_curve(advice)] if len(advice.curve) > 1 else []
    changes = change_blocks(advice.changes, advice.no_actions)
    return [first, named, [_plans(advice)], curve, lines, changes, last]


def _answer(advice: Advice) -> str:
    """What to do, and what it brings."""
    best, now = advice.plan("advised"), advice.plan("now")
    start = "" if not best.outside else f"OUTSIDE of what the fit saw: {outside_text(best.outside)}. "
    if advice.reach is not None and _without_budget(advice):
        return f"{start}{advice.manifest}: {_reached(advice.reach, advice)}."
    if best.name == "now":
        return f"{start}{advice.manifest}: nothing that the budget pays for is predicted to help."
    what = [f"collect {best.collected:,} images"] if best.collected else []
    what += [f"leave out {best.cut:,}"] if best.cut else []
    if best.other_classes:
        what.append(f"in them {best.other_classes} new other classes")
    sure = "" if best.p_better is None else f", P(better) {probability(best.p_better)}"
    plan = f"{' and '.join(what)} ({best.name})"
    if best.gain is None or not now.backed:
        half = f"{points_text(best.gain_at_half, None, None)} points if now reaches 50 %"
        return f"{start}{advice.manifest}: no level is known, only how plans compare: {plan}: {half}{sure}."
    levels = f"{percent(now.value)} to {percent(best.value)} {advice.outcome}"
    gain = points_text(best.gain, best.gain_low, best.gain_high).replace(" [", " points [")
    return f"{start}{advice.manifest}: {plan}: {levels}, {gain}{sure}."


def _without_budget(advice: Advice) -> bool:
    """Whether only the images for an accuracy were asked for."""
    return advice.reach is not None and not advice.budget


def _reached(own: Reach, advice: Advice) -> str:
    """With how many images an accuracy is reached, as a sentence."""
    level = f"{percent(own.wanted)} {advice.outcome}"
    if own.images == 0:
        return f"{level} is reached now: {percent(advice.plan('now').value)} is predicted"
    if own.images is None:
        return f"{level}: {own.reason}" + (
            f"; {percent(own.value)} with {own.most:,} more images" if own.value is not None else ""
        )
    cost = f" for {own.cost:,.10g}" if advice.priced and own.cost is not None else ""
    span = f"[{_images(own.low)}, {_images(own.high)}]"
    return f"{level} is predicted with {own.images:,} more images{cost}, interval {span}"


def summary(advice: Advice, plan: str = "advised") -> str:
    """The advice in words and numbers. plan : whose counts are shown"""
    return page_text(page(advice, plan=plan), "table")


def content(advice: Advice) -> dict[str, Any]:
    """One object for JSON."""
    return {**advice.to_dict(), "sentence": _answer(advice)}


def kinds(advice: Advice) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV: everything that the page tells, with full precision."""
    reached = {"reach": advice.reach, "five points": advice.five_points}
    return {
        "plan": [
            {"manifest": advice.manifest, "status": advice.status, "target_set": advice.target_set,
             "domain": advice.domain, "recipe": recipe_text(advice.recipe), "outcome": advice.outcome,
             "level": advice.level, "budget": advice.budget, **row}
            for row in rows(advice)
        ],
        "class": [{"plan": plan.name, **row} for plan in advice.plans for row in class_rows(plan)],
        "curve": [asdict(point) for point in advice.curve],
        "against": [asdict(item) for item in advice.against],
        "reach": [{"name": name, **asdict(own)} for name, own in reached.items() if own is not None],
        "change": change_rows(advice.changes),
        "no actions": [{"reason": advice.no_actions}] if advice.no_actions else [],
        "outside": [{"plan": plan.name, **item} for plan in advice.plans for item in plan.outside],
        "note": [{"reason": note} for note in advice.notes],
        "answer": [{"reason": _answer(advice)}],
        "fit": [{"reason": f"{advice.fit} ({advice.family})"}],
    }  # fmt: skip


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


def _reach(name: str, own: Reach, *, priced: bool) -> list[Block]:
    """How many images for an accuracy, in one or more lines."""
    span = f"[{_images(own.low)}, {_images(own.high)}]"
    if own.images is None:
        best = f"; {percent(own.value)} with {own.most:,} more images" if own.value is not None else ""
        lines: list[Block] = [Said(f"{own.reason}{best}", name)]
        if own.low is not None:
            lines.append(Said(f"the upper end of the interval reaches it with {own.low:,} images", ""))
        return lines
    if own.images == 0:
        return [Said(f"reached now; interval of the images needed {span}", name)]
    cost = f" for {own.cost:,.10g}" if priced and own.cost is not None else ""
    lines = [Said(f"{own.images:,} images{cost} {span}, spread as advised", name)]
    if own.high is None:
        lines.append(Said("the lower end of the interval does not reach it inside of what the fit saw", ""))
    return lines


def _curve(advice: Advice) -> PageTable:
    """What a smaller budget reaches: some sizes of the curve, the first and the last among them."""
    points = list(advice.curve)
    places = np.unique(np.linspace(0, len(points) - 1, SHOWN).round().astype(int))
    rows = []
    for point in [points[i] for i in places.tolist()]:
        row: dict[str, Any] = {"collect": point.images}
        if advice.priced:
            row["cost"] = f"{point.cost:,.10g}"
        if not advice.steps_fixed:
            row["image-steps"] = point.image_steps
        row[advice.outcome] = level_text(point.value, point.low, point.high, backed=point.backed)
        row["P(beats now)"] = None if point.p_better is None else f"{point.p_better:.2f}"
        rows.append(row)
    return PageTable(rows)


def curve_rows(points: tuple[Point, ...]) -> list[dict[str, Any]]:
    """One row for each size of the curve: columns images, value, low, high, backed."""
    return [{name: getattr(point, name) for name in ("images", "value", "low", "high", "backed")} for point in points]


def _plans(advice: Advice) -> PageTable:
    rows = []
    for plan in advice.plans:
        told = against_now(plan.gain, plan.gain_low, plan.gain_high, plan.gain_at_half)
        (head,) = told
        rows.append(
            {
                "plan": plan.name + (" *" if plan.name == advice.advised else ""),
                "collect": plan.collected,
                **({"cost": f"{plan.cost:,.10g}"} if advice.priced else {}),
                "cut": plan.cut or None,
                "other classes": plan.other_classes or None,
                advice.outcome: level_text(plan.value, plan.low, plan.high, backed=plan.backed),
                **({head: None} if plan.name == "now" else told),
                "P(beats now)": None if plan.p_better is None else f"{plan.p_better:.2f}",
                "range": "OUTSIDE" if plan.outside else "inside",
            }
        )
    alike = [name for name in ("cut", "other classes") if all(row[name] is None for row in rows)]
    columns = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in alike]
    return PageTable(rows, columns, optional=("range", "cut", "other classes", "cost", "collect"))


def _images(n: int | None) -> str:
    return "beyond the fit" if n is None else f"{n:,}"


def _named(changes: list[Any], sign: str) -> str:
    shown = ", ".join(f"{change.label} {sign}{change.collect:,}" for change in changes[:SHOWN])
    return shown + (f" and {len(changes) - SHOWN} more: --output FILE" if len(changes) > SHOWN else "")


def plot(advice: Advice) -> Figure:
    """The curve: what each size up to the budget reaches. Raises FitError where it has no point."""
    import pandas as pd

    from predictor.figures import accuracy_curve

    if not advice.curve:
        raise FitError("the curve has no size inside of what the fit saw", where=advice.manifest)
    wanted = None if advice.reach is None else advice.reach.wanted
    points = pd.DataFrame(
        [{**row, "x": point.cost} for row, point in zip(curve_rows(advice.curve), advice.curve, strict=True)]
    )
    what = "money" if advice.priced else "images to collect"
    return accuracy_curve(points, f"{what}, spread as advised", advice.outcome, advice.level, wanted=wanted)
