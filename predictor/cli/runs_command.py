"""`predictor runs`: look into a registry of run records, check it, pack it."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.render.tables import json_text
from predictor.text import cell, json_visible, visible

if TYPE_CHECKING:
    from predictor.records import RunRecord

SCHEMA_VERSION = 1
RUNS = click.argument("runs", type=click.Path(path_type=Path))
STUDY = click.option("--study", "studies", multiple=True, metavar="NAME", help="Only this study; may be repeated.")


def _format(function: Callable[..., None]) -> Callable[..., None]:
    choice = click.Choice(["table", "json", "csv", "markdown"])
    return click.option("--format", "form", type=choice, default="table", show_default=True)(function)


@click.group(name="runs")
def command() -> None:
    """List, show, check, pack and unpack the run records of a registry."""


@command.command(name="list")
@RUNS
@STUDY
@_format
def list_command(runs: Path, studies: tuple[str, ...], form: str) -> None:
    """Studies of the registry RUNS: how many runs, on what, from where."""
    from predictor.records import read_registry

    rows = study_rows(read_registry(runs, studies or None))
    _print(rows, form, {"studies": rows})


@command.command(name="show")
@RUNS
@click.argument("run", nargs=-1)
@STUDY
@_format
def show_command(runs: Path, run: tuple[str, ...], studies: tuple[str, ...], form: str) -> None:
    """Runs of the registry RUNS: all of them, or the whole record of each RUN (an id or how it begins)."""
    from predictor.records import read_registry

    records = read_registry(runs, studies or None)
    if run:
        records = [_find(records, begin, runs) for begin in run]
        content = [json.loads(record.to_json()) for record in records]
        if form == "table":
            click.echo("\n".join(json_text(record) for record in content))
            return
        _print([_row(record) for record in records], form, {"runs": content})
        return
    rows = [_row(record) for record in records]
    _print(rows, form, {"runs": rows})


@command.command(name="check")
@RUNS
@_format
@click.pass_context
def check_command(context: click.Context, runs: Path, form: str) -> None:
    """Check every record of the registry RUNS: 0 when clean, else 2, with every fault named."""
    from predictor.records import check

    faults = check(runs)
    if form != "table":
        _print([{"fault": fault} for fault in faults], form, {"clean": not faults, "faults": faults}, ["fault"])
    if faults:
        click.echo("\n".join(faults), err=True)
        click.echo(f"{runs}: {len(faults)} fault{'s' if len(faults) > 1 else ''}", err=True)
        context.exit(2)
    if form == "table":
        click.echo(f"{runs}: clean")


@command.command(name="pack")
@RUNS
@STUDY
@_format
def pack_command(runs: Path, studies: tuple[str, ...], form: str) -> None:
    """Move finished JSON records of the registry RUNS into Parquet parts."""
    from predictor.records import pack, study_folders

    rows = []
    for folder in map(Path.resolve, study_folders(runs, studies or None)):
        part = pack(folder.parent, folder.name)
        rows.append({"study": folder.name, "part": part.name if part else None})
    _print(rows, form, {"studies": rows}, ["study", "part"])


@command.command(name="unpack")
@RUNS
@STUDY
@_format
def unpack_command(runs: Path, studies: tuple[str, ...], form: str) -> None:
    """Turn the Parquet parts of the registry RUNS into one JSON file per run again."""
    from predictor.records import study_folders, unpack

    rows = []
    for folder in map(Path.resolve, study_folders(runs, studies or None)):
        rows.append({"study": folder.name, "n_runs": len(unpack(folder.parent, folder.name))})
    _print(rows, form, {"studies": rows}, ["study", "n_runs"])


def study_rows(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """One row per study and provenance, in order of appearance."""
    groups: dict[tuple[str, str], list[RunRecord]] = {}
    for record in records:
        groups.setdefault((record.study, record.provenance), []).append(record)
    return [
        {
            "study": study,
            "provenance": provenance,
            "n_runs": len(group),
            "n_configurations": len({record.configuration_id for record in group}),
            "target_sets": sorted({record.target_set for record in group}),
            "outcomes": sorted({name for record in group for name in record.outcomes}),
            "devices": sorted({record.environment.device for record in group if record.environment}),
            "statuses": dict(sorted(Counter(record.status for record in group).items())),
        }
        for (study, provenance), group in groups.items()
    ]


def _row(record: RunRecord) -> dict[str, Any]:
    return {
        "run_id": record.run_id,
        "study": record.study,
        "provenance": record.provenance,
        "status": record.status,
        "target_set": record.target_set,
        "axes": dict(record.axes),
        "outcomes": {name: outcome.value for name, outcome in record.outcomes.items()},
        "device": record.environment.device if record.environment else None,
        "seconds": record.seconds.total if record.seconds else None,
    }


def _find(records: Sequence[RunRecord], begin: str, runs: Path) -> RunRecord:
    """The one record whose id begins so."""
    from predictor.errors import RegistryError, listed

    found = [record for record in records if record.run_id.startswith(begin)]
    if len(found) == 1:
        return found[0]
    if not found:
        remedy = "`predictor runs show RUNS` names all of them"
        raise RegistryError(f"no run {begin!r}", where=str(runs), remedy=remedy)
    names = listed([f"{record.study}/{record.run_id}" for record in found])
    remedy = "write more of the id, or name one --study"
    raise RegistryError(f"{len(found)} runs begin with {begin!r}: {names}", where=str(runs), remedy=remedy)


def _print(
    rows: Sequence[Mapping[str, Any]], form: str, content: Mapping[str, Any], names: Sequence[str] | None = None
) -> None:
    """Rows in the format asked for; `content` is the JSON object, `names` the columns of an empty table."""
    columns = list(names or dict.fromkeys(name for row in rows for name in row))
    if form == "json":
        click.echo(json_visible(json.dumps({"schema_version": SCHEMA_VERSION, **content}, ensure_ascii=False)))
        return
    cells = [[_cell(row.get(name), exact=form == "csv") for name in columns] for row in rows]
    cells = [[(cell if form == "csv" else visible)(text) for text in row] for row in cells]
    if form == "csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([columns, *cells])
        click.echo(text.getvalue(), nl=False)
        return
    if form == "markdown":
        lines = [columns, ["---"] * len(columns), *([cell.replace("|", "\\|") for cell in row] for row in cells)]
        click.echo("\n".join(f"| {' | '.join(line)} |" for line in lines))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False)
    for row in cells:
        table.add_row(*row)
    buffer = io.StringIO()
    width = None if sys.stdout.isatty() else 200  # a pipe has no width; do not fold at 80
    Console(file=buffer, width=width, markup=False, highlight=False, no_color=True).print(table)
    click.echo("\n".join(line.rstrip() for line in buffer.getvalue().splitlines()))


def _cell(value: Any, *, exact: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        separator = ";" if exact else ", "
        return separator.join(f"{name}={_cell(item, exact=exact)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return (";" if exact else ", ").join(_cell(item, exact=exact) for item in value)
    if isinstance(value, float) and not exact:
        return f"{value:.4g}"
    return str(value)
