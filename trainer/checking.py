"""What would go wrong in a grid, found before any of it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from predictor.errors import DataError, PredictorError, SpecError, listed
from predictor.grids import Grid, PlannedRun
from predictor.images.decoding import shorter_side
from predictor.images.listing import below, lists_files
from predictor.indicators.sources import SYNTHETIC
from predictor.spec import PROTOCOLS, Model, RunSpec

if TYPE_CHECKING:
    from trainer.data.repeats import Repeats
    from trainer.data.source import Source

SAMPLED = 50  # images of a source whose size is looked at


@dataclass(frozen=True)
class Fault:
    """What is wrong and how to mend it. in_grid : whether that is done in the grid, not in the files it names"""

    problem: str
    remedy: str = ""
    in_grid: bool = True

    def text(self, hit: str) -> str:
        """In words, with the runs that it hits."""
        return f"{self.problem} ({hit})" + (f". {self.remedy}" if self.remedy else "")


def check_grid(grid: Grid, data_dir: Path) -> None:
    """Open every source and choose the images of every run, without decoding one.

    Raises SpecError naming, for the whole grid at once, each unknown model, class or split that a source lacks, class
    with too few images, part of a test set that is trained on, and test class without any image; DataError for missing
    source files.
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
    return [
        f"{'. '.join(filter(None, (fault.problem, fault.remedy)))} ({len(hit)} of {len(runs)} runs will fail)"
        for fault, hit in faults.items()
    ]


def grid_faults(runs: Iterable[PlannedRun], grid: Grid, data_dir: Path) -> dict[Fault, list[str]]:
    """{fault: the runs that it hits}. Raises DataError for missing source files."""
    check_sources(grid, data_dir)
    faults: dict[Fault, list[str]] = {}
    known: dict[str, list[Fault]] = {}
    for run in runs:
        spec = run.spec
        key = f"{spec.protocol} {spec.model!r} {spec.target!r} {spec.stages!r} {spec.seeds.data}"  # what it rests on
        if key not in known:
            known[key] = list(dict.fromkeys(_run_faults(run, grid, data_dir)))
        for fault in known[key]:
            faults.setdefault(fault, []).append(run.spec.run_id)
    return faults


def source_notes(grid: Grid, data_dir: Path) -> list[str]:
    """What the readers of a grid's sources left out, or took how; of sources that can be opened."""
    places = [(name, source.file, source.digest, data_dir) for name, source in grid.sources.items()]
    sizes = {run.spec.model.image_size for run in grid.runs if run.spec.model.weights}
    notes = []
    for place in (place for place in places if not _source_fault(*place)):
        source = _opened(*place)
        small = smaller_than(source, max(sizes)) if sizes else None
        notes += [f"{place[0]}: {note}" for note in (*source.notes, *([small] if small else []))]
    return notes + _pretraining_notes(grid)


def _pretraining_notes(grid: Grid) -> list[str]:
    """Networks that see images at another size than in their pretraining, as timm states that."""
    from trainer.weights import data_config

    models = {(run.spec.model.name, run.spec.model.image_size) for run in grid.runs if run.spec.model.weights}
    seen = [(name, size, data_config(name)["input_size"][-1]) for name, size in sorted(models)]
    return [
        f"{name} was pretrained at {own} px; the grid trains it at {size} px" for name, size, own in seen if own != size
    ]


def smaller_than(source: Source, size: int) -> str | None:
    """A note where a source's images are smaller than a pretrained network's input; of a sample spread over them all.

    Such images are enlarged, which the network did not see in pretraining: its features are then worse than they could
    be.
    """
    rows = np.unique(np.linspace(0, len(source.labels) - 1, SAMPLED).astype(int)).tolist() if len(source.labels) else []
    sides = [side for row in rows if (side := shorter_side(source.read(row))) is not None]
    small = [side for side in sides if side < size]
    if not small:
        return None
    return (
        f"{len(small)} of {len(sides)} images looked at are smaller than the {size} px that the network sees (the "
        f"smallest {min(small)} px) and are enlarged"
    )


def grid_repeats(grid: Grid, data_dir: Path, *, near: bool = False) -> list[dict[str, Any]]:
    """Images that are there twice by their content, of a grid without faults.

    One row a set ('training', or a test set's outcome) and kind: set, kind ('repeated' in the set, 'leaked' where test
    images are training images too, 'near' where they look like one), runs of n_runs that it hits, most images of a run,
    of how many (None for training), and the first one's name.
    near : also look for near-duplicates, which decodes every image
    """
    from trainer.data.repeats import find_repeats, training_images
    from trainer.data.selection import choose
    from trainer.run import rows_to_test, tests_of

    known: dict[str, Repeats] = {}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for run in grid.runs:
        spec = run.spec

        def source_of(name: str, spec: RunSpec = spec) -> Source:
            return _opened(name, grid.sources[name].file, spec.sources[name], data_dir)

        key = f"{spec.target!r} {[stage.data for stage in spec.stages]!r} {spec.seeds.data}"
        if key not in known:
            stages = [choose(spec, number, source_of) for number in range(len(spec.stages))]
            tests = tests_of(spec).items()
            tested = {name: (test.source, rows_to_test(spec, test, source_of(test.source))[0]) for name, test in tests}
            known[key] = find_repeats(training_images(stages), tested, source_of, near=near)
        found = known[key]
        for kind, sets in (("leaked", found.leaked), ("near", found.near), ("repeated", found.repeated)):
            for name, images in sets.items():
                of = found.tested.get(name)
                row = rows.setdefault((kind, name), {"set": name, "kind": kind, "runs": 0, "n_runs": len(grid.runs)})
                row["runs"] += 1
                if len(images) > row.get("most", 0):
                    row |= {"most": len(images), "of": of, "first": images[0]}
    return [rows[key] for key in sorted(rows)]


def _refusal(faults: Mapping[Fault, list[str]], grid: Grid) -> SpecError:
    texts = [fault.text(_of(run_ids, len(grid.runs))) for fault, run_ids in faults.items()]
    below = [text.replace("\n", "\n  ") for text in texts]  # one that has lines of its own
    return SpecError(
        "\n  ".join([f"{len(faults)} faults:", *below]) if len(texts) > 1 else texts[0],
        where=f"grid {grid.study}",
        remedy=f"{'mend the grid; ' if any(fault.in_grid for fault in faults) else ''}nothing was trained",
    )


def _of(run_ids: list[str], n: int) -> str:
    return "all runs" if len(run_ids) == n else listed([f"run {run_id}" for run_id in run_ids])


def _run_faults(run: PlannedRun, grid: Grid, data_dir: Path) -> Iterator[Fault]:
    spec = run.spec
    if spec.protocol not in PROTOCOLS:
        from trainer.run import untrained

        yield _fault(untrained(spec))
    if fault := _network_fault(spec) or _weights_fault(spec.model, grid.weights, data_dir):
        yield fault
    places = {name: (name, grid.sources[name].file, spec.sources[name], data_dir) for name in spec.sources}
    faults = [fault for place in places.values() if (fault := _source_fault(*place))]
    yield from faults
    if faults:
        return

    def source_of(name: str) -> Source:
        return _opened(*places[name])

    yield from _data_faults(spec, source_of)


def _data_faults(spec: RunSpec, source_of: Callable[[str], Source]) -> Iterator[Fault]:
    from trainer.data.selection import choose
    from trainer.run import rows_to_test

    for stage in range(len(spec.stages)):
        try:
            choose(spec, stage, source_of)
        except PredictorError as error:
            yield _fault(error)
    for test in (spec.target.test, *spec.target.shifts.values()):
        try:
            rows_to_test(spec, test, source_of(test.source))
        except PredictorError as error:
            yield _fault(error)


def _fault(error: PredictorError, *, in_grid: bool = True) -> Fault:
    """The problem, where it lies unless that is a run (many runs share a fault), and how to mend it."""
    where = str(error.where or "")
    text = error.problem if not where or where.startswith("run ") else f"{where}: {error.problem}"
    return Fault(text, error.remedy or "", in_grid)


def _network_fault(spec: RunSpec) -> Fault | None:
    from trainer.networks.trial import try_network

    try:
        try_network(spec)
    except SpecError as error:
        return _fault(error)
    return None


@cache
def _weights_fault(model: Model, place: str | None, data_dir: Path) -> Fault | None:
    """What is wrong with pretrained weights: absent, other than stated, or of another network."""
    from trainer.networks import create, pretrained
    from trainer.weights import checked

    if model.weights is None:
        return None
    try:
        file = checked(model.weights, place, data_dir)
        pretrained.begin(create(model.name, head=model.head, image_size=model.image_size), model, file)
    except PredictorError as error:
        return _fault(error, in_grid=not isinstance(error, DataError))
    return None


@cache
def _source_fault(name: str, file: str | None, digest: str, data_dir: Path) -> Fault | None:
    """What is wrong with a source as a whole; found once, also where its content is long to read."""
    try:
        _opened(name, file, digest, data_dir)
    except PredictorError as error:
        return _fault(error, in_grid=False)
    return None


def _opened(name: str, file: str | None, digest: str, data_dir: Path) -> Source:
    from trainer.data.opening import open_source

    return open_source(name, below(data_dir, file) if file else None, digest)


def check_rendered(grid: Grid) -> None:
    """Raise DataError for an impossible digest of a source that is rendered, or one that names a file."""
    from trainer.fractals.parameters import read_digest

    for name, source in grid.sources.items():
        if not source.digest.startswith(SYNTHETIC):
            continue
        read_digest(source.digest, where=f"source {name!r}")
        if source.file is not None:
            raise DataError(
                f"names the file {source.file!r} beside a digest of rendered images",
                where=f"source {name!r}",
                remedy="leave out the file, or state the file's own digest, sha256:...",
            )


def no_files(grid: Grid) -> Path | None:
    """Any folder will do where all sources are built in or rendered; else None."""
    return Path() if all(source.file is None for source in grid.sources.values()) else None


def check_lists(grid: Grid, data_dir: Path) -> None:
    """Raise DataError for lists that name images outside of the list's own folder, which is allowed otherwise."""
    from predictor.images.readers import view
    from predictor.images.readers.rows import rows_of

    for source in grid.sources.values():
        path, label = below(data_dir, source.file) if source.file else None, None
        if path is not None and view.recognises(path):
            path, label = view.images_at(path)
        if path is None or not path.is_file() or not lists_files(path):
            continue
        outside = []
        for sample in rows_of(path, label).samples:
            try:
                below(path.parent, sample.image)
            except DataError:
                outside.append(f"row {sample.row + 1}: {sample.image}")
        if outside:
            raise DataError(
                f"names {len(outside)} images outside of its folder: {listed(outside)}",
                where=str(path),
                remedy="copy them below the list, or leave out --inside",
            )


def check_sources(grid: Grid, data_dir: Path) -> None:
    """Raise DataError naming every file of the grid that the image folder lacks, or one that leads out of it."""
    if not data_dir.is_dir():
        raise DataError("no such folder", where=str(data_dir), remedy="name the folder of the images with --data")
    missing = [
        f"{name} ({source.file})"
        for name, source in grid.sources.items()
        if source.file and not below(data_dir, source.file).exists()
    ]
    if missing:
        raise DataError(
            f"the grid's sources are not there: {listed(missing)}",
            where=str(data_dir),
            remedy="name the folder that holds them with --data",
        )
