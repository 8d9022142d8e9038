"""`predictor runs`: look into a registry of run records, check it, pack it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from predictor.cli.common import FORMAT, LOCAL_RUNS, RUNS, STUDIES, LocalRegistry, Registry, say_result
from predictor.entry import Commands, as_given
from predictor.render.runs import run_row, runs_text, shifts_text, study_rows
from predictor.render.tables import json_text

if TYPE_CHECKING:
    from predictor.records import RunRecord

SCHEMA_VERSION = 1


@click.group(name="runs", cls=Commands)
def command() -> None:
    """List, show, check, pack, unpack and merge the run records of registries."""


@command.command(name="list")
@RUNS
@STUDIES
@FORMAT
def list_command(runs: Path, studies: tuple[str, ...], form: str) -> None:
    """Studies of the registry RUNS: how many runs, on what, from where."""
    from predictor.records.columns import columns_of

    rows = study_rows(columns_of(runs, studies or None, gate=False))
    _print(rows, form, {"studies": rows})


@command.command(name="show")
@RUNS
@click.argument("run", nargs=-1)
@click.option("--shifts", is_flag=True, help="A row a shift: accuracy, and clean accuracy on the classes it covers.")
@STUDIES
@FORMAT
def show_command(runs: Path, run: tuple[str, ...], shifts: bool, studies: tuple[str, ...], form: str) -> None:
    """Runs of the registry RUNS: all of them, or the whole record of each RUN (an id or how it begins)."""
    from predictor.records import read_registry

    every = records = read_registry(runs, studies or None)
    if run:
        records = [_find(records, begin, runs) for begin in run]
    if shifts:
        _show_shifts(every, records, runs, form)
        return
    if run:
        from predictor.render import record as pages

        say_result(pages, records, form)
        return
    rows = [run_row(record) for record in records]
    _print(rows, form, {"runs": rows})


@command.command(name="check")
@RUNS
@FORMAT
@click.pass_context
def check_command(context: click.Context, runs: Path, form: str) -> None:
    """Check every record of the registry RUNS: 0 when clean, else 2, with every fault named."""
    from predictor.records import check

    faults = [as_given(fault) for fault in check(runs)]
    if form != "table":
        _print([{"fault": fault} for fault in faults], form, {"clean": not faults, "faults": faults}, ["fault"])
    if faults:
        click.echo("\n".join(faults), err=True)
        click.echo(f"{as_given(runs)}: {len(faults)} fault{'s' if len(faults) > 1 else ''}", err=True)
        context.exit(2)
    if form == "table":
        click.echo(f"{as_given(runs)}: clean")


@command.command(name="pack")
@LOCAL_RUNS
@STUDIES
@FORMAT
def pack_command(runs: Path, studies: tuple[str, ...], form: str) -> None:
    """Move finished JSON records of the registry RUNS into Parquet parts."""
    from predictor.records import pack, study_folders

    rows = []
    for folder in map(Path.resolve, study_folders(runs, studies or None)):
        part = pack(folder.parent, folder.name)
        rows.append({"study": folder.name, "part": part.name if part else None})
    _print(rows, form, {"studies": rows}, ["study", "part"])


@command.command(name="unpack")
@LOCAL_RUNS
@STUDIES
@FORMAT
def unpack_command(runs: Path, studies: tuple[str, ...], form: str) -> None:
    """Turn the Parquet parts of the registry RUNS into one JSON file per run again."""
    from predictor.records import study_folders, unpack

    rows = []
    for folder in map(Path.resolve, study_folders(runs, studies or None)):
        rows.append({"study": folder.name, "n_runs": len(unpack(folder.parent, folder.name))})
    _print(rows, form, {"studies": rows}, ["study", "n_runs"])


@command.command(name="merge")
@click.argument("registries", nargs=-1, required=True, metavar="RUNS RUNS...", type=Registry())
@click.option("--output", required=True, type=LocalRegistry(), help="The new registry.")
@FORMAT
def merge_command(registries: tuple[Path, ...], output: Path, form: str) -> None:
    """Every run of several registries, once, in a new one; where they contradict each other nothing is written."""
    from predictor.records.merge import merge

    rows = [vars(item) for item in merge(registries, output)]
    _print(rows, form, {"studies": rows}, ["study", "n_runs", "n_shared"])


def _show_shifts(every: Sequence[RunRecord], chosen: Sequence[RunRecord], runs: Path, form: str) -> None:
    """The shifts of the chosen runs; all runs of their target sets make the line that effective robustness is above."""
    from predictor.errors import RegistryError
    from predictor.records.shift_rows import shift_rows, with_averages

    keys = {(record.study, record.run_id) for record in chosen}
    rows = with_averages(row for row in shift_rows(every) if (row["study"], row["run_id"]) in keys)
    if not rows:
        remedy = "list studies with their outcomes, shifts among them: predictor runs list RUNS"
        raise RegistryError("none of these runs was tested under a shift", where=str(runs), remedy=remedy)
    content = {"schema_version": SCHEMA_VERSION, "shifts": rows}
    click.echo(json_text(content) if form == "json" else shifts_text(rows, form))


def _find(records: Sequence[RunRecord], begin: str, runs: Path) -> RunRecord:
    """The one record whose id begins so."""
    from predictor.errors import RegistryError, listed

    found = [record for record in records if record.run_id.startswith(begin)]
    if len(found) == 1:
        return found[0]
    if not found:
        remedy = "list all of them: predictor runs show RUNS"
        raise RegistryError(f"no run {begin!r}", where=str(runs), remedy=remedy)
    names = listed([f"{record.study}/{record.run_id}" for record in found])
    remedy = "write more of the id, or name one --study"
    raise RegistryError(f"{len(found)} runs begin with {begin!r}: {names}", where=str(runs), remedy=remedy)


def _print(
    rows: Sequence[Mapping[str, Any]], form: str, content: Mapping[str, Any], columns: Sequence[str] | None = None
) -> None:
    """Rows in the format asked for; `content` is the JSON object, `columns` those of an empty table."""
    text = (
        json_text({"schema_version": SCHEMA_VERSION, **content}) if form == "json" else runs_text(rows, form, columns)
    )
    click.echo(text)
