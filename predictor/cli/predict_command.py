"""`predictor predict`: label manifests + a fit -> predictions. Starts at once: numpy and DuckDB, nothing heavier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from predictor.cli.common import FIT, FORMAT, LEVEL, PILOT, RECIPE, manifest_options, read_manifests, shown_progress
from predictor.errors import FitError
from predictor.render.predictions import class_rows, rows, summary
from predictor.text import json_visible, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from predictor.distribution import LabelDistribution
    from predictor.images.results import Probe
    from predictor.models.fit import Fit


@click.command(name="predict")
@click.argument("manifests", nargs=-1, required=True, metavar="MANIFEST...")
@FIT
@RECIPE
@PILOT
@click.option("--images", type=click.Path(path_type=Path), metavar="DIR|FILE", help="Probe these images of it.")
@click.option(
    "--probe", "probe_file", type=click.Path(path_type=Path), metavar="FILE", help="probe.json of its images."
)
@click.option("--no-probe", is_flag=True, help="Do not look at the images of a folder or a list.")
@click.option("--classes", "all_classes", is_flag=True, help="Every class; CSV and Markdown get one row a class.")
@LEVEL
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
    recipe: str | None,
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
    fit, _ = find_fit(fit_path)
    asked = {"target_set": target_set, "domain": domain, "model": model, "image_size": image_size,
             "image_steps": image_steps, "recipe": recipe, "level": level}  # fmt: skip
    following = {}
    probe = None
    own = None
    if fit.content.get("own_runs") and target_set != NEW and pilot is None:
        from predictor.planning.pilots.based import own_records

        own = own_records(fit, target_set)
    if target_set == NEW and not no_probe:
        probe = _probe(fit, read, images, probe_file, how.get("split"))
    elif images or probe_file:
        told = "--no-probe says not to" if no_probe else f"the fit knows {target_set}: its runs say more"
        raise FitError(f"nothing to probe for: {told}", remedy="leave --images and --probe out")
    if own is not None:
        from predictor.planning.pilots.based import predict_own

        found = predict_own(fit, read, own, all_classes=all_classes, **asked)
    elif pilot is None:
        found = predict(fit, read, all_classes=all_classes, probe=probe, **asked)
    else:
        from predictor.planning.pilots.plan import next_pilots
        from predictor.planning.pilots.predict import predict_with_pilots
        from predictor.records import read_registry

        if asked.pop("recipe") is not None:
            raise FitError("the pilots say their recipe", remedy="leave --recipe out")
        records = read_registry(pilot)
        fit = fit if probe is None else with_probe(fit, probe, domain=domain)
        found = predict_with_pilots(fit, read, records, all_classes=all_classes, **asked)
        following = next_pilots(fit, read, records, **asked) if form == "table" else {}
    if form == "json":
        click.echo(json_visible(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False)))
    elif form == "table":
        click.echo(summary(found, following))
    else:
        from predictor.render.tables import rows_text

        table = class_rows(found) if all_classes else rows(found)
        click.echo(rows_text(table, form, list(table[0]), {}))


def _probe(
    fit: Fit, read: Mapping[str, LabelDistribution], images: Path | None, file: Path | None, split: str | None
) -> Probe | None:
    """The probe that was named, or one of the images that were named, or that the only manifest lists."""
    from predictor.errors import PredictorError
    from predictor.images.results import read_probe
    from predictor.prediction.probed import knows_probes

    if images and file:
        raise FitError("--images and --probe both say what the images look like", remedy="name one of them")
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
