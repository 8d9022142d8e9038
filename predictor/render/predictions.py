"""Predictions for a reader: the line that names a manifest, its values and intervals, how manifests compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

from predictor.errors import FitError
from predictor.models.scales import SHARES
from predictor.prediction.outside import outside_fact, outside_warning
from predictor.prediction.results import (
    Comparison,
    OutcomePrediction,
    Prediction,
    Predictions,
    RecipePrediction,
    plain_data,
)
from predictor.render.class_predictions import class_lines, rows_of_classes
from predictor.render.layout import shortened, whole
from predictor.render.page import Block, Heading, Page, PageTable, Said, page_text
from predictor.render.tables import level_text, percent
from predictor.render.verdict import (
    OWN_GRID,
    named,
    outside_text,
    pilots_of,
    points_text,
    probability,
    silent_text,
    sizes_lacking,
    verdict_content,
    verdict_text,
)
from predictor.render.weights import weights_text
from predictor.text import command, padded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from predictor.planning.pilots.plan import Pilot

FAMILIES = {"log_n_log_h": "log N + log H", "nearest": "nearest run"}
SHOWN_COMPARISONS = 10
MOVED = 0.005  # of an accuracy: a part that moves less is not named where its size is not told


def rows(found: Predictions) -> list[dict[str, Any]]:
    """One row for each manifest and outcome."""
    return [
        {
            "manifest": item.manifest,
            "status": item.status,
            "target_set": item.target_set,
            "domain": item.domain,
            "outcome": outcome.outcome,
            "value": outcome.value,
            "low": outcome.low,
            "high": outcome.high,
            "level": outcome.level,
            "covered": outcome.covered[0] if outcome.covered else None,
            "covered_of": outcome.covered[1] if outcome.covered else None,
            "backed": outcome.backed,
            "reason": outcome.reason,
        }
        for item in found.predictions
        for outcome in item.outcomes
    ]


def plot(found: Predictions) -> Figure:
    """One manifest: its classes with their intervals; several: predicted values with intervals, a colour an outcome.

    Raises FitError where nothing can be drawn, because no level is known.
    """
    import pandas as pd

    from predictor.figures import class_bars, intervals

    first = found.predictions[0]
    if len(found.predictions) == 1 and first.outcomes[0].backed:
        own = next((one for one in first.classes if one.worst), None)
        if own is not None:
            classes = pd.DataFrame([asdict(one) for one in own.worst])
            shown = f"{len(own.worst):,} of " if len(own.worst) < own.n_classes else ""
            title = f"{shortened(first.manifest, 60)}: {shown}{own.n_classes:,} classes"
            return class_bars(classes, own.outcome, own.level, title=title)
    told = [row for row in rows(found) if row["value"] is not None and row["backed"]]
    if not told:
        raise FitError("no level is known that could be drawn", remedy="name --target-set, or train pilots")
    points = pd.DataFrame(told, columns=["manifest", "outcome", "value", "low", "high"])
    shares = all(item.scale in SHARES for one in found.predictions for item in one.outcomes)
    points[["value", "low", "high"]] *= 100 if shares else 1
    level = f"{first.outcomes[0].level:.0%}".replace("%", " %")
    what = f"predicted{' (%)' if shares else ''}, {level} interval"
    points["manifest"] = [shortened(name, 40) for name in points["manifest"]]
    return intervals(points.rename(columns={"manifest": "label", "outcome": "series"}), what)


def page(
    found: Predictions,
    *,
    following: Mapping[str, Pilot | str] | None = None,
    everything: bool = False,
    asked: Sequence[str] = (),
) -> Page:
    """The verdict, how manifests compare, each of them, warnings.

    following : {manifest: the pilot that would narrow it most, or why there is none}
    everything : also logits, and every comparison
    asked : options of the command that asked, which a command that is printed needs as well
    """
    sections: list[list[Block]] = [[Said(verdict_text(found))]]
    if found.comparisons:
        sections.append(_comparisons(found, everything))
    for item in found.predictions:
        sections.append(_prediction(item, found, (following or {}).get(item.manifest)))
    sections.append([Said(text, "warning") for text in warnings(found)])
    sections.append([Said(f"fit: {found.fit}")])
    return [[_with_options(block, found, asked) for block in section] for section in sections] if asked else sections


def _with_options(block: Block, found: Predictions, asked: Sequence[str]) -> Block:
    """A sentence whose commands read the manifest as it was read."""
    if not isinstance(block, Said):
        return block
    text = block.content
    for item in found.predictions:
        for tie in (whole, str):  # a warning is no line of its own
            bare, told = (tie(command("predictor", "pilots", item.manifest, *options)) for options in ((), asked))
            text = text.replace(f"{bare}{tie(' --next')}", f"{told}{tie(' --next')}")
            if "--recipe" in asked:  # the grid is named already
                text = text.replace(tie(f" {OWN_GRID}"), "")
    return replace(block, content=text)


def warnings(found: Predictions) -> list[str]:
    """Each warning once, with the manifests that it is about.

    What lies outside of the fitted range is told by the verdict and by the range of each manifest.
    """
    told: dict[str, list[str]] = {}
    for item in found.predictions:
        ranges = {outside_warning(one, item.manifest) for one in item.outside}
        ranges |= {outside_fact(one) for one in item.outside}
        for text in item.warnings:
            if text not in ranges:
                told.setdefault(text.removeprefix(f"{item.manifest}: "), []).append(item.manifest)
    n = len(found.predictions)
    return [text if n > 1 and len(own) == n else f"{named(own)}: {text}" for text, own in told.items()]


def summary(found: Predictions, following: Mapping[str, Pilot | str] | None = None, *, everything: bool = False) -> str:
    """The predictions in words, best first; see `page`."""
    return page_text(page(found, following=following, everything=everything), "table")


def content(found: Predictions) -> dict[str, Any]:
    """One object for JSON."""
    return found.to_dict()


def kinds(found: Predictions) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV: everything that the page tells, with full precision."""
    items = found.predictions
    return {
        "verdict": [verdict_content(found)],
        "prediction": [
            row
            | {name: getattr(own, name) for name in ("family", "scale", "edge", "covered_on", "shifts")}
            | {"recipe": recipe_text(item.recipe), "basis": item.basis, "chance": item.chance}
            for item in items
            for own, row in zip(item.outcomes, rows(replace(found, predictions=(item,))), strict=True)
        ],
        "class": rows_of_classes(found),
        "comparison": [_comparison_row(row) for row in found.comparisons],
        "why": [
            {"manifest": item.manifest, "outcome": row["outcome"], "name": row["name"], "points": row["value"]}
            for item in items
            for row in item.contributions
        ],
        "baseline": [{"manifest": item.manifest, **row} for item in items for row in item.baselines],
        "nearest run": [{"manifest": item.manifest, **row} for item in items for row in item.nearest],
        "other recipe": [{"manifest": item.manifest, **plain_data(own)} for item in items for own in item.recipes],
        "weights": [{"manifest": item.manifest, **item.weights} for item in items if item.weights],
        "outside": [{"manifest": item.manifest, **row} for item in items for row in item.outside],
        "unknown": [{"manifest": item.manifest, "reason": item.unknown} for item in items if item.unknown],
        "next step": [] if found.next_step is None else [plain_data(found.next_step)],
        "warning": [{"reason": text} for text in warnings(found)],
        "fit": [{"reason": found.fit}],
    }


def _comparison_row(row: Comparison) -> dict[str, Any]:
    """A comparison for CSV: names say the unit, as one column holds rows of several kinds."""
    own = {one.name: getattr(row, one.name) for one in fields(row) if one.name not in ("low", "high", "covered")}
    inside, n = row.covered or (None, None)
    return {**own, "logit_low": row.low, "logit_high": row.high, "covered": inside, "covered_of": n}


def _prediction(item: Prediction, found: Predictions, following: Pilot | str | None) -> list[Block]:
    given = silent_text(item.silent) if item.silent else ""
    place = {
        "in_domain": f"TARGET SET {item.target_set}",
        "new_target_set": f"TARGET SET new   DOMAIN {item.domain}" + (f", {given}" if given else ""),
        "new_domain": f"DOMAIN new, {given or 'no pilots'}",
    }
    if item.pilots:
        pilots = f"{_plural(item.n_pilots, 'pilot')} ({_plural(item.pilots['n_runs'], 'run')})"
        place["pilot"] = f"TARGET SET {item.target_set}   DOMAIN {item.domain}, {pilots}"
    told = place[item.basis] + (", images probed" if item.probe else "")
    lines: list[Block] = [Heading((item.manifest, told, f"RECIPE {recipe_text(item.recipe)}"))]
    first = item.outcomes[0]
    backed = first.backed
    for outcome in item.outcomes:
        lines += _outcome(outcome, item.basis)
    for own in item.classes:
        lines += class_lines(own, item.basis, backed=item.outcome(own.outcome).backed)
    if item.probe:
        images = f"{item.probe['n_images']:,} of your training images"
        lines.append(Said(f"from a probe of {images}, beside what runs of other images show", "level"))
        if not item.pilots:
            lines.append(Said(f"1-3 pilot runs pin it down: {pilots_of(item.manifest)}", ""))
    elif item.basis == "new_domain":
        seen = f"{_plural(found.n_target_sets, 'target set')}, {_plural(found.n_domains, 'domain')}"
        lines.append(
            Said(f"the interval supposes images like those of the fit ({seen}); others may lie outside of it", "level")
        )
        if not item.pilots:
            lines.append(Said(f"1-3 pilot runs pin it down: {pilots_of(item.manifest)}", ""))
    if following is not None and not sizes_lacking(item):  # else the verdict says how many
        lines += _following(following, item.manifest)
    lines += _why(item, backed)
    if backed:
        values = [
            FAMILIES[one["family"]] + (f" {one['configuration_id']}" if one.get("configuration_id") else "")
            + f" {percent(one['value'])}"
            for one in item.baselines
            if one["value"] is not None
        ]  # fmt: skip
        lines += [Said("; ".join(values), "baselines")] if values else []
    if item.nearest:
        lines.append(Said("; ".join(_nearest(entry, item.target_set) for entry in item.nearest), "nearest runs"))
    if item.unknown:
        lines.append(Said(f"OUTSIDE {item.unknown}", "range"))
    elif item.outside:
        lines.append(Said(f"OUTSIDE {outside_text(item.outside)}", "range"))
        if not item.n_pilots:
            lines.append(Said(f"pilots at 3 sizes: {pilots_of(item.manifest)}", "remedy"))
    else:
        lines.append(Said("inside", "range"))
    lines += _recipes(item.recipes)
    weights = {one["name"]: one for one in (item.weights, *(own.weights for own in item.recipes)) if one}
    return lines + [Said(weights_text(one), "weights") for one in weights.values()]


def _following(following: Pilot | str, manifest: str) -> Iterator[Block]:
    """The pilot to train next, or why there is none."""
    if isinstance(following, str):
        yield Said(f"none: {following}", "next pilot")
        return
    widths = f"{100 * following.width_before:.1f} -> {100 * following.width_after:.1f} points"
    yield Said(f"{following.n_samples:,} images, {following.shape}: width {widths}", "next pilot")
    yield Said(pilots_of(manifest, n=1), "")


def _recipes(found: Sequence[RecipePrediction]) -> Iterator[Block]:
    """Other recipes, a line each: value, interval, what it covered, and the runs behind it."""
    width = max((len(own.name) for own in found), default=0)
    for i, own in enumerate(found):
        value = f"no statement: {own.reason}"
        if own.value is not None and own.low is not None and own.high is not None:
            held = f"{own.covered[0]:,} of {own.covered[1]:,} covered" if own.covered else "coverage not measured"
            outside = "OUTSIDE, " if own.status == "outside" else ""
            shown = level_text(own.value, own.low, own.high, backed=own.backed)
            value = f"{shown}   {outside}{held}"
        runs = f"n {own.n_configurations:,} in {_plural(own.n_domains, 'domain')}"
        yield Said(f"{padded(own.name, width)} {value}; {runs}", "" if i else "other recipes")


def _why(item: Prediction, backed: bool) -> list[Block]:
    if not item.contributions:
        return []
    if backed:
        parts = [f"{entry['name']} {100 * entry['value']:+z.1f}" for entry in item.contributions]
        return [Said(f"{', '.join(parts)}   (points, against as many images in equal classes)", "why")]
    moved = [entry for entry in item.contributions if abs(entry["value"]) >= MOVED]
    parts = [f"{entry['name']} {'raises' if entry['value'] > 0 else 'lowers'} it" for entry in moved]
    told = ", ".join(parts) or "nothing moves it"
    return [Said(f"{told}   (against as many images in equal classes; by how much depends on the level)", "why")]


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """Network, resolution and length of training.

    >>> recipe_text({"model": None, "image_steps": 9, "assumed": False})
    'unknown, 9 image-steps'
    """
    steps = f", {recipe['image_steps']:,} image-steps" if recipe["image_steps"] else ""
    network = f"{recipe['model']} {recipe['image_size']} px" if recipe["model"] else "unknown"
    action = "" if recipe.get("action", "none") == "none" else f", {recipe['action']}"
    return f"{network}{steps}{action}{' (assumed)' if recipe['assumed'] else ''}"


def _nearest(entry: Mapping[str, Any], target_set: str) -> str:
    place = "" if entry["target_set"] == target_set else f" ({entry['target_set']})"
    return f"{entry['configuration_id']} {percent(entry['value'])}{place}"


def _outcome(outcome: OutcomePrediction, basis: str) -> list[Block]:
    if outcome.value is None or outcome.low is None or outcome.high is None:
        return [Said(f"no statement: {outcome.reason}", outcome.outcome)]
    note = f"{outcome.level:.0%}".replace("%", " %")
    if outcome.covered:
        held = {
            "in_domain": "on held-out configurations",
            "pilot": "same procedure on left-out target sets:",
            "new_domain": "on configurations of left-out domains",
        }
        place = held.get(basis, "on configurations of left-out target sets")
        note += f"; {place} {outcome.covered[0]} of {outcome.covered[1]} covered"
        note += f" ({', '.join(outcome.covered_on)})" if outcome.covered_on else ""
    elif outcome.reason:
        note += f"; {outcome.reason}"
    if outcome.shifts:
        note += f"; mean of {', '.join(outcome.shifts)}"
    if outcome.edge is None:
        return [Said(f"{_valued(outcome)}   {note}", outcome.outcome)]
    edge, low, high = outcome.edge
    at = _valued(replace(outcome, value=edge, low=low, high=high, backed=True))
    beyond = _valued(outcome)
    return [Said(f"{at} at the edge of the fit; beyond it {beyond}   {note}", outcome.outcome)]


def _comparisons(found: Predictions, everything: bool) -> list[Block]:
    """How manifests compare: of many the best with each, in points, of the first outcome alone unless all are few."""
    rows = found.comparisons if everything else found.comparisons[:SHOWN_COMPARISONS]
    table = [_comparison(row if row.p_a_better >= 0.5 else row.turned(), everything) for row in rows]
    lines: list[Block] = [PageTable(table, optional=() if everything else ("if that has 90 %", "if that has 50 %"))]
    if len(rows) < len(found.comparisons):
        lines.append(Said(f"and {len(found.comparisons) - len(rows)} more: --all"))
    return [*lines, *_evidence(found)]


def _comparison(row: Comparison, everything: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"better": row.a, "than": row.b, "outcome": row.outcome}
    if row.points is not None:
        made["points"] = points_text(row.points, row.points_low, row.points_high)
    if row.points is None or everything:
        made["if that has 50 %"] = points_text(row.points_at_half, None, None)
        made["if that has 90 %"] = points_text(row.points_at_ninety, None, None)
    made["P(better)"] = probability(row.p_a_better)
    if everything:
        bounds = "" if row.low is None or row.high is None else f" [{row.low:+z.2f}, {row.high:+z.2f}]"
        made["logits"] = f"{row.logit_difference:+z.2f}{bounds}"
    return made


def _evidence(found: Predictions) -> list[Block]:
    """The nominal level of the intervals, and how many of how many held."""
    level = f"{found.comparisons[0].level:.0%}".replace("%", " %")
    beyond = any(item.status == "outside" for item in found.predictions)
    held = {row.outcome: row.covered for row in found.comparisons}
    told = [f"{name} {own[0]:,} of {own[1]:,}" for name, own in held.items() if own]
    missing = [name for name, own in held.items() if not own]
    parts = [f"held-out pairs that they covered: {', '.join(told)}"] if told else []
    parts += [f"coverage not measured: {', '.join(missing)}"] if missing else []
    parts += ["outside of what the fit saw they are uncalibrated"] if beyond else []
    return [Said(f"{level} intervals; {'; '.join(parts)}", indent="  ")]


def _plural(n: int, word: str) -> str:
    return f"{n} {word}" + ("" if n == 1 else "s")


def _valued(own: OutcomePrediction) -> str:
    """A value and its interval: per cent of an accuracy, else the outcome's own unit; the interval alone where
    nothing backs the value."""
    low, high = own.low or 0.0, 1.0 if own.high is None else own.high
    if own.scale in SHARES:
        return level_text(own.value, low, high, backed=own.backed)
    return f"{own.value:.4g} [{low:.4g}, {high:.4g}]" if own.backed else f"[{low:.4g}, {high:.4g}]"


def title(manifest: str, basis: str, target_set: str, domain: str, recipe: Mapping[str, Any]) -> Heading:
    """Manifest, target set or domain, and recipe.

    >>> recipe = {"model": None, "image_steps": 9, "assumed": False}
    >>> title("in.csv", "in_domain", "digits", "characters", recipe).text("table")
    'in.csv   TARGET SET digits   RECIPE unknown, 9 image-steps'
    """
    place = f"TARGET SET {target_set}" if target_set != "new" else f"DOMAIN {domain}"
    if target_set == "new":
        place += ", no pilots" if domain == "new" else "   TARGET SET new"
    if basis == "pilot":
        place = f"TARGET SET {target_set}   DOMAIN {domain}"
    return Heading((manifest, place, f"RECIPE {recipe_text(recipe)}"))
