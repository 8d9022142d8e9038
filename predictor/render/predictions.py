"""Predictions for a reader: the line that names a manifest, its values and intervals, how manifests compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from predictor.errors import FitError
from predictor.models.scales import SHARES
from predictor.prediction.results import (
    ClassPredictions,
    Comparison,
    OutcomePrediction,
    Prediction,
    Predictions,
    RecipePrediction,
)
from predictor.render.tables import percent
from predictor.text import padded, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from predictor.planning.pilots.plan import Pilot

FAMILIES = {"log_n_log_h": "log N + log H", "nearest": "nearest run"}
SHOWN_COMPARISONS = 10
NAMED = 3  # classes that a line names


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
            "reason": outcome.reason,
        }
        for item in found.predictions
        for outcome in item.outcomes
    ]


def plot(found: Predictions) -> Figure:
    """Predicted values with their intervals; a colour an outcome."""
    import pandas as pd

    from predictor.figures import intervals

    told = [row for row in rows(found) if row["value"] is not None]
    points = pd.DataFrame(told, columns=["manifest", "outcome", "value", "low", "high"])
    shares = all(item.scale in SHARES for one in found.predictions for item in one.outcomes)
    points[["value", "low", "high"]] *= 100 if shares else 1
    level = found.predictions[0].outcomes[0].level
    what = f"predicted{' (%)' if shares else ''}, {level:.0%} interval"
    return intervals(points.rename(columns={"manifest": "label", "outcome": "series"}), what)


def class_rows(found: Predictions) -> list[dict[str, Any]]:
    """One row for each manifest, outcome and class, worst first.

    Raises FitError where nothing can be said of classes.
    """
    rows = [
        {
            "manifest": item.manifest,
            "status": item.status,
            "target_set": item.target_set,
            "domain": item.domain,
            "outcome": own.outcome,
            "class": one.name,
            "n_samples": one.n_samples,
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "level": own.level,
            "reason": one.reason or own.reason,
        }
        for item in found.predictions
        for own in item.classes
        for one in own.worst
    ]
    if not rows:
        reasons = [own.reason for item in found.predictions for own in item.classes if own.reason]
        raise FitError(reasons[0] if reasons else "no outcome has a value for classes", remedy="leave --classes out")
    return rows


def summary(found: Predictions, following: Mapping[str, Pilot] | None = None) -> str:
    """The predictions in words, best first. following: {manifest: the pilot that would narrow it most}."""
    found, following = shown(found), shown(following or {})
    blocks = []
    if found.comparisons and found.predictions[0].basis != "in_domain":
        blocks.append(_comparisons(found))  # the firm result comes first
    for item in found.predictions:
        blocks.append(_prediction(item, found.n_target_sets, found.n_domains, following.get(item.manifest)))
    if found.comparisons and found.predictions[0].basis == "in_domain":
        blocks.append(_comparisons(found))
    warnings = dict.fromkeys(warning for item in found.predictions for warning in item.warnings)
    if warnings:
        blocks.append([f"warning: {warning}" for warning in warnings])
    return "\n\n".join("\n".join(block) for block in [*blocks, [f"fit: {found.fit}"]])


def _prediction(item: Prediction, n_target_sets: int, n_domains: int, following: Pilot | None) -> list[str]:
    recipe = item.recipe
    steps = f", {recipe['image_steps']:,} image-steps" if recipe["image_steps"] else ""
    assumed = " (assumed)" if recipe["assumed"] else ""
    named = f"{recipe['model']} {recipe['image_size']} px" if recipe["model"] else "unknown"
    place = {"in_domain": f"TARGET SET {item.target_set}", "new_target_set": f"TARGET SET new   DOMAIN {item.domain}"}
    if item.pilots:
        place["pilot"] = f"TARGET SET {item.target_set}   DOMAIN {item.domain}, " + _plural(
            item.pilots["n_configurations"], "pilot"
        )
    title = place.get(item.basis, "DOMAIN new, no pilots") + (", images probed" if item.probe else "")
    action = "" if recipe["action"] == "none" else f", {recipe['action']}"
    lines = [f"{item.manifest}   {title}   RECIPE {named}{steps}{action}{assumed}"]
    for outcome in item.outcomes:
        lines += _outcome(outcome, item.basis)
    for own in item.classes:
        lines += class_lines(own, item.basis)
    if item.probe:
        told = (
            f"from a probe of {item.probe['n_images']:,} of your training images, beside what runs of other images show"
        )
        lines.append(line("level", told))
        lines.append(line("", f"1-3 pilot runs pin it down: predictor pilots {item.manifest} --next 3"))
    elif item.basis == "new_domain":
        seen = f"{_plural(n_target_sets, 'target set')}, {_plural(n_domains, 'domain')}"
        lines.append(line("level", f"as if its images were like the fit's ({seen})"))
        remedy = f"1-3 pilot runs pin it down: predictor pilots {item.manifest} --next 3"
        lines.append(line("", f"the level depends on your images; {remedy}"))
    if following is not None:
        widths = f"{100 * following.width_before:.1f} -> {100 * following.width_after:.1f} points"
        lines.append(line("next pilot", f"{following.n_samples:,} images, {following.shape}: width {widths}"))
    if item.contributions:
        why = ", ".join(f"{entry['name']} {100 * entry['value']:+z.1f}" for entry in item.contributions)
        lines.append(line("why", f"{why}   (points, against balanced at the same N)"))
    shown = []
    for entry in item.baselines:
        name = FAMILIES[entry["family"]] + (f" {entry['configuration_id']}" if entry.get("configuration_id") else "")
        if entry["value"] is not None:
            shown.append(f"{name} {percent(entry['value'])}")
    if shown:
        lines.append(line("baselines", "; ".join(shown)))
    if item.nearest:
        lines.append(line("nearest runs", "; ".join(_nearest(entry, item.target_set) for entry in item.nearest)))
    if item.unknown:
        lines.append(line("range", f"OUTSIDE {item.unknown}"))
    elif item.outside:
        parts = [f"{e['indicator']} {e['value']:.4g} (fit saw {e['low']:.4g} to {e['high']:.4g})" for e in item.outside]
        lines.append(line("range", "OUTSIDE " + "; ".join(parts)))
        lines.append(
            line(
                "remedy",
                f"pilots at 3 sizes: predictor pilots {item.manifest} --next 3",
            )
        )
    else:
        lines.append(line("range", "inside"))
    lines += _recipes(item.recipes)
    weights = {one["name"]: one for one in (item.weights, *(own.weights for own in item.recipes)) if one}
    return lines + [line("weights", weights_text(one)) for one in weights.values()]


def _recipes(found: Sequence[RecipePrediction]) -> list[str]:
    """Other recipes, a line each: value, interval, what it covered, and the runs behind it."""
    names = [own.name for own in found]
    width = max(map(len, names), default=0)
    lines = []
    for name, own in zip(names, found, strict=True):
        value = f"no statement: {own.reason}"
        if own.value is not None and own.low is not None and own.high is not None:
            held = f"{own.covered[0]:,} of {own.covered[1]:,} covered" if own.covered else "coverage not measured"
            outside = "OUTSIDE, " if own.status == "outside" else ""
            value = f"{percent(own.value)} {interval_text(own.low, own.high)}   {outside}{held}"
        runs = f"n {own.n_configurations:,} in {_plural(own.n_domains, 'domain')}"
        lines.append(line("" if lines else "other recipes", f"{padded(name, width)} {value}; {runs}"))
    return lines


def weights_text(weights: Mapping[str, Any]) -> str:
    """Pretrained weights in words: training set, licence, and which classes they have seen by name.

    >>> weights_text({"name": "lite0", "licence": "Apache-2.0", "trained_on": "ImageNet-1k", "alike": ["bee"]})
    'lite0, Apache-2.0, trained on ImageNet-1k, which has 1 of these classes by name (bee): no news to the network'
    >>> weights_text({"name": "mine.pth", "licence": None, "trained_on": None, "alike": None})
    'mine.pth: licence and training set are not known; classes that it was trained on are no news to the network'
    """
    if weights["trained_on"] is None:
        rest = "licence and training set are not known; classes that it was trained on are no news to the network"
        return f"{weights['name']}: {rest}"
    told = f"{weights['name']}, {weights['licence']}, trained on {weights['trained_on']}"
    alike = weights["alike"]
    if alike:
        more = f", and {len(alike) - NAMED} more" if len(alike) > NAMED else ""
        names = f"{', '.join(alike[:NAMED])}{more}"
        return f"{told}, which has {len(alike)} of these classes by name ({names}): no news to the network"
    return f"{told}, which has none of these classes by name"


def _nearest(entry: Mapping[str, Any], target_set: str) -> str:
    place = "" if entry["target_set"] == target_set else f" ({entry['target_set']})"
    return f"{entry['configuration_id']} {percent(entry['value'])}{place}"


def _outcome(outcome: OutcomePrediction, basis: str) -> list[str]:
    if outcome.value is None or outcome.low is None or outcome.high is None:
        return [line(outcome.outcome, f"no statement: {outcome.reason}")]
    value = _valued(outcome.value, outcome.low, outcome.high, outcome.scale)
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
    lines = [line(outcome.outcome, f"{value}   {note}")]
    if outcome.edge:
        edge, low, high = outcome.edge
        lines.append(line("", f"at the edge of the fit {_valued(edge, low, high, outcome.scale)}"))
    return lines


def _comparisons(found: Predictions) -> list[str]:
    lines = [_comparison(item) for item in found.comparisons[:SHOWN_COMPARISONS]]
    rest = len(found.comparisons) - len(lines)
    return [*lines, f"and {rest} more: --format json"] if rest else lines


def _comparison(item: Comparison) -> str:
    bounds = f" [{item.low:+z.2f}, {item.high:+z.2f}]" if item.low is not None and item.high is not None else ""
    covered = ""
    if bounds and item.covered:
        level = f"{item.level:.0%}".replace("%", " %")
        covered = f" {level}, of held-out pairs {item.covered[0]:,} of {item.covered[1]:,} covered"
    return (
        f"{item.a} - {item.b}   {item.outcome} {item.logit_difference:+z.2f} logit{bounds}{covered}; "
        f"P({item.a} beats {item.b}) {item.p_a_better:.2f}; {100 * item.points_at_half:+z.0f} points if {item.b} "
        f"reaches 50 %, {100 * item.points_at_ninety:+z.0f} if 90 %"
    )


def _plural(n: int, word: str) -> str:
    return f"{n} {word}" + ("" if n == 1 else "s")


def _valued(value: float, low: float, high: float, scale: str) -> str:
    """A value and its interval: per cent of an accuracy, else the outcome's own unit."""
    if scale in SHARES:
        return f"{percent(value)} {interval_text(low, high)}"
    return f"{value:.4g} [{low:.4g}, {high:.4g}]"


def title(manifest: str, basis: str, target_set: str, domain: str, recipe: Mapping[str, Any]) -> str:
    """Manifest, target set or domain, and recipe.

    >>> title("in.csv", "in_domain", "digits", "characters", {"model": None, "image_steps": 9, "assumed": False})
    'in.csv   TARGET SET digits   RECIPE unknown, 9 image-steps'
    """
    steps = f", {recipe['image_steps']:,} image-steps" if recipe["image_steps"] else ""
    named = f"{recipe['model']} {recipe['image_size']} px" if recipe["model"] else "unknown"
    place = f"TARGET SET {target_set}" if target_set != "new" else f"DOMAIN {domain}"
    if target_set == "new":
        place += ", no pilots" if domain == "new" else "   TARGET SET new"
    if basis == "pilot":
        place = f"TARGET SET {target_set}   DOMAIN {domain}"
    action = "" if recipe.get("action", "none") == "none" else f", {recipe['action']}"
    return f"{manifest}   {place}   RECIPE {named}{steps}{action}{' (assumed)' if recipe['assumed'] else ''}"


def line(name: str, content: str) -> str:
    """A row of a prediction: its name, then what is said."""
    return f"{padded(name, 13)} {content}"


def percent_text(value: float | None) -> str:
    """A fraction as per cent."""
    return percent(value)


def interval_text(low: float, high: float) -> str:
    """An interval of fractions, in per cent.

    >>> interval_text(0.58, 0.643)
    '[58.0, 64.3]'
    """
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def class_lines(own: ClassPredictions, basis: str) -> list[str]:
    """The classes of an outcome, worst first: accuracy, interval, images, name.

    >>> from predictor.prediction.results import ClassPrediction
    >>> worst = ClassPrediction(name="orange", n_samples=3, value=0.123, low=0.04, high=0.3)
    >>> found = ClassPredictions(outcome="accuracy", level=0.9, n_classes=10, covered=(18, 20), worst=(worst,))
    >>> print(*class_lines(found, "in_domain"), sep="\\n")
    worst classes 12.3 % [4.0, 30.0]   orange, 3 images
                  and 9 more: --classes; 90 %; of held-out configurations 18 of 20 classes covered
    """
    name = "worst classes" if own.outcome == "accuracy" else own.outcome
    if not own.worst:
        return [line("classes", f"no statement: {own.reason}")]
    values = [f"{percent(one.value)} {interval_text(one.low, one.high)}" for one in own.worst]
    width = max(map(len, values))
    lines = []
    for one, value in zip(own.worst, values, strict=True):
        images = f"{one.n_samples:,} image" + ("" if one.n_samples == 1 else "s")
        lines.append(line("" if lines else name, f"{value:<{width}}   {one.name}, {images}"))
    rest = own.n_classes - len(own.worst)
    held = {"in_domain": "of held-out configurations"}.get(basis, "of left-out target sets")
    note = f"{held} {own.covered[0]:,} of {own.covered[1]:,} classes covered" if own.covered else own.reason
    more = f"and {rest:,} more: --classes; " if rest else ""
    return [*lines, line("", f"{more}{own.level:.0%}; {note}".replace("%;", " %;"))]
