"""`predictor import`: somebody's table or tracker -> run records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.cli.common import FORMAT, LOCAL_RUNS, say_result
from predictor.entry import Commands

if TYPE_CHECKING:
    from predictor.importers.table import ImportedTable

SAID = ("study", "citation", "target_set", "domain")


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """SOURCE, RUNS, and what every import takes."""
    for option in (
        FORMAT,
        click.option("--dry-run", is_flag=True, help="Show what columns become, and the first rows; write nothing."),
        click.option("--citation", metavar="TEXT", help="Whose numbers these are."),
        click.option("--domain", metavar="NAME", help="Image domain of all rows."),
        click.option("--target-set", metavar="NAME", help="Target set of all rows."),
        click.option("--study", metavar="NAME", help="Folder below RUNS for the records."),
        click.option("--map", "map_path", type=click.Path(path_type=Path), metavar="MAP.yaml",
                     help="File that says what each column becomes (docs/import.md)."),
        LOCAL_RUNS,
        click.argument("source", type=click.Path(path_type=Path)),
    ):  # fmt: skip
        function = option(function)
    return function


@click.group(name="import", cls=Commands)
def command() -> None:
    """Other people's runs: a table, timm's results, or the files of a tracker become run records of the registry RUNS.

    Every column needs a meaning, in a map (docs/import.md); no meaning is guessed. Rows that are there already are
    not added again.
    """


@command.command(name="table")
@_options
def table_command(source: Path, map_path: Path | None, **options: Any) -> None:
    """A CSV, TSV, JSON (records or lines), Parquet or .xlsx file.

    Without --map, columns that are named as this package names things have their meaning: accuracy, robustness,
    shift:NAME, names of indicators, count:CLASS, target_set, domain, seed, image_steps.
    """
    from predictor.importers.mapping import own_map
    from predictor.importers.readers.files import read_table

    content = _map(map_path)
    table = read_table(source, separator=content.get("separator"), sheet=content.get("sheet"))
    _import(table, content if map_path else own_map(table), map_path, **options)


@command.command(name="timm")
@_options
def timm_command(source: Path, map_path: Path | None, **options: Any) -> None:
    """timm's folder of results-*.csv: accuracy and shifts, label-set size and stages from each model's tag."""
    from predictor.importers.timm import read_timm, timm_map

    _import(read_timm(source), {**timm_map(), **_map(map_path)}, map_path, **options)


def _tracker(name: str, words: str) -> None:
    @command.command(name=name, help=words)
    @_options
    def tracker_command(source: Path, map_path: Path | None, **options: Any) -> None:
        import importlib

        table = importlib.import_module(f"predictor.importers.readers.{name}").read(source)
        _import(table, _map(map_path), map_path, **options)


_tracker("mlflow", "A local store of MLflow (mlflow.db or mlruns/): params.NAME, metrics.NAME, tags.NAME, a row a run.")
_tracker("wandb", "Weights & Biases: exported CSV or JSON, or a folder of offline runs: config.NAME, summary.NAME.")
_tracker("tensorboard", "A folder of TensorBoard event files: the last value of each scalar, and hparams.")
_tracker("lightning", "A folder of Lightning's CSV logs (metrics.csv, hparams.yaml): metrics.NAME, hparams.NAME.")


def _map(path: Path | None) -> dict[str, Any]:
    from predictor.importers.mapping import read_map_text

    return read_map_text(path) if path else {}


def _import(
    table: ImportedTable,
    content: dict[str, Any],
    map_path: Path | None,
    *,
    runs: Path,
    dry_run: bool,
    form: str,
    **said: str | None,
) -> None:
    from predictor.importers.build import became, build
    from predictor.importers.mapping import checked_map, overridden
    from predictor.importers.results import ImportResult
    from predictor.records.adding import add_records
    from predictor.render import imported

    plan = checked_map(overridden(content, **said), str(map_path or table.source))
    if dry_run:
        shown = became(table, plan)
        if any(item.becomes == "-" for item in shown):  # the refusal that follows names them
            click.echo(imported.columns_text(shown), err=form != "table")
    found = build(table, plan)
    added = None if dry_run else add_records(runs, found.study, found.records)
    say_result(imported, ImportResult(found, added, str(runs)), form)
