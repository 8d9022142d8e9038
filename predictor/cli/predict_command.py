"""`predictor predict`: label manifests + a fit -> predictions. Starts at once: numpy and DuckDB, nothing heavier.

Exit codes: 0; 3 where --fail-below or --fail-if-worse say so; 2 for a fault of the input.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from predictor.cli.common import (
    FIT,
    FORMAT,
    LEVEL,
    PILOT,
    RECIPE,
    manifest_options,
    read_manifests,
    repeated,
    say_result,
)
from predictor.cli.images import PROBE, probe_of, room_of
from predictor.errors import FitError
from predictor.render import predictions
from predictor.render.class_predictions import class_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from predictor.prediction import Predictions

FAILED = 3  # exit code of a manifest that is not good enough


@click.command(name="predict")
@click.argument("manifests", nargs=-1, required=True, metavar="MANIFEST...")
@FIT
@RECIPE
@PILOT
@PROBE
@click.option("--classes", "all_classes", is_flag=True, help="Show every class, of every outcome.")
@click.option("--all", "everything", is_flag=True, help="Show every comparison, in logits as well.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Figure (.svg, .png, .pdf): every class of one manifest, or several manifests side by side.",
)  # fmt: skip
@click.option(
    "--fail-below",
    type=click.FloatRange(0, 1),
    metavar="ACCURACY",
    help="Exit 3 where a manifest is predicted to stay below this, or no level can be told.",
)
@click.option(
    "--fail-if-worse", metavar="MANIFEST",
    help="Exit 3 where this manifest is likely (P of at least --level) to be better than one of MANIFESTS.",
)  # fmt: skip
@LEVEL
@manifest_options
@FORMAT
@click.pass_context
def command(
    context: click.Context,
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
    everything: bool,
    plot: Path | None,
    fail_below: float | None,
    fail_if_worse: str | None,
    how: dict[str, str | None],
    targets: Path | None,
    form: str,
) -> None:
    """Predict accuracies from label MANIFESTs before training; several are ranked and compared.

    Labels fix no level: images do. Those of a MANIFEST that is a folder or a list of images are probed (seconds, kept),
    or those that --images names.
    """
    from predictor.images.of_manifest import has_images
    from predictor.models.fit import find_fit
    from predictor.prediction import predict
    from predictor.prediction.request import NEW

    if plot is not None:
        from predictor.render.drawn import check_figure

        check_figure(plot)
    read = read_manifests([*manifests, *([fail_if_worse] if fail_if_worse else [])], targets=targets, how=how)
    fit, _ = find_fit(fit_path)
    asked = {"target_set": target_set, "domain": domain, "model": model, "image_size": image_size,
             "image_steps": image_steps, "recipe": recipe, "level": level}  # fmt: skip
    following = {}
    own = None
    if fit.content.get("own_runs") and target_set != NEW and pilot is None:
        from predictor.planning.pilots.based import own_records

        own = own_records(fit, target_set)
    looked = {"images": images, "probe_file": probe_file, "no_probe": no_probe}
    named = {"recipe": recipe, "model": model, "image_size": image_size}
    probe = None if pilot else probe_of(fit, read, how, target_set=target_set, **looked, **named)
    if own is not None:
        from predictor.planning.pilots.based import predict_own

        found = predict_own(fit, read, own, all_classes=all_classes, **asked)
    elif pilot is None:
        from predictor.planning.next_step import with_next_step

        found = predict(fit, read, all_classes=all_classes, probe=probe, **asked)
        found = with_next_step(fit, read, found, probe=probe, **asked)
    else:
        from predictor.planning.pilots.plan import next_pilots
        from predictor.planning.pilots.predict import predict_with_pilots
        from predictor.records import read_registry

        if asked.pop("recipe") is not None:
            raise FitError("the pilots state their recipe themselves", remedy="leave --recipe out")
        records = read_registry(pilot)
        asked["probe"] = probe_of(fit, read, how, target_set=target_set, pilots=records, **looked)
        found = predict_with_pilots(fit, read, records, all_classes=all_classes, **asked)
        if form in ("table", "markdown"):
            following = next_pilots(fit, read, records, available=room_of(images, how), **asked)
    if all_classes:
        class_rows(found)  # raises where nothing can be said of classes
    if plot is not None:
        _draw(found, plot, lambda: predict(fit, read, all_classes=True, probe=probe, **asked))
    where = [] if images or all(has_images(item, how.get("label")) for item in manifests) else ["--source", "IMAGES"]
    options = [*repeated("pilots"), *where]
    if pilot is not None:  # the pilots that are printed begin where these do
        options += ["--target-set", target_set] if target_set != NEW else []
        options += ["--no-probe"] if len(read) > 1 and not (images or probe_file or no_probe) else []
    say_result(predictions, found, form, following=following, everything=everything, asked=options)
    faults = [*_below(found, fail_below), *_worse(found, fail_if_worse, level)]
    for fault in faults:
        click.echo(f"fails: {fault}", err=True)
    if faults:
        context.exit(FAILED)


def _draw(found: Predictions, path: Path, whole: Callable[[], Predictions]) -> None:
    """Write the figure. whole : the predictions with every class, where one manifest has more than are told"""
    from predictor.render.drawn import write_figure

    own = found.predictions[0].classes
    few = (
        len(found.predictions) == 1 and not found.predictions[0].pilots and own and len(own[0].worst) < own[0].n_classes
    )
    write_figure(predictions.plot(whole() if few else found), path)
    click.echo(f"wrote {path}: the figure", err=True)


def _below(found: Predictions, least: float | None) -> Iterator[str]:
    """Manifests that are not predicted to reach an accuracy."""
    for item in found.predictions if least is not None else ():
        own = item.outcomes[0]
        if own.value is None or not own.backed:
            yield f"{item.manifest}: no level can be told, so none that reaches {100 * least:.4g} %"
        elif own.value < least:
            yield f"{item.manifest}: {100 * own.value:.1f} % {own.outcome} is below {100 * least:.4g} %"


def _worse(found: Predictions, other: str | None, level: float) -> Iterator[str]:
    """Manifests that another one is likely to beat."""
    for item in found.predictions if other is not None else ():
        row = found.compared(other, item.manifest, item.outcomes[0].outcome)
        if row is not None and row.p_a_better >= level:
            p = predictions.probability(row.p_a_better)
            yield f"{item.manifest} is worse than {other}: P({other} is better) {p}, at least {level:g}"
