"""`predictor pilots`: a label manifest + a fit -> the cheap subsamples to train first, as a grid YAML."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.cli.common import (
    FIT,
    FORMAT,
    LEVEL,
    PILOT,
    check_asked,
    manifest_options,
    read_manifests,
    repeated,
    say_result,
    write_text,
)
from predictor.cli.images import PROBE, probe_of
from predictor.text import command as in_words

if TYPE_CHECKING:
    from predictor.distribution import LabelDistribution
    from predictor.images.sides import Sides

STUDY = "pilots"
GRID = "pilots.yaml"


@click.command(name="pilots")
@click.argument("manifest")
@click.option("--next", "n", type=click.IntRange(1, 20), required=True, metavar="N", help="How many pilots, 1 to 20.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="Images of MANIFEST: Parquet file, folder or CSV list.  [default: --images, else MANIFEST]",
)
@click.option("--digest", metavar="sha256:...", help="Digest of the source. [default: computed]")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Where to write the grid.  [default: {GRID}; further ones: pilots-2.yaml]",
)
@click.option("--target-set", default="mine", show_default=True, metavar="NAME", help="Name that your target set gets.")
@click.option(
    "--domain", default="new", show_default=True, metavar="NAME", help="Image domain that the fit knows, or 'new'."
)
@click.option(
    "--recipe", metavar="NAME|GRID",
    help="A name that `predictor recipes` lists, or a grid file: the network and recipe of the pilots, which take no "
    "action about imbalance.  [default: those of the fit's runs]",
)  # fmt: skip
@click.option(
    "--image-steps", type=click.IntRange(1, 10**15), metavar="N", help="Image-steps of the run on the whole manifest."
)
@click.option("--seeds", type=click.IntRange(1, 10), default=1, show_default=True, help="Runs of each pilot.")
@click.option(
    "--share",
    type=float,
    metavar="S",
    help="Most that all pilots may cost, as a part of the whole run.  [default: no limit]",
)
@click.option(
    "--test-split", metavar="NAME", help="Split to test on.  [default: test, else an eighth of the training images]"
)
@click.option("--flip/--no-flip", default=None, help="Whether images may be mirrored.  [default: they may]")
@PILOT
@click.option("--study", metavar="NAME", help="Name of the study that is written.  [default: as the grid's file]")
@FIT
@PROBE
@LEVEL
@manifest_options
@FORMAT
def command(
    manifest: str,
    n: int,
    source: Path | None,
    digest: str | None,
    output: Path | None,
    target_set: str,
    domain: str,
    recipe: str | None,
    image_steps: int | None,
    seeds: int,
    share: float | None,
    test_split: str | None,
    flip: bool | None,
    pilot: Path | None,
    study: str | None,
    fit_path: Path | None,
    level: float,
    how: dict[str, str | None],
    targets: Path | None,
    form: str,
    **asked: Any,
) -> None:
    """Which cheap subsamples of MANIFEST to train first, so that its prediction narrows most; writes a grid YAML.

    They are trained in everything as the runs behind the fit. What to do next is printed as commands.
    """
    from predictor.errors import FitError
    from predictor.grids.write import check_grid, grid_text
    from predictor.models.fit import find_fit
    from predictor.planning.pilots.plan import grid_content, plan_pilots
    from predictor.planning.pilots.recipe import trained_as_before, trained_as_in, trained_like
    from predictor.prediction.recipes import GRIDS, named_recipe
    from predictor.records import read_registry
    from predictor.render import pilots as pages

    output = output or _free(pilot is not None)
    planned = question(manifest, n, target_set)
    check_asked(output, planned)
    distribution = read_manifests([manifest], targets=targets, how=how)[manifest]
    place = _place(manifest, distribution, source or asked["images"], digest, how, test_split)
    fit, _ = find_fit(fit_path)
    records = read_registry(pilot) if pilot else None
    if recipe is not None and records is not None:
        raise FitError("the pilots state their recipe themselves", remedy="leave --recipe out")
    own, network = None, {}
    if recipe is not None and Path(recipe).suffix in GRIDS:
        own = trained_as_in(Path(recipe))
        fit, image_steps = own.fit_of(fit), image_steps or own.image_steps
        network = {"model": own.network, "image_size": own.image_size}
    elif recipe is not None:
        named_like = named_recipe(fit, recipe)
        fit, image_steps = named_like.fit, image_steps or named_like.image_steps
        network = {"model": named_like.model, "image_size": named_like.image_size}
    whose = "new" if records is None or target_set == "mine" else target_set
    probe = probe_of(fit, {manifest: distribution}, how, target_set=whose, pilots=records, **asked)
    plan = plan_pilots(
        fit, distribution, n, manifest=manifest, target_set=target_set, domain=domain, share=share, level=level,
        image_steps=image_steps, pilots=records, available=place.sides.counts, probe=probe, **network,
    )  # fmt: skip
    before = None if records is None else trained_as_before(records, plan.target_set)
    trained = own or before or trained_like(fit, plan.recipe["model"], plan.recipe["image_size"])
    study = study or _study(output)
    content = grid_content(
        plan, trained, study=study, file=place.file, digest=place.digest, train_split=place.sides.train_split,
        test_split=place.sides.test_split, flip=flip, seeds=seeds,
    )  # fmt: skip
    runs = check_grid(content, str(output))
    registry = pilot or Path(STUDY)
    passed = ("--bad-images", "skip") if place.sides.n_unreadable else ()
    train = in_words("trainer", "run", output, "--data", place.folder or "DIR", "--runs", registry, *passed)
    named = [] if whose == "new" else ["--target-set", whose]  # of a registry that holds several
    if own is not None:  # pilots state their network themselves, but not how long the run on the whole is
        named += ["--image-steps", str(plan.recipe["image_steps"])]
    asked_again = repeated("predict", but=("pilot", "recipe", *(["image_steps"] if own is not None else [])))
    predict = in_words("predictor", "predict", manifest, *asked_again, *named, "--pilot", registry)
    write_text(output, grid_text(content, [planned, f"Train them:  {train}"]), keep=True)
    click.echo(f"wrote {output}: {len(plan.pilots)} configurations, {runs} runs", err=True)
    mirrored = (trained.flip if flip is None else flip) is not False
    says = "mirrored images too (--no-flip: never)" if mirrored else "never mirrored"
    whose = f"{trained.where}; {says}" + ("; yours: --recipe GRID.yaml" if own is before is None else "")
    say_result(pages, plan, form, seeds=seeds, recipe=whose, test=place.sides.note, commands=[train, predict])


def question(manifest: str, n: int, target_set: str = "mine") -> str:
    """What this command or `start` was asked, as the grid says it; which probe it looked at is none of it."""
    named = () if target_set == "mine" else ("--target-set", target_set)
    options = repeated("pilots", but=("n", "probe_file", "no_probe"))
    return f"Pilots:  {in_words('predictor', 'pilots', manifest, '--next', n, *named, *options)}"


@dataclass(frozen=True)
class _Place:
    """Where the images of the pilots lie: the folder, the file in it, its digest, and what is trained and tested on."""

    folder: Path | None
    file: str
    digest: str
    sides: Sides


def _place(
    manifest: str,
    distribution: LabelDistribution,
    source: Path | None,
    digest: str | None,
    how: Mapping[str, str | None],
    test_split: str | None,
) -> _Place:
    """Of the source named, or of a manifest that is or lists its images."""
    from predictor.errors import PredictorError
    from predictor.images.listing import LABEL, open_images
    from predictor.images.of_manifest import images_of
    from predictor.images.sides import Sides, sides_of

    split, label = how.get("split"), how.get("label")
    images = images_of(manifest, label) if source is None and digest is None else None
    if images is not None:
        source = Path(manifest) if label in (None, LABEL) else _view(Path(manifest), label)
    elif source is None:
        raise PredictorError(
            "a grid names the file of its images and its digest",
            remedy="say --source with their Parquet file, folder or CSV list, or --source NAME --digest sha256:...",
        )
    elif digest is None:
        images = open_images(source)
    if images is None:
        sides = Sides(train_split=split or "train", test_split=test_split or "test")
        return _Place(source.parent if source.exists() else None, source.name, digest or "", sides)
    sides = sides_of(images, distribution.target_names, split, test_split)
    whole = Path(os.path.abspath(source))
    folder = source.parent if source.name == whole.name else whole.parent  # '.' and 'photos/..' have no name
    return _Place(folder, whole.name, digest or images.digest, sides)


def _view(place: Path, label: str) -> Path:
    """A view beside the images, which says to the trainer what their labels are called; a grid cannot."""
    from predictor.errors import PredictorError
    from predictor.images.readers.view import labelled_text

    view = place.absolute().with_name(f"{place.absolute().name}.view.yaml")
    view = view.relative_to(Path.cwd()) if view.is_relative_to(Path.cwd()) else view
    try:
        write_text(view, labelled_text(place.absolute(), label), keep=True)
    except PredictorError as fault:
        told = "rename the column of the classes to 'label', or name a view of your own: --source VIEW.yaml"
        raise PredictorError(fault.problem, where=fault.where, remedy=told) from None
    click.echo(f"wrote {view}: the grid names it, since it says what the column of the classes is called", err=True)
    return view


def _free(further: bool) -> Path:
    """A name for the grid: further pilots do not replace the grid of the first ones."""
    number = 2
    while further and Path(f"{STUDY}-{number}.yaml").exists():
        number += 1
    return Path(f"{STUDY}-{number}.yaml" if further else GRID)


def _study(output: Path) -> str:
    from predictor.grids.schema import STUDY_NAME

    return output.stem if STUDY_NAME.fullmatch(output.stem) else STUDY
