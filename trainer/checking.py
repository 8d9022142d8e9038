"""What would go wrong in a grid, found before any of it is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cache
from pathlib import Path

from predictor.errors import PredictorError, SpecError, listed
from predictor.grids import Grid, PlannedRun
from predictor.spec import RunSpec
from trainer import PROTOCOL
from trainer.planning import check_sources


def check_grid(grid: Grid, data_dir: Path) -> None:
    """Open every source and choose the images of every run, without decoding one.

    Raises SpecError naming, for the whole grid at once, each unknown model, class or split that a source lacks, class
    with too few images, and test class without any; DataError for missing source files.
    """
    faults = grid_faults(grid.runs, grid, data_dir)
    if faults:
        raise _refusal(faults, grid)


def check_open_runs(grid: Grid, data_dir: Path, finished: Set[str]) -> list[str]:
    """One line for each fault of the runs that are not finished, where other runs can be trained all the same.

    Raises SpecError as `check_grid` does where no open run could be trained; nothing was written then.
    """
    runs = [run for run in grid.runs if run.spec.run_id not in finished]
    faults = grid_faults(runs, grid, data_dir)
    if faults and {run_id for hit in faults.values() for run_id in hit} == {run.spec.run_id for run in runs}:
        raise _refusal(faults, grid)
    return [f"{fault} ({len(hit)} of {len(runs)} runs will fail)" for fault, hit in faults.items()]


def grid_faults(runs: Iterable[PlannedRun], grid: Grid, data_dir: Path) -> dict[str, list[str]]:
    """{fault: the runs that it hits}. Raises DataError for missing source files."""
    check_sources(grid, data_dir)
    faults: dict[str, list[str]] = {}
    known: dict[str, list[str]] = {}
    for run in runs:
        spec = run.spec
        key = f"{spec.protocol} {spec.model!r} {spec.target!r} {spec.stages!r} {spec.seeds.data}"  # what it rests on
        if key not in known:
            known[key] = list(dict.fromkeys(_run_faults(run, grid, data_dir)))
        for fault in known[key]:
            faults.setdefault(fault, []).append(run.spec.run_id)
    return faults


def _refusal(faults: Mapping[str, list[str]], grid: Grid) -> SpecError:
    texts = [f"{fault} ({_of(run_ids, len(grid.runs))})" for fault, run_ids in faults.items()]
    return SpecError(
        "\n  ".join([f"{len(faults)} faults:", *texts]) if len(texts) > 1 else texts[0],
        where=f"grid {grid.study}",
        remedy="mend the grid; nothing was trained",
    )


def _of(run_ids: list[str], n: int) -> str:
    return "all runs" if len(run_ids) == n else listed([f"run {run_id}" for run_id in run_ids])


def _run_faults(run: PlannedRun, grid: Grid, data_dir: Path) -> Iterator[str]:
    from trainer.data.sources import Source

    spec = run.spec
    if spec.protocol != PROTOCOL:
        yield f"asks for protocol {spec.protocol}; this trainer trains protocol {PROTOCOL}"
    if fault := _model_fault(spec.model.name):
        yield fault

    def source_of(name: str) -> Source:
        return _opened(name, grid.sources[name].file, spec.sources[name], data_dir)

    try:
        for name in spec.sources:
            source_of(name)
        yield from _data_faults(spec, source_of)
    except PredictorError as error:
        yield _text(error)


def _data_faults(spec: RunSpec, source_of: object) -> Iterator[str]:
    from trainer.data.selection import choose
    from trainer.run import rows_to_test

    for stage in range(len(spec.stages)):
        try:
            choose(spec, stage, source_of)  # type: ignore[arg-type]
        except PredictorError as error:
            yield _text(error)
    for test in (spec.target.test, *spec.target.shifts.values()):
        try:
            rows_to_test(spec, test, source_of(test.source))  # type: ignore[operator]
        except PredictorError as error:
            yield _text(error)


def _text(error: PredictorError) -> str:
    """The problem, and where it lies unless that is a run: many runs share a fault."""
    where = str(error.where or "")
    return error.problem if not where or where.startswith("run ") else f"{where}: {error.problem}"


@cache
def _model_fault(name: str) -> str:
    from trainer.networks import check_name

    try:
        check_name(name)
    except SpecError as error:
        return error.problem
    return ""


@cache
def _opened(name: str, file: str | None, digest: str, data_dir: Path):  # type: ignore[no-untyped-def]
    from trainer.data.sources import open_source

    return open_source(name, data_dir / file if file else None, digest)
