"""`predictor indicators`: manifests in, indicators out."""

from __future__ import annotations

from pathlib import Path

import click

from predictor.cli.common import FORMAT, manifest_options, read_manifests
from predictor.errors import ManifestError
from predictor.render.tables import json_text, number, rows_text


@click.command(name="indicators")
@click.argument("manifests", nargs=-1)
@manifest_options
@click.option("--list", "listing", is_flag=True, help="List every indicator: what it is, unit, direction, source.")
@click.option("--merge", is_flag=True, help="Add the manifests up to one.")
@click.option("--name", "names", multiple=True, help="Only this, e.g. long_tail@20; may be repeated.")
@FORMAT
def command(
    manifests: tuple[str, ...],
    label: str | None,
    count: str | None,
    split: str | None,
    targets: Path | None,
    listing: bool,
    merge: bool,
    names: tuple[str, ...],
    form: str,
) -> None:
    """Print the indicators of each MANIFEST (CSV, TSV or Parquet; a row per sample or per class)."""
    from predictor import indicators

    if listing:
        rows = indicators.listing()
        click.echo(json_text({"schema_version": 1, "indicators": rows}) if form == "json" else rows_text(rows, form))
        return
    if not manifests:
        raise ManifestError("no manifest named", remedy="give a CSV or Parquet file, or --list")
    distributions = read_manifests(manifests, label=label, count=count, split=split, targets=targets)
    if merge:
        first, *rest = distributions.values()
        for other in rest:
            first = first.merge(other)
        distributions = {" + ".join(distributions): first}
    found = {path: indicators.compute(d, names or None) for path, d in distributions.items()}
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
    rows = []
    for name in next(iter(found.values())):
        values = {path: found[path][name] for path in found}
        unit = next(iter(values.values())).unit
        row: dict[str, object] = {"indicator": name, "unit": unit}
        for path, value in values.items():
            row[path] = value.value if form == "csv" else _shown(value.value, value.reason)
        rows.append(row)
    click.echo(rows_text(rows, form))


def _shown(value: float | None, reason: str | None) -> str:
    return f"undefined: {reason}" if value is None else number(value)
