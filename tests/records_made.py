"""Whole, consistent records of made-up runs, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from predictor.records import Counted, Environment, Outcome, RunRecord, Seconds, StageCounts, write_record
from predictor.spec import RunSpec, planned_counts

CLASSES = ("bee", "bus", "cat")


def made_spec(seed: int = 0, samples_per_class: int = 10, **data: Any) -> RunSpec:
    return RunSpec.model_validate(
        {
            "protocol": 1,
            "sources": {"photos": "sha256:00", "sketches": "sha256:11"},
            "target": {
                "name": "photos/a",
                "classes": CLASSES,
                "test": {"source": "photos"},
                "shifts": {"sketch": {"source": "sketches"}},
            },
            "stages": [
                {"data": {"source": "photos", "samples_per_class": samples_per_class, **data}, "image_steps": 600}
            ],
            "model": {"name": "predictor_small", "head": 16},
            "recipe": {"learning_rate": 0.1},
            "seeds": {"data": seed, "training": seed},
        }
    )


def made_record(seed: int = 0, *, study: str = "demo", right: int = 12, spec: RunSpec | None = None) -> RunRecord:
    """right : correct of 20 in the first class; it moves every outcome."""
    spec = spec or made_spec(seed)
    correct, under_shift = (right, 15, 10), (right // 2, 5)
    clean = sum(k / 20 for k in correct) / 3
    shifted = sum(k / 10 for k in under_shift) / 2
    return RunRecord(
        run_id=spec.run_id,
        configuration_id=spec.configuration_id,
        study=study,
        provenance="trained",
        target_set="photos/a",
        domain="photos",
        axes={"samples_per_class": spec.stages[-1].data.samples_per_class, "profile": "balanced"},
        spec=json.loads(spec.canonical()),
        data=Counted(stages=(StageCounts.from_distribution(planned_counts(spec), 600),)),
        outcomes={
            "accuracy": Outcome(
                value=clean, plain=sum(correct) / 60, classes=CLASSES, tested=(20,) * 3, correct=correct, chance=1 / 3
            ),
            "shift:sketch": Outcome(
                value=shifted,
                plain=sum(under_shift) / 20,
                classes=CLASSES[:2],
                tested=(10, 10),
                correct=under_shift,
                chance=1 / 3,
                clean_value=(correct[0] + correct[1]) / 40,
                intersection={"n_classes": 2, "value": 0.75, "correct": (8, 7)},
            ),
            "robustness": Outcome(value=shifted, chance=1 / 3),
        },
        seconds=Seconds(load=0.5, train=2.0),
        environment=Environment(device="cpu", device_name="a processor", threads=1, versions={"torch": "2.11"}),
        started_at="2026-01-01T00:00:00+00:00",
    )


def edited(record: RunRecord, **changes: Any) -> RunRecord:
    """The record with other fields; 'a.b.0' names a field inside (as JSON), written with '__' for '.'."""
    content = json.loads(record.to_json())
    for path, value in changes.items():
        *way, last = [int(step) if step.isdecimal() else step for step in path.split("__")]
        inner = content
        for step in way:
            inner = inner[step]
        inner[last] = value
    return RunRecord.model_validate(content)


def write_many(runs: Path, seeds: range) -> None:
    """Write a record for each seed; here, where a spawned process can import it."""
    for seed in seeds:
        write_record(runs, made_record(seed))


BARRIER_SECONDS = 120  # a process that never comes is an error, not a wait for ever


def pack_together(runs: Path, study: str, barrier: Any) -> None:
    """Pack a study as soon as all others are there too. It stands here, where a new process can import it."""
    from predictor.records import pack

    barrier.wait(BARRIER_SECONDS)
    pack(runs, study)
