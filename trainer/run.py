"""One run from spec to record: load, train stage by stage, evaluate, account."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from predictor.errors import DataError, SpecError, listed
from predictor.images.listing import below
from predictor.records.schema import (
    Counted,
    Energy,
    Environment,
    Intersection,
    Outcome,
    RunRecord,
    Seconds,
    StageCounts,
)
from predictor.spec import PROTOCOL, PROTOCOLS, RunSpec, TestSet, planned_counts
from predictor.weights import origin
from trainer.data.opening import open_source
from trainer.data.repeats import find_repeats, training_images
from trainer.data.report import data_report
from trainer.data.selection import choose, training_sets
from trainer.data.source import BadImages, Source
from trainer.data.streamed import placed
from trainer.device import Precision, choose_precision, device_name, peak_memory, prepare, reset_peak_memory
from trainer.energy import EnergyMeter
from trainer.evaluate import Tested, score, target_logits
from trainer.faults import UnrecordedError
from trainer.frozen import solved
from trainer.imbalance import offset_at_test
from trainer.loop import shown
from trainer.provenance import versions
from trainer.stages import Training
from trainer.weights import checked


def run_spec(
    spec: RunSpec,
    *,
    study: str,
    axes: Mapping[str, str | int | float],
    domain: str,
    held_out: bool,
    data_dir: Path,
    files: Mapping[str, str | None],
    weights: str | None = None,
    device: str = "cpu",
    threads: int = 1,
    side_by_side: int = 1,
    precision: Precision | None = None,
    compiled: bool | None = None,
    commit: str = "",
    bad_images: BadImages = "error",
    checkpoint_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> RunRecord:
    """Train and test one spec.

    files : source name -> file or folder below data_dir (None: built in)
    weights : where pretrained weights lie: a file below data_dir, 'timm:TAG', or None for known ones
    side_by_side : runs on the device at once, which share its energy
    precision : None takes what the device is fast at; compiled : None compiles on CUDA
    bad_images : whether an image that cannot be used ends the run or is left out and named in the record
    checkpoint_dir : where a half-done run keeps its state; a run that was stopped continues from there. Whoever keeps
        the record deletes it then
    progress : called now and then with (step, steps of the stage); what it raises ends the run after a checkpoint
    note : called with what the user should know though the run goes on
    A batch that does not fit the device's memory is split in halves until it does: the run starts again with those.
    Raises DataError for images that are missing, unreadable or too few; SpecError for an unknown model or another
    protocol; torch.OutOfMemoryError where not even single images fit.
    """
    if spec.protocol not in PROTOCOLS:
        raise untrained(spec)
    prepare(device)
    reset_peak_memory(device)
    torch.set_num_threads(threads)
    precision = precision or choose_precision(device)
    started = datetime.now(UTC)
    begun = clock = time.perf_counter()
    meter = EnergyMeter(device, side_by_side=side_by_side)

    how = {"upright": spec.model.exif == "apply", "reduced": spec.model.decode == "reduced"}
    most = max(planned_counts(spec, stage).n_samples for stage in range(len(spec.stages)))
    place = placed(most, spec.model.image_size, device, side_by_side=side_by_side)

    @cache
    def source_of(name: str) -> Source:
        file = files[name]
        source = open_source(name, below(data_dir, file) if file else None, spec.sources[name], **how)
        return source.view(bad_images=bad_images, threads=threads, keeps=place != "files")

    stages = [choose(spec, stage, source_of) for stage in range(len(spec.stages))]
    tests = tests_of(spec)
    test_rows = {name: rows_to_test(spec, test, source_of(test.source)) for name, test in tests.items()}
    rows_of = {name: (test.source, test_rows[name][0]) for name, test in tests.items()}
    repeats = find_repeats(training_images(stages), rows_of, source_of)
    file = checked(spec.model.weights, weights, data_dir) if spec.model.weights else None

    def told(step: int, steps: int) -> None:
        meter.look()
        if progress:
            progress(step, steps)

    if spec.model.frozen:
        assert file is not None  # the spec sees to it
        load_seconds = time.perf_counter() - clock
        trained, logits_of, distributions = solved(spec, source_of, rows_of, file, device)
        images_shown = [(data.n_samples, data.n_classes) for data in distributions]
    else:
        sets = training_sets(spec, source_of, place)
        distributions = [data.distribution for data in sets]
        images_shown = [
            shown(data, stage.image_steps, spec.recipe_of(number), spec.seeds.training, number, spec.protocol)
            for number, (data, stage) in enumerate(zip(sets, spec.stages, strict=True))
        ]
        for name, test in tests.items():  # a bad image shows before the training, not after it
            source_of(test.source).load(test_rows[name][0], spec.model.image_size)
        load_seconds = time.perf_counter() - clock
        training = Training(
            spec,
            sets,
            device=device,
            precision=precision,
            compiled=device == "cuda" if compiled is None else compiled,
            checkpoint=checkpoint_dir / f"{spec.run_id}.pt" if checkpoint_dir else None,
            progress=told,
            weights=file,
            note=note,
            place=place,
        )
        trained = training.run()

        def logits_of(name: str) -> Tensor:
            pixels = source_of(tests[name].source).pixels(test_rows[name][0], spec.model.image_size)
            found = target_logits(trained.model, pixels, len(spec.target.classes), device, precision)
            shares = training.sets[-1].labels
            counts = np.bincount(shares, minlength=found.shape[1])[: found.shape[1]]
            return found - torch.from_numpy(offset_at_test(spec.recipe_of(-1), counts)).float()

    clock = time.perf_counter()
    finite, tested = trained.finite, {}
    for name in tests if finite else ():
        logits = logits_of(name)
        finite = finite and bool(logits.isfinite().all())  # the last update may be the one that diverged
        tested[name] = score(logits, torch.from_numpy(test_rows[name][1]), spec.target.classes)
    try:
        outcomes = outcomes_of(tested, len(spec.target.classes)) if finite else {}
        seconds = Seconds(
            load=load_seconds,
            compile=trained.compile_seconds,
            train=trained.seconds,
            evaluate=time.perf_counter() - clock,
        )
        ended = started + timedelta(seconds=time.perf_counter() - begun)  # also where the clock was set meanwhile
        return RunRecord(
            run_id=spec.run_id,
            configuration_id=spec.configuration_id,
            study=study,
            provenance="trained",
            status="completed" if finite else "diverged",
            held_out=held_out,
            target_set=spec.target.name,
            domain=domain,
            axes=dict(axes),
            spec=spec.content(),
            data=Counted(
                stages=tuple(
                    StageCounts.from_distribution(distribution, stage.image_steps)
                    for distribution, stage in zip(distributions, spec.stages, strict=True)
                )
            ),
            outcomes=outcomes,
            seconds=seconds,
            images_per_second=sum(stage.image_steps for stage in spec.stages) / trained.seconds if finite else None,
            energy=Energy(reason="resumed: what earlier tries used is not known") if trained.resumed else meter.read(),
            peak_memory_bytes=peak_memory(device),
            environment=Environment(
                device=device,
                device_name=device_name(device),
                threads=threads,
                precision=precision,
                micro_batch=trained.micro_batch,
                versions=versions(),
                commit=commit,
            ),
            started_at=started.isoformat(timespec="seconds"),
            ended_at=ended.isoformat(timespec="milliseconds"),
            citation=origin(spec.model.weights.name, spec.model.weights.digest) if spec.model.weights else None,
            data_report=data_report(
                (source_of(name) for name in spec.sources), repeats, images_shown if finite else ()
            ),
        )
    except Exception as error:  # hours of training must not end with nothing
        found = {name: asdict(result) for name, result in tested.items()}
        result = {"run_id": spec.run_id, "spec": spec.content(), "tested": found, "seconds": trained.seconds}
        raise UnrecordedError(result, error) from error


def untrained(spec: RunSpec) -> SpecError:
    """What is said to a protocol that this trainer does not know."""
    return SpecError(
        f"asks for protocol {spec.protocol}; this trainer trains protocols {' and '.join(map(str, PROTOCOLS))}",
        where=f"run {spec.run_id}",
        remedy=f"state protocol: {PROTOCOL} in the grid: it gives new runs with new ids",
    )


def tests_of(spec: RunSpec) -> dict[str, TestSet]:
    """{outcome: the test set that gives it}: the clean one, and every shift."""
    return {"accuracy": spec.target.test, **{f"shift:{name}": test for name, test in spec.target.shifts.items()}}


def outcomes_of(tested: Mapping[str, Tested], n_targets: int) -> dict[str, Outcome]:
    """Accuracy, every shift, and robustness: the mean of the shifts' class-balanced accuracies."""
    clean = tested["accuracy"]
    by_class = {c: k / n for c, k, n in zip(clean.classes, clean.correct, clean.tested, strict=True)}
    outcomes = {}
    for name, result in tested.items():
        shift = name != "accuracy"
        partial = shift and len(result.classes) < n_targets
        matching = [by_class[c] for c in result.classes if c in by_class]
        outcomes[name] = Outcome(
            value=result.balanced,
            plain=result.plain,
            classes=tuple(result.classes),
            tested=tuple(result.tested),
            correct=tuple(result.correct),
            chance=1 / n_targets,
            clean_value=float(np.mean(matching)) if shift and matching else None,
            intersection=Intersection(
                n_classes=len(result.classes),
                value=result.balanced_intersection,
                correct=tuple(result.correct_intersection),
            )
            if partial
            else None,
        )
    shifts = [outcome.value for name, outcome in outcomes.items() if name != "accuracy"]
    if shifts:
        outcomes["robustness"] = Outcome(value=float(np.mean(shifts)), chance=1 / n_targets)
    return outcomes


def rows_to_test(spec: RunSpec, test: TestSet, source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Rows and labels (positions among the targets) of a test set, decoded. The clean one must cover every target."""
    size = spec.model.image_size
    rows = [source.usable(source.rows(name, test.split), size) for name in spec.target.classes]
    empty = [name for name, found in zip(spec.target.classes, rows, strict=True) if not len(found)]
    if empty and (test == spec.target.test or len(empty) == len(rows)):
        why = source.lacking(empty, [test.split])
        why += [f"no usable image of {name!r}" for name in empty if not source.lacks(name, test.split)]
        remedy = "drop the class from the target set or name another test set"
        if source.lacking([], [test.split]):
            remedy = "name the split of its test images in the grid: test_split in a target set, split in a shift"
        raise DataError(
            f"no image to test class {empty[0]!r}"
            + (f" and {len(empty) - 1} more: " if len(empty) > 1 else ": ")
            + listed(why),
            where=f"{test.source} ({test.split})",
            remedy=remedy,
        )
    return np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(found) for found in rows])
