"""`predictor predict`: label manifests + a fit -> predictions. Starts at once: numpy and DuckDB, nothing heavier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.cli.common import FORMAT, manifest_options, read_manifests, shown_progress
from predictor.errors import FitError
from predictor.models.scales import SHARES
from predictor.render.predictions import class_lines
from predictor.text import json_visible, padded, shown, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from predictor.distribution import LabelDistribution
    from predictor.images.results import Probe
    from predictor.models.fit import Fit
    from predictor.planning.pilots.plan import Pilot
    from predictor.prediction import Comparison, OutcomePrediction, Prediction, Predictions

FAMILIES = {"log_n_log_h": "log N + log H", "nearest": "nearest run"}
SHOWN_COMPARISONS = 10


@click.command(name="predict")
@click.argument("manifests", nargs=-1, required=True, metavar="MANIFEST...")
@click.option(
    "--fit",
    "fit_path",
    type=click.Path(path_type=Path),
    help="fit.json.  [default: runs/fit.json, else the fit that ships]",
)
@click.option("--target-set", default="new", show_default=True, metavar="NAME", help="Target set of the fit, or new.")
@click.option("--domain", default="new", show_default=True, metavar="NAME", help="Image domain of the fit, or new.")
@click.option("--model", metavar="NAME", help="Network. Default: the fit's most frequent recipe.")
@click.option("--image-size", type=click.IntRange(min=1), metavar="PX", help="Resolution of the images.")
@click.option("--image-steps", type=click.IntRange(min=1), metavar="N", help="Images shown, counted with repetition.")
@click.option("--pilot", type=click.Path(path_type=Path), metavar="RUNS", help="Registry of runs of your target set.")
@click.option("--images", type=click.Path(path_type=Path), metavar="DIR|FILE", help="Probe these images of it.")
@click.option(
    "--probe", "probe_file", type=click.Path(path_type=Path), metavar="FILE", help="probe.json of its images."
)
@click.option("--no-probe", is_flag=True, help="Do not look at the images of a folder or a list.")
@click.option("--classes", "all_classes", is_flag=True, help="Every class; CSV and Markdown get one row a class.")
@click.option("--level", type=float, default=0.9, show_default=True, help="Nominal coverage of the intervals.")
@manifest_options
@FORMAT
def command(
    manifests: tuple[str, ...],
    fit_path: Path | None,
    target_set: str,
    domain: str,
    model: str | None,
    image_size: int | None,
    image_steps: int | None,
    pilot: Path | None,
    images: Path | None,
    probe_file: Path | None,
    no_probe: bool,
    level: float,
    all_classes: bool,
    how: dict[str, str | None],
    targets: Path | None,
    form: str,
) -> None:
    """Predict accuracies from label MANIFESTs before training; several are ranked and compared.

    Labels fix no level: images do. Those of a MANIFEST that is a folder or a list of images are probed (seconds, kept),
    or those that --images names.
    """
    from predictor.models.fit import find_fit
    from predictor.prediction import predict
    from predictor.prediction.probed import with_probe
    from predictor.prediction.request import NEW

    read = read_manifests(manifests, targets=targets, how=how)
    fit, where = find_fit(fit_path)
    asked = {"target_set": target_set, "domain": domain, "model": model, "image_size": image_size,
             "image_steps": image_steps, "level": level}  # fmt: skip
    following = {}
    probe = None
    if target_set == NEW and not no_probe:
        probe = _probe(fit, read, images, probe_file, how.get("split"))
    elif images or probe_file:
        told = "--no-probe says not to" if no_probe else f"the fit knows {target_set}: its runs say more"
        raise FitError(f"nothing to probe for: {told}", remedy="Leave --images and --probe out")
    if pilot is None:
        found = predict(fit, read, all_classes=all_classes, probe=probe, **asked)
    else:
        from predictor.planning.pilots.plan import next_pilots
        from predictor.planning.pilots.predict import predict_with_pilots
        from predictor.records import read_registry

        records = read_registry(pilot)
        fit = fit if probe is None else with_probe(fit, probe, domain=domain)
        found = predict_with_pilots(fit, read, records, all_classes=all_classes, **asked)
        following = next_pilots(fit, read, records, **asked) if form == "table" else {}
    if form == "json":
        click.echo(json_visible(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False)))
    elif form == "table":
        click.echo(text(found, where, len(fit.target_sets), len(fit.domains), following))
    else:
        from predictor.render.tables import rows_text

        rows = class_rows(found) if all_classes else flat_rows(found)
        click.echo(rows_text(rows, form, list(rows[0]), {}))


def _probe(
    fit: Fit, read: Mapping[str, LabelDistribution], images: Path | None, file: Path | None, split: str | None
) -> Probe | None:
    """The probe that was named, or one of the images that were named, or that the only manifest lists."""
    from predictor.errors import PredictorError
    from predictor.images.results import read_probe
    from predictor.prediction.probed import knows_probes

    if images and file:
        raise FitError("--images and --probe both say what the images look like", remedy="Name one of them")
    if file:
        return read_probe(file)
    if images is None and (len(read) > 1 or not knows_probes(fit)):
        return None  # several manifests are candidates for the same images
    from predictor.images.of_manifest import probe_of

    name, distribution = next(iter(read.items()))
    try:
        with shown_progress("probe") as progress:
            return probe_of(name, distribution.target_names, images, split=split, progress=progress)
    except PredictorError as fault:
        if images is not None:
            raise
        click.echo(f"{name}: its images were not probed: {visible(str(fault))}", err=True)
        return None


def flat_rows(found: Predictions) -> list[dict[str, Any]]:
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
        raise FitError(reasons[0] if reasons else "no outcome has a value for classes", remedy="Leave --classes out")
    return rows


def text(
    found: Predictions, where: str, n_target_sets: int, n_domains: int, following: Mapping[str, Pilot] | None = None
) -> str:
    """The predictions in words, best first. following: {manifest: the pilot that would narrow it most}."""
    found, where, following = shown(found), visible(where), shown(following or {})
    blocks = []
    if found.comparisons and found.predictions[0].basis != "in_domain":
        blocks.append(_comparisons(found))  # the firm result comes first
    for item in found.predictions:
        blocks.append(_prediction(item, n_target_sets, n_domains, following.get(item.manifest)))
    if found.comparisons and found.predictions[0].basis == "in_domain":
        blocks.append(_comparisons(found))
    warnings = dict.fromkeys(line for item in found.predictions for line in item.warnings)
    if warnings:
        blocks.append([f"warning: {line}" for line in warnings])
    return "\n\n".join("\n".join(block) for block in [*blocks, [f"fit: {where}"]])


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
    lines = [f"{item.manifest}   {title}   RECIPE {named}{steps}{assumed}"]
    for outcome in item.outcomes:
        lines += _outcome(outcome, item.basis)
    for own in item.classes:
        lines += class_lines(own, item.basis)
    if item.probe:
        told = (
            f"from a probe of {item.probe['n_images']:,} of your training images, beside what runs of other images show"
        )
        lines.append(_line("level", told))
        lines.append(_line("", f"1-3 pilot runs pin it down: predictor pilots {item.manifest} --next 3"))
    elif item.basis == "new_domain":
        seen = f"{_plural(n_target_sets, 'target set')}, {_plural(n_domains, 'domain')}"
        lines.append(_line("level", f"as if its images were like the fit's ({seen})"))
        remedy = f"1-3 pilot runs pin it down: predictor pilots {item.manifest} --next 3"
        lines.append(_line("", f"the level depends on your images; {remedy}"))
    if following is not None:
        widths = f"{100 * following.width_before:.1f} -> {100 * following.width_after:.1f} points"
        lines.append(_line("next pilot", f"{following.n_samples:,} images, {following.shape}: width {widths}"))
    if item.contributions:
        why = ", ".join(f"{entry['name']} {100 * entry['value']:+z.1f}" for entry in item.contributions)
        lines.append(_line("why", f"{why}   (points, against balanced at the same N)"))
    shown = []
    for entry in item.baselines:
        name = FAMILIES[entry["family"]] + (f" {entry['configuration_id']}" if entry.get("configuration_id") else "")
        if entry["value"] is not None:
            shown.append(f"{name} {_percent(entry['value'])}")
    if shown:
        lines.append(_line("baselines", "; ".join(shown)))
    if item.nearest:
        lines.append(_line("nearest runs", "; ".join(_nearest(entry, item.target_set) for entry in item.nearest)))
    if item.outside:
        parts = [f"{e['indicator']} {e['value']:.4g} (fit saw {e['low']:.4g} to {e['high']:.4g})" for e in item.outside]
        lines.append(_line("range", "OUTSIDE " + "; ".join(parts)))
        lines.append(
            _line(
                "remedy",
                f"pilots at 3 sizes: predictor pilots {item.manifest} --next 3",
            )
        )
    else:
        lines.append(_line("range", "inside"))
    return lines


def _nearest(entry: Mapping[str, Any], target_set: str) -> str:
    place = "" if entry["target_set"] == target_set else f" ({entry['target_set']})"
    return f"{entry['configuration_id']} {_percent(entry['value'])}{place}"


def _outcome(outcome: OutcomePrediction, basis: str) -> list[str]:
    if outcome.value is None or outcome.low is None or outcome.high is None:
        return [_line(outcome.outcome, f"no statement: {outcome.reason}")]
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
    elif outcome.reason:
        note += f"; {outcome.reason}"
    lines = [_line(outcome.outcome, f"{value}   {note}")]
    if outcome.edge:
        edge, low, high = outcome.edge
        lines.append(_line("", f"at the edge of the fit {_valued(edge, low, high, outcome.scale)}"))
    return lines


def _comparisons(found: Predictions) -> list[str]:
    lines = [_comparison(item) for item in found.comparisons[:SHOWN_COMPARISONS]]
    rest = len(found.comparisons) - len(lines)
    return [*lines, f"and {rest} more: --format json"] if rest else lines


def _comparison(item: Comparison) -> str:
    bounds = f" [{item.low:+z.2f}, {item.high:+z.2f}]" if item.low is not None and item.high is not None else ""
    return (
        f"{item.a} - {item.b}   {item.outcome} {item.logit_difference:+z.2f} logit{bounds}; "
        f"P({item.a} beats {item.b}) {item.p_a_better:.2f}; {100 * item.points_at_half:+z.0f} points if {item.b} "
        f"reaches 50 %, {100 * item.points_at_ninety:+z.0f} if 90 %"
    )


def _line(name: str, content: str) -> str:
    return f"{padded(name, 13)} {content}"


def _plural(n: int, word: str) -> str:
    return f"{n} {word}" + ("" if n == 1 else "s")


def _valued(value: float, low: float, high: float, scale: str) -> str:
    """A value and its interval: per cent of an accuracy, else the outcome's own unit."""
    if scale in SHARES:
        return f"{_percent(value)} {_range(low, high)}"
    return f"{value:.4g} [{low:.4g}, {high:.4g}]"


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _range(low: float, high: float) -> str:
    return f"[{100 * low:.1f}, {100 * high:.1f}]"
