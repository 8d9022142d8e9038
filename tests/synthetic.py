"""A registry of made-up runs from a known law, for tests alone: what was planted must be found again."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from predictor.records.schema import Counted, Outcome, Reported, RunRecord, StageCounts, content_id
from predictor.spec import RunSpec, planned_counts

LAW = {"log_count": 0.9, "log_mean_count": -0.4, "log1p_other_classes": -0.05, "log_image_steps": 0.3}
TARGET_SETS = {
    "cifar100/a": ("cifar", 10, -3.1),
    "cifar100/b": ("cifar", 10, -2.6),
    "cifar100/c": ("cifar", 10, -3.4),
    "characters/a": ("characters", 10, -2.2),
    "characters/b": ("characters", 10, -1.9),
}


@dataclass(frozen=True)
class World:
    """How the made-up runs come about.

    law : slopes in logits, see predictor.models.classwise
    target_sets : {name: (domain, number of classes, level)}
    """

    n_configurations: int = 60
    n_seeds: int = 3
    seed: int = 0
    law: tuple[tuple[str, float], ...] = tuple(LAW.items())
    target_sets: tuple[tuple[str, tuple[str, int, float]], ...] = tuple(TARGET_SETS.items())
    shift_drop: float = 1.0
    noise: float = 0.05
    tested: int = 100
    study: str = "synthetic"
    image_steps: tuple[int, ...] = (30_000, 60_000)


def registry(world: World | None = None, **changes: object) -> list[RunRecord]:
    """Records of a world: binomial counts for every class, three seeds a configuration, one shift.

    >>> records = registry(n_configurations=4)
    >>> len(records), records[0].provenance
    (12, 'trained')
    """
    world = replace(world or World(), **changes)
    generator = np.random.default_rng(world.seed)
    law, sets = dict(world.law), list(world.target_sets)
    records = []
    for number in range(world.n_configurations):
        name, (domain, n_classes, level) = sets[number % len(sets)]
        size = int(np.exp(generator.uniform(np.log(15), np.log(500))))
        profile = _profile(generator)
        others = int(generator.choice([0, 0, 10, 40]))
        steps = int(generator.choice(world.image_steps))
        extra = generator.normal(0, world.noise)
        for seed in range(world.n_seeds):
            spec = _spec(name, n_classes, size, profile, others, steps, seed, number)
            distribution = planned_counts(spec)
            targets, counts = list(distribution.target_names), distribution.target_counts
            eta = (
                level
                + law["log_count"] * np.log(counts)
                + law["log_mean_count"] * np.log(counts.mean())
                + law["log1p_other_classes"] * np.log1p(others)
                + law["log_image_steps"] * np.log(steps / 30_000)
                + extra
                + generator.normal(0, world.noise)
            )
            clean = _measure(generator, eta, targets, world.tested)
            shifted = _measure(generator, eta - world.shift_drop, targets, world.tested)
            records.append(
                RunRecord(
                    run_id=spec.run_id,
                    configuration_id=spec.configuration_id,
                    study=world.study,
                    provenance="trained",
                    target_set=name,
                    domain=domain,
                    axes={"samples_per_class": size, "profile": profile["shape"], "other_classes": others},
                    spec=json.loads(spec.canonical()),
                    data=Counted(stages=(StageCounts.from_distribution(distribution, steps),)),
                    outcomes={
                        "accuracy": clean,
                        "shift:noise": shifted,
                        "robustness": Outcome(value=shifted.value),
                    },
                )
            )
    return records


def reported(n: int = 12, study: str = "table") -> list[RunRecord]:
    """Published rows: indicators without class counts."""
    generator = np.random.default_rng(5)
    rows = []
    for number in range(n):
        size = float(generator.uniform(1e4, 1e6))
        indicators = {"n_samples": size, "n_classes": float(100 + number), "left_skew@5": float(generator.uniform())}
        value = 0.05 * float(np.log(size)) - 0.1
        name = content_id(study, {}, indicators, {"accuracy": value})
        rows.append(
            RunRecord(
                run_id=name,
                configuration_id=name,
                study=study,
                provenance="published",
                target_set="in100",
                domain="photographs",
                data=Reported(indicators=indicators, citation="A paper"),
                outcomes={"accuracy": Outcome(value=value)},
            )
        )
    return rows


def with_accuracy(record: RunRecord, value: float) -> RunRecord:
    """The record with another accuracy, in its value and in its counts."""
    old = record.outcomes["accuracy"]
    correct = tuple(round(value * n) for n in old.tested)
    return record.model_copy(
        update={
            "outcomes": {**record.outcomes, "accuracy": old.model_copy(update={"value": value, "correct": correct})}
        }
    )


def _profile(generator: np.random.Generator) -> dict[str, Any]:
    kind, ratio = str(generator.choice(["balanced", "exponential", "step"])), float(generator.uniform(2, 30))
    if kind == "balanced":
        return {"shape": kind}
    return {"shape": kind, "ratio": ratio} | ({"share": 0.5} if kind == "step" else {})


def _spec(
    name: str, n_classes: int, size: int, profile: dict[str, Any], others: int, steps: int, seed: int, number: int
) -> RunSpec:
    data: dict[str, Any] = {"source": "photos", "samples_per_class": size, "profile": profile}
    if others:
        data["others"] = [{"source": "photos", "n_classes": others, "samples_per_class": size}]
    return RunSpec.model_validate(
        {
            "protocol": 1,
            "sources": {"photos": "sha256:00", "noise": "sha256:11"},
            "target": {
                "name": name,
                "classes": [f"{name}/{c:02d}" for c in range(n_classes)],
                "test": {"source": "photos"},
                "shifts": {"noise": {"source": "noise"}},
            },
            "stages": [{"data": data, "image_steps": steps}],
            "model": {"name": "small-net"},
            # a configuration of its own, even where the rest happens to be that of another one
            "recipe": {"learning_rate": 0.05 + 1e-6 * number},
            "seeds": {"data": seed, "training": seed},
        }
    )


def _measure(generator: np.random.Generator, eta: np.ndarray, classes: list[str], tested: int) -> Outcome:
    correct = generator.binomial(tested, 1 / (1 + np.exp(-eta)))
    return Outcome(
        value=float(correct.mean() / tested),
        plain=float(correct.mean() / tested),
        classes=tuple(classes),
        tested=(tested,) * len(classes),
        correct=tuple(int(k) for k in correct),
        chance=1 / len(classes),
    )
