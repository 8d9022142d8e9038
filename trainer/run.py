"""One run from spec to record: load, train stage by stage, evaluate, account."""

from __future__ import annotations

import platform
import resource
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from torch import nn

from predictor.errors import DataError
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
from predictor.spec import RunSpec, TestSet, seeded
from trainer import checkpoint
from trainer.data.selection import training_set
from trainer.data.sources import Source, open_source
from trainer.energy import EnergyMeter
from trainer.evaluate import Tested, score, target_logits
from trainer.loop import State, new_state, train
from trainer.networks import create

CHECKPOINT_SECONDS = 15.0
PROGRESS_SECONDS = 0.2


def run_spec(
    spec: RunSpec,
    *,
    study: str,
    axes: Mapping[str, str | int | float],
    domain: str,
    held_out: bool,
    data_dir: Path,
    files: Mapping[str, str | None],
    device: str = "cpu",
    threads: int = 1,
    commit: str = "",
    checkpoint_dir: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> RunRecord:
    """Train and test one spec.

    files : source name -> file or folder below data_dir (None: built in)
    checkpoint_dir : where a half-done run keeps its state; a run that was stopped continues from there
    progress : called now and then with (step, steps); what it raises ends the run after a checkpoint was saved
    Raises DataError for images that are missing, unreadable or too few; SpecError for an unknown model.
    """
    torch.set_num_threads(threads)
    started = datetime.now(UTC)
    clock = time.perf_counter()
    meter = EnergyMeter(device)

    def source_of(name: str) -> Source:
        file = files[name]
        return open_source(name, data_dir / file if file else None, spec.sources[name])

    sets = [training_set(spec, stage, source_of) for stage in range(len(spec.stages))]
    tests = {"accuracy": spec.target.test, **{f"shift:{name}": s for name, s in spec.target.shifts.items()}}
    test_rows = {name: _test_rows(spec, test, source_of(test.source)) for name, test in tests.items()}
    load_seconds = time.perf_counter() - clock

    model = initialised(spec, device)
    file = checkpoint_dir / f"{spec.run_id}.pt" if checkpoint_dir else None
    state = new_state(model, spec.recipe)
    done = checkpoint.load(file, state, device) if file else None
    first, trained_before = done or (0, 0.0)
    train_clock = saved = told = time.perf_counter()
    finite = True
    for number in range(first, len(spec.stages)):
        if number > first or not done:
            state = new_state(model, spec.recipe)

        def between_steps(state: State, steps: int, number: int = number) -> None:
            nonlocal saved, told
            now = time.perf_counter()
            if file and now - saved > CHECKPOINT_SECONDS:
                checkpoint.save(file, state, number, trained_before + now - train_clock)
                saved = now
            if progress and now - told > PROGRESS_SECONDS:
                told = now
                try:
                    progress(state.step, steps)
                except BaseException:
                    if file:
                        checkpoint.save(file, state, number, trained_before + now - train_clock)
                    raise

        finite = train(
            state,
            sets[number],
            image_steps=spec.stages[number].image_steps,
            recipe=spec.recipe,
            training_seed=spec.seeds.training,
            stage=number,
            device=device,
            between_steps=between_steps,
        )
        if not finite:
            break
    if device == "cuda":
        torch.cuda.synchronize()
    train_seconds = trained_before + time.perf_counter() - train_clock

    clock = time.perf_counter()
    outcomes: dict[str, Outcome] = {}
    if finite:
        tested = {}
        for name, test in tests.items():
            rows, labels = test_rows[name]
            pixels = source_of(test.source).pixels(rows, spec.model.image_size)
            logits = target_logits(model, pixels, len(spec.target.classes), device)
            tested[name] = score(logits, torch.from_numpy(labels), spec.target.classes)
        outcomes = outcomes_of(tested, len(spec.target.classes))
    record = RunRecord(
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
                StageCounts.from_distribution(data.distribution, stage.image_steps)
                for data, stage in zip(sets, spec.stages, strict=True)
            )
        ),
        outcomes=outcomes,
        seconds=Seconds(load=load_seconds, train=train_seconds, evaluate=time.perf_counter() - clock),
        images_per_second=sum(stage.image_steps for stage in spec.stages) / train_seconds if finite else None,
        energy=Energy(**meter.read()),
        peak_memory_bytes=_peak_memory(device),
        environment=Environment(
            device=device, device_name=device_name(device), threads=threads, versions=versions(), commit=commit
        ),
        started_at=started.isoformat(timespec="seconds"),
    )
    if file:
        file.unlink(missing_ok=True)
    return record


def initialised(spec: RunSpec, device: str) -> nn.Module:
    """The network with weights that depend on the training seed alone, made on the CPU whatever the device is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seeded("weights", spec.seeds.training).integers(2**63)))
        model = create(spec.model.name, head=spec.model.head, image_size=spec.model.image_size)
    return model.to(device).to(memory_format=torch.channels_last)


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


def _test_rows(spec: RunSpec, test: TestSet, source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Rows and labels (positions among the targets) of a test set. The clean one must cover every target."""
    rows = [source.rows(name, test.split) for name in spec.target.classes]
    empty = [name for name, found in zip(spec.target.classes, rows, strict=True) if not len(found)]
    if empty and (test == spec.target.test or len(empty) == len(rows)):
        raise DataError(
            f"no image to test class {empty[0]!r}" + (f" and {len(empty) - 1} more" if len(empty) > 1 else ""),
            where=f"{test.source} ({test.split})",
            remedy="drop the class from the target set or name another test set",
        )
    return np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(found) for found in rows])


def device_name(device: str) -> str:
    """The name the hardware gives itself."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    found = {"python": platform.python_version()}
    for name in ("torch", "timm", "numpy", "pillow", "predictor"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def _peak_memory(device: str) -> int:
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # of the process, kilobytes on Linux
