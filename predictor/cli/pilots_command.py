"""`predictor pilots`: a label manifest + a fit -> the cheap subsamples to train first, as a grid YAML."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from predictor.cli.common import FIT, FORMAT, LEVEL, PILOT, manifest_options, read_manifests, write_text

LEARNING_RATE = 0.03  # of the runs behind the fit that ships


@click.command(name="pilots")
@click.argument("manifest")
@click.option("--next", "n", type=click.IntRange(1, 20), required=True, metavar="N", help="How many pilots, 1 to 20.")
@click.option(
    "--source", type=click.Path(path_type=Path), help="Its images: Parquet, folder, CSV list.  [default: MANIFEST]"
)
@click.option("--digest", metavar="sha256:...", help="Digest of the source. [default: computed]")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), default="pilots.yaml", show_default=True)
@click.option("--target-set", default="mine", show_default=True, metavar="NAME", help="A name for your target set.")
@click.option("--domain", default="new", show_default=True, metavar="NAME", help="Image domain of the fit, or new.")
@click.option("--recipe", type=click.Path(path_type=Path), metavar="GRID", help="Grid YAML: its network and recipe.")
@click.option("--image-steps", type=click.IntRange(1, 10**15), metavar="N", help="Of the run on the whole manifest.")
@click.option("--seeds", type=click.IntRange(1, 10), default=1, show_default=True, help="Runs of each pilot.")
@click.option("--share", type=float, default=0.3, show_default=True, help="All pilots' part of the whole run's cost.")
@click.option("--test-split", default="test", show_default=True, metavar="NAME", help="Split of the source to test on.")
@PILOT
@click.option("--study", default="pilots", show_default=True, metavar="NAME", help="Name of the study that is written.")
@FIT
@LEVEL
@manifest_options
@FORMAT
def command(
    manifest: str,
    n: int,
    source: Path | None,
    digest: str | None,
    output: Path,
    target_set: str,
    domain: str,
    recipe: Path | None,
    image_steps: int | None,
    seeds: int,
    share: float,
    test_split: str,
    pilot: Path | None,
    study: str,
    fit_path: Path | None,
    level: float,
    how: dict[str, str | None],
    targets: Path | None,
    form: str,
) -> None:
    """Which cheap subsamples of MANIFEST to train first, so that its prediction narrows most; writes a grid YAML.

    Then: trainer run pilots.yaml --data DIR --runs pilots/, and predictor predict MANIFEST --pilot pilots/.
    """
    from predictor.grids.write import check_grid, grid_text
    from predictor.models.fit import find_fit
    from predictor.planning.pilots.plan import grid_content, plan_pilots
    from predictor.records import read_registry
    from predictor.render.pilots import COLUMNS, rows, summary
    from predictor.render.tables import json_text, rows_text

    file, digest = _source(manifest, source, digest)
    model, size, settings, protocol = _recipe(recipe)
    distribution = read_manifests([manifest], targets=targets, how=how)[manifest]
    fit, _ = find_fit(fit_path)
    plan = plan_pilots(
        fit, distribution, n, manifest=manifest, target_set=target_set, domain=domain, model=model, image_size=size,
        image_steps=image_steps, share=share, level=level, pilots=read_registry(pilot) if pilot else None,
    )  # fmt: skip
    content = grid_content(
        plan, study=study, file=file, digest=digest, protocol=protocol, recipe=settings, test_split=test_split,
        train_split=how.get("split") or "train", seeds=seeds,
    )  # fmt: skip
    written = grid_text(content, [f"Pilots of {manifest}: predictor pilots --next {n}",
                                  f"Train them:  trainer run {output} --data DIR"])  # fmt: skip
    runs = check_grid(content, str(output))
    write_text(output, written, keep=True)
    click.echo(f"wrote {output}: {len(plan.pilots)} configurations, {runs} runs", err=True)
    if form == "json":
        click.echo(json_text(plan.to_dict()))
    elif form == "table":
        click.echo(summary(plan, output))
        if recipe is None:
            click.echo(
                f"recipe        learning rate {LEARNING_RATE:g}, as the fit's runs (assumed); yours: --recipe GRID.yaml"
            )
    else:
        click.echo(rows_text(rows(plan), form, COLUMNS))


def _source(manifest: str, source: Path | None, digest: str | None) -> tuple[str, str]:
    """(file name, digest) of the images: of the source named, or of a manifest that is or lists its images."""
    from predictor.errors import PredictorError
    from predictor.images.listing import digest_of
    from predictor.images.of_manifest import images_of

    if source is None and digest is None and images_of(manifest) is not None:
        source = Path(manifest)
    if source is None:
        raise PredictorError(
            "a grid names the file of its images and its digest",
            remedy="say --source with their Parquet file, folder or CSV list, or --source NAME --digest sha256:...",
        )
    return Path(os.path.realpath(source)).name, digest_of(source) if digest is None else digest


def _recipe(path: Path | None) -> tuple[str | None, int | None, dict[str, Any], int]:
    """(network, resolution, recipe, protocol) of a grid."""
    from predictor.spec import PROTOCOL

    if path is None:
        return None, None, {"learning_rate": LEARNING_RATE}, PROTOCOL
    from predictor.grids import load_grid

    spec = load_grid(path).runs[0].spec
    settings = spec.recipe.model_dump(mode="json", exclude_defaults=True)
    return spec.model.name, spec.model.image_size, settings, spec.protocol
