"""Records of planned runs under a planted law, for tests of claims."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from predictor.claims.configurations import other_kind
from predictor.grids import PlannedRun, plan_grid
from predictor.records import Counted, Environment, Outcome, RunRecord, StageCounts
from predictor.spec import RunSpec, planned_counts, seeded, target_counts

Law = Callable[[RunSpec], float]
N_CLASSES = 10


def start(target_sets: int = 6, **more: Any) -> list[PlannedRun]:
    """A small registry's runs: two sizes, and other classes of two natural sources, on disjoint target sets."""
    names = [f"set-{number}" for number in range(target_sets)]
    return plan_grid(
        {
            "study": "start",
            "protocol": 2,
            "sources": {
                "photos": {"file": "p.parquet", "digest": "sha256:" + "0" * 64},
                "sketches": {"file": "s.parquet", "digest": "sha256:" + "1" * 64},
                "paintings": {"file": "q.parquet", "digest": "sha256:" + "2" * 64},
            },
            "target_sets": {
                name: {
                    "domain": "photos",
                    "source": "photos",
                    "classes": [f"{name}/{number}" for number in range(N_CLASSES)],
                    "shifts": {"sketch": "sketches"},
                }
                for name in names
            },
            "model": {"name": "predictor_small", "head": 512},
            "recipe": {"learning_rate": 0.1, "image_steps": 6000},
            "seeds": [0, 1, 2],
            "grid": [
                {"target_set": names, "samples_per_class": [20, 80]},
                {
                    "target_set": names,
                    "samples_per_class": 20,
                    "others": [
                        {"source": "photos", "n_classes": 10, "samples_per_class": 20},
                        {"source": "paintings", "n_classes": 10, "samples_per_class": 20},
                    ],
                },
            ],
            **more,
        }
    ).runs


def trained(runs: Iterable[PlannedRun], law: Law, noise: float = 0.003, study: str = "made") -> list[RunRecord]:
    """What training would have written if accuracy followed the law, with noise by seed and a level by target set."""
    records = []
    for run in runs:
        spec = run.spec
        level = float(seeded("level", spec.target.name).normal(0, 0.05))
        accuracy, robustness = level + law(spec) + seeded("noise", spec.run_id).normal(0, noise, 2)
        outcomes = {"accuracy": Outcome(value=float(np.clip(accuracy, 0, 1)))}
        shifted = Outcome(value=float(np.clip(0.7 * robustness, 0, 1)))
        outcomes |= {f"shift:{name}": shifted for name in spec.target.shifts}
        counts = [
            StageCounts.from_distribution(planned_counts(spec, number), stage.image_steps)
            for number, stage in enumerate(spec.stages)
        ]
        records.append(
            RunRecord(
                run_id=spec.run_id,
                configuration_id=spec.configuration_id,
                study=study,
                provenance="trained",
                target_set=run.target_set,
                domain=run.domain,
                axes=run.axes,
                spec=json.loads(spec.canonical()),
                data=Counted(stages=tuple(counts)),
                outcomes=outcomes,
                environment=Environment(device="cpu", device_name="a processor", threads=1, versions={"torch": "2.11"}),
            )
        )
    return records


def as_the_paper(spec: RunSpec) -> float:
    """A law by which size, the smallest class, and other classes matter, and nothing else about imbalance."""
    last = spec.stages[-1].data if spec.stages[-1].data.samples_per_class else spec.stages[0].data
    counts = np.sort(list((target_counts(spec) or target_counts(spec, 0)).values()))
    value = 0.1 + 0.04 * np.log2(counts.mean()) + 0.05 * np.log2(max(counts[0], 1))
    value += 0.02 * np.log2(sum(stage.image_steps for stage in spec.stages) / 6000)
    gains = {"same": 0.05, "other": 0.05, "synthetic": 0.025}
    many = max(sum(other.n_classes for other in stage.data.others) for stage in spec.stages) >= 10 * N_CLASSES
    if many:
        return value + (0.03 if len(spec.stages) > 1 else -0.05)
    added = sum(other.n_classes * other.samples_per_class for other in last.others)
    if added:
        value += gains[other_kind(last.others[0], spec)] * np.log2(1 + added / counts.sum())
    return float(value)
