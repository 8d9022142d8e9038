"""What commands do with the images of a manifest: options, and the probe of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.cli.common import shown_progress
from predictor.errors import FitError, PredictorError
from predictor.images.methods import how_to_probe
from predictor.images.results import METHOD
from predictor.text import visible

if TYPE_CHECKING:
    from predictor.distribution import LabelDistribution
    from predictor.images.results import Probe
    from predictor.models.fit import Fit
    from predictor.records.schema import RunRecord


def PROBE(function: Callable[..., Any]) -> Callable[..., Any]:
    """--images, --probe, --no-probe: what the images of a manifest look like."""
    for option in (
        click.option("--no-probe", is_flag=True, help="Do not look at the images of a folder or a list."),
        click.option(
            "--probe",
            "probe_file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A probe of the images that was written before.",
        ),
        click.option(
            "--images", type=click.Path(path_type=Path), metavar="DIR|FILE", help="The data set's images, to be probed."
        ),
    ):
        function = option(function)
    return function


def probe_of(
    fit: Fit,
    read: Mapping[str, LabelDistribution],
    how: Mapping[str, Any],
    *,
    target_set: str = "new",
    pilots: Iterable[RunRecord] | None = None,
    images: Path | None = None,
    probe_file: Path | None = None,
    no_probe: bool = False,
    **recipe: Any,
) -> Probe | None:
    """The probe that was named, or one of the images that were named, or that the only manifest lists; else None.

    how : the manifest is read: split, label
    target_set : as asked; what the fit knows needs no probe
    pilots : runs of the target set, which is then new to the fit; they name the recipe and the tested classes
    recipe : recipe, model, image_size as asked; pretrained networks look at images by themselves: `trainer probe`

    Raises FitError for a probe that is of no use.
    """
    from predictor.images.results import read_probe
    from predictor.prediction.probed import method_known, why_no_level
    from predictor.prediction.recipes import named_recipe
    from predictor.prediction.request import NEW

    if pilots is not None:
        from predictor.planning.pilots.read import read_pilots

        own = read_pilots(pilots, target_set)
        fit, target_set, recipe = own.fit_of(fit), NEW, {}
        read = {name: own.with_roles(name, item) for name, item in read.items()}
    if no_probe or target_set != NEW:
        if images or probe_file:
            told = "--no-probe says not to" if no_probe else f"the fit knows {target_set}: its runs say more"
            raise FitError(f"nothing to probe for: {told}", remedy="leave --images and --probe out")
        return None
    if images and probe_file:
        raise FitError("--images and --probe both say what the images look like", remedy="name one of them")
    if probe_file:
        return read_probe(probe_file)
    wanted = method_known(named_recipe(fit, **recipe).fit)
    if images is None and (len(read) > 1 or wanted is None):
        return None  # several manifests are candidates for the same images
    from predictor.images import of_manifest

    name, distribution = next(iter(read.items()))
    split, label = how.get("split"), how.get("label")
    if wanted not in (None, METHOD):
        return _by_network(str(wanted), name, images, label, of_manifest.has_images(name, label))
    try:
        with shown_progress("probe") as progress:
            probe = of_manifest.probe_of(
                name, distribution.target_names, images, split=split, label=label, progress=progress
            )
    except PredictorError as fault:
        if images is not None:
            raise
        click.echo(f"{name}: its images were not probed: {visible(str(fault))}", err=True)
        return None
    if probe is None and (why := of_manifest.why_not_listed(name, label)):
        click.echo(f"{name}: its images were not probed: {why}", err=True)
    if probe is None or images is not None or not (why := why_no_level(probe)):
        return probe
    click.echo(f"{name}: predicted without a probe: {visible(why)}", err=True)
    return None


def room_of(
    images: Path | None, how: Mapping[str, Any]
) -> Callable[[str, LabelDistribution], Mapping[str, int] | None]:
    """(manifest -> images of each class that `predictor pilots` trains on), None where none are at hand.

    images : as asked of the command; how : the manifest is read, as of `predictor.manifest.read_manifest`
    None as well where `pilots` would refuse the images: it says why, and a prediction does not depend on them.
    """
    from predictor.images.listing import open_images
    from predictor.images.of_manifest import images_of
    from predictor.images.sides import sides_of

    split, label = how.get("split"), how.get("label")

    def room(name: str, distribution: LabelDistribution) -> Mapping[str, int] | None:
        try:
            source = images_of(name, label) if images is None else open_images(images)
            return None if source is None else sides_of(source, distribution.target_names, split, None).counts
        except PredictorError:
            return None

    return room


def told_before(
    fit: Fit,
    read: Mapping[str, LabelDistribution],
    how: Mapping[str, Any],
    pilot: Path | None,
    asked: Mapping[str, Any],
    **looked: Any,
) -> dict[str, Any]:
    """{"pilots": runs of one's own, else those that the fit keeps of the target set, "probe": of the images}.

    pilot : registry of --pilot; asked : target_set, recipe, model, image_size; looked : images, probe_file, no_probe
    """
    records = kept = None
    if pilot is not None:
        from predictor.records import read_registry

        records = read_registry(pilot)
    elif fit.content.get("own_runs"):
        from predictor.planning.pilots.based import own_records

        kept = own_records(fit, asked["target_set"])
    looked |= {name: asked[name] for name in ("target_set", "recipe", "model", "image_size")}
    probe = probe_of(fit, read, how, pilots=records, **looked)
    return {"pilots": kept if records is None else records, "probe": probe}


def _by_network(method: str, name: str, images: Path | None, label: str | None, there: bool) -> None:
    """No probe: this program runs no network. Raises FitError where images were named, else says how to probe them."""
    words = () if images is not None or label is None else ("--label", label)
    how = f"{how_to_probe(method, images or name, *words)}; then say --probe probe.json"
    if images is not None:
        raise FitError("this recipe's network has to look at the images itself", where=name, remedy=how)
    if there:
        click.echo(f"{name}: not probed, since the recipe's network has to look at the images: {how}", err=True)
