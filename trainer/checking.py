"""What would go wrong in a grid, found before any of it is trained."""

from __future__ import annotations

from collections.abc import Iterator
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
    check_sources(grid, data_dir)
    faults: dict[str, list[str]] = {}
    known: dict[str, list[str]] = {}
    for run in grid.runs:
        spec = run.spec
        key = f"{spec.protocol} {spec.model!r} {spec.target!r} {spec.stages!r} {spec.seeds.data}"  # what it rests on
        if key not in known:
            known[key] = list(dict.fromkeys(_run_faults(run, grid, data_dir)))
        for fault in known[key]:
            faults.setdefault(fault, []).append(run.spec.run_id)
    if not faults:
        return
    texts = [f"{fault} ({_of(run_ids, len(grid.runs))})" for fault, run_ids in faults.items()]
    raise SpecError(
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
