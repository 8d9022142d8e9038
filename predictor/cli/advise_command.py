"""`predictor advise`: a label manifest, a budget and a fit -> what to collect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.cli.common import FIT, FORMAT, RECIPE, manifest_options, read_manifests
from predictor.text import shown, visible

if TYPE_CHECKING:
    from predictor.planning import Advice, Plan

SHOWN = 8  # classes named in the table; --output writes all


@click.command(name="advise")
@click.argument("manifest")
@click.option("--budget", type=click.IntRange(0, 10**15), metavar="N", help="Images that can be collected.")
@click.option("--reach", type=float, metavar="ACCURACY", help="Also: the fewest images for this accuracy, e.g. 0.8.")
@click.option("--plan", default="advised", show_default=True, metavar="NAME", help="Plan whose counts are shown.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="CSV of the images to collect a class.")
@click.option("--outcome", default="accuracy", show_default=True, metavar="NAME", help="What to raise.")
@FIT
@RECIPE
@click.option("--pilot", type=click.Path(path_type=Path), metavar="RUNS", help="Registry of runs of your target set.")
@click.option("--level", type=float, default=0.9, show_default=True, help="Nominal coverage of the intervals.")
@manifest_options
@FORMAT
def command(
    manifest: str,
    budget: int | None,
    reach: float | None,
    plan: str,
    output: Path | None,
    outcome: str,
    fit_path: Path | None,
    pilot: Path | None,
    level: float,
    form: str,
    how: dict[str, str | None],
    targets: Path | None,
    **asked: Any,
) -> None:
    """What to collect for MANIFEST: which classes to add images to, which to cut, which other classes to add.

    Every plan is predicted beside the plain rules: in proportion, the same for every class, the smallest class first.
    """
    from predictor.models.fit import find_fit
    from predictor.planning import advise

    distribution = read_manifests([manifest], targets=targets, how=how)[manifest]
    fit, where = find_fit(fit_path)
    if pilot is not None:
        from predictor.records import read_registry

        asked["pilots"] = read_registry(pilot)
    advice = advise(fit, distribution, budget, wanted=reach, manifest=manifest, outcome=outcome, level=level, **asked)
    chosen = advice.plan(plan)
    if output is not None:
        from predictor.cli.common import write_text
        from predictor.render.tables import rows_text

        write_text(output, rows_text(class_rows(chosen), "csv", tuple(CLASS_COLUMNS)) + "\n")
        click.echo(f"wrote {output}: {chosen.name}, {len(chosen.changes)} classes", err=True)
    if form == "json":
        from predictor.render.tables import json_text

        click.echo(json_text(advice.to_dict()))
    elif form == "table":
        click.echo(text(advice, chosen, where))
    else:
        from predictor.render.tables import rows_text

        click.echo(rows_text(plan_rows(advice), form, PLAN_COLUMNS))


CLASS_COLUMNS = {"label": "label", "role": "role", "now": "now", "collect": "collect", "count": "total"}  # a manifest
PLAN_COLUMNS = ("plan", "advised", "collect", "cut", "other_classes", "n_samples", "value", "low", "high", "gain",
                "gain_low", "gain_high", "p_better", "outside")  # fmt: skip


def class_rows(plan: Plan) -> list[dict[str, Any]]:
    """One row for each class, most to collect first."""
    return [{column: getattr(change, name) for column, name in CLASS_COLUMNS.items()} for change in plan.changes]


def plan_rows(advice: Advice) -> list[dict[str, Any]]:
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


def text(advice: Advice, chosen: Plan, where: str) -> str:
    """The advice in words and numbers."""
    from predictor.render.predictions import line, percent_text, title

    advice, chosen, where = shown(advice), shown(chosen), visible(where)
    blocks = [
        [f"{title(advice.manifest, advice.status, advice.target_set, advice.domain, advice.recipe)}   "
         f"BUDGET {advice.budget:,} images"]
    ]  # fmt: skip
    blocks.append(_plans(advice).split("\n"))
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
        own = advice.reach
        span = f"[{_images(own.low)}, {_images(own.high)}]"
        if own.images is None:
            best = f"; {percent_text(own.value)} with {own.most:,} more images" if own.value is not None else ""
            lines.append(line(f"reach {own.wanted:.4g}", f"{own.reason}{best}"))
            if own.low is not None:
                lines.append(line("", f"its upper bound is reached with {own.low:,} images"))
        elif own.images == 0:
            lines.append(line(f"reach {own.wanted:.4g}", f"reached now; images for the whole interval {span}"))
        else:
            lines.append(line(f"reach {own.wanted:.4g}", f"{own.images:,} images {span}, spread as advised"))
        if own.high is None and own.images is not None:
            lines.append(line("", "its lower bound is not reachable within the domain of the fit"))
    blocks.append(lines)
    out = [f"{e['indicator']} {e['value']:.4g} (fit saw {e['low']:.4g} to {e['high']:.4g})" for e in chosen.outside]
    last = [line("range", "OUTSIDE " + "; ".join(out) + "; uncalibrated" if out else "inside")]
    last += [line("note", note) for note in advice.notes]
    blocks.append([*last, f"fit: {where} ({advice.family})"])
    return "\n\n".join("\n".join(block) for block in blocks)


def _plans(advice: Advice) -> str:
    from predictor.render.predictions import interval_text, percent_text
    from predictor.render.tables import rows_text

    rows = []
    for plan in advice.plans:
        rows.append(
            {
                "plan": plan.name + (" *" if plan.name == advice.advised else ""),
                "collect": plan.collected,
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
