"""`predictor indicators`: manifests in, indicators out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from predictor.cli.common import FORMAT, manifest_options, read_manifests
from predictor.errors import ManifestError
from predictor.render.tables import json_text, rows_text

if TYPE_CHECKING:
    from predictor.distribution import LabelDistribution

SOURCES_SHOWN = 10  # a manifest of more sources has their shares computed by name only


@click.command(name="indicators")
@click.argument("manifests", nargs=-1)
@manifest_options
@click.option("--list", "listing", is_flag=True, help="List every indicator: what it is, unit, direction, source.")
@click.option("--merge", is_flag=True, help="Add the manifests up to one.")
@click.option("--name", "names", multiple=True, help="Show this indicator alone, e.g. long_tail@20; may be repeated.")
@click.option("--test", metavar="MANIFEST", help="Labels of the test set (its split 'test'), for kl_test.")
@click.option(
    "--synthetic", multiple=True, metavar="SOURCE", help="A source whose images are rendered; may be repeated."
)
@click.option(
    "--probe", type=click.Path(path_type=Path), metavar="FILE", help="A probe of the images that was written before."
)
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw the rank-frequency curves."
)
@FORMAT
def command(
    manifests: tuple[str, ...],
    how: dict[str, str | None],
    targets: Path | None,
    listing: bool,
    merge: bool,
    names: tuple[str, ...],
    test: str | None,
    synthetic: tuple[str, ...],
    probe: Path | None,
    plot: Path | None,
    form: str,
) -> None:
    """Print the indicators of each MANIFEST.

    A MANIFEST is a table (CSV, TSV, Parquet, JSON lines or .xlsx; a row per sample or per class), a list of paths and
    labels, an image folder, WebDataset shards, a Hugging Face data set, annotations of COCO, YOLO or Pascal VOC, a
    quoted pattern of files, or - for standard input.
    Its content tells which. Several are compared."""
    from predictor import indicators
    from predictor.images.results import read_probe
    from predictor.render.comparison import comparison_text

    if listing:
        rows = indicators.listing()
        click.echo(json_text({"schema_version": 1, "indicators": rows}) if form == "json" else rows_text(rows, form))
        return
    if not manifests:
        raise ManifestError("no manifest named", remedy="give a table or a folder, or --list")
    distributions = read_manifests(manifests, targets=targets, how=how)
    if merge:
        first, *rest = distributions.values()
        distributions = {" + ".join(distributions): first.merge(*rest)}
    context = indicators.Context(
        test=_test_set(test, how), synthetic=frozenset(synthetic), probe=None if probe is None else read_probe(probe)
    )
    if not names:
        names = (*indicators.with_errors(indicators.default_names(context)), *_source_names(distributions.values()))
    found = {path: indicators.compute(d, names, context) for path, d in distributions.items()}
    if plot:
        from predictor.render.rank_frequency import write_rank_frequency

        write_rank_frequency(distributions, plot)
    if form == "json":
        content = [
            {
                "manifest": path,
                "n_samples": distributions[path].n_samples,
                "indicators": [
                    {"name": name, "value": v.value, "unit": v.unit, "reason": v.reason} for name, v in values.items()
                ],
            }
            for path, values in found.items()
        ]
        click.echo(json_text({"schema_version": 1, "manifests": content}))
        return
    click.echo(comparison_text(found, form))


def _test_set(path: str | None, how: Mapping[str, str | None]) -> LabelDistribution | None:
    """The labels of the test set: the split 'test' where the manifest has splits."""
    if path is None:
        return None
    from predictor.manifest import NoSplitsError, open_manifest

    try:
        manifest = open_manifest(path, **{**how, "split": "test"})
    except NoSplitsError:
        manifest = open_manifest(path, **{**how, "split": None})
    for note in manifest.notes:
        click.echo(f"{path}: {note}", err=True)
    return manifest.distribution


def _source_names(distributions: Iterable[LabelDistribution]) -> list[str]:
    """A share for every source, where there are few enough to read."""
    from predictor.indicators import source_names

    names = source_names(distributions)
    return names if len(names) <= SOURCES_SHOWN else []
