"""Made-up runs of a frozen network: a level of its own, and actions that push classes by a known amount."""

from __future__ import annotations

import json

import numpy as np
from synthetic import TARGET_SETS, _measure

from predictor.recipes import Action
from predictor.records.schema import Counted, RunRecord, StageCounts
from predictor.spec import RunSpec, planned_counts

PUSH = 0.6  # logits that a class gains per logit of push
LEVEL, SLOPE = -2.2, 0.9
ACTIONS = ({}, {}, {"class_weights": "inverse"}, {"logit_adjustment": 1.0, "logit_adjustment_at": "test"})
WEIGHTS = {"name": "lite0", "digest": "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"}


def frozen(
    n_configurations: int = 48, *, network: str = "tf_efficientnet_lite0", level: float = LEVEL, seed: int = 0,
    study: str = "frozen", n_seeds: int = 2, target_sets: dict[str, tuple[str, int, float]] = TARGET_SETS,
    recipe: dict[str, object] | None = None, train: str = "head", at_test: float = 0.0,
) -> list[RunRecord]:  # fmt: skip
    """Records over the synthetic target sets: logit p_c = level + slope log n_c + PUSH * push_c.

    at_test : logits that adjusting at test adds to every class besides, for each logit that its pushes are apart
    """
    generator = np.random.default_rng(seed)
    sets = list(target_sets.items())
    records = []
    for number in range(n_configurations):
        name, (domain, n_classes, own) = sets[number % len(sets)]
        size = int(np.exp(generator.uniform(np.log(6), np.log(60))))
        ratio = float(np.exp(generator.uniform(np.log(4), np.log(120))))
        profile = {"shape": "exponential", "ratio": ratio} if number % 3 else {"shape": "balanced"}
        action = ACTIONS[number // len(sets) % len(ACTIONS)] if number % 3 else {}
        for run in range(n_seeds):
            spec = RunSpec.model_validate(
                {
                    "protocol": 3,
                    "sources": {"photos": "sha256:00"},
                    "target": {"name": name, "classes": [f"{name}/{c:02d}" for c in range(n_classes)],
                               "test": {"source": "photos"}},
                    "stages": [{"data": {"source": "photos", "samples_per_class": size, "profile": profile},
                                "image_steps": size * n_classes}],
                    "model": {"name": network, "image_size": 96, "weights": WEIGHTS, "train": train},
                    "recipe": {"augmentation": "none", **({} if train == "head" else {"learning_rate": 0.01}),
                               **action, **(recipe or {})},
                    "seeds": {"data": 1000 * number + run, "training": run},
                }
            )  # fmt: skip
            distribution = planned_counts(spec)
            counts = distribution.target_counts
            pushes = Action.of(action).pushes(counts)
            push = pushes.sum(axis=0)
            eta = (
                level
                + 0.5 * (own + 3)
                + SLOPE * np.log(counts)
                + PUSH * push
                + at_test * pushes[-1].std()
                + generator.normal(0, 0.05)
            )
            records.append(
                RunRecord(
                    run_id=spec.run_id, configuration_id=spec.configuration_id, study=study, provenance="trained",
                    target_set=name, domain=domain, axes={}, spec=json.loads(spec.canonical()),
                    data=Counted(stages=(StageCounts.from_distribution(distribution, size * n_classes),)),
                    outcomes={"accuracy": _measure(generator, eta, list(distribution.target_names), 100)},
                )
            )  # fmt: skip
    return records
