"""What pilots are read as: seeds that tell more together, their own image-steps, classes that their tests cover."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import registry

from predictor.distribution import LabelDistribution
from predictor.fitting import fit_registry
from predictor.models.fit import Fit
from predictor.models.links import logit
from predictor.planning.pilots.predict import pilot_predictor
from predictor.planning.pilots.read import read_pilots
from predictor.records import RunRecord

SETS = tuple((f"cifar/{i}", ("cifar", 6, level)) for i, level in enumerate((-3.6, -3.1, -2.7, -2.2)))
MINE = (("cifar/mine", ("cifar", 6, -0.9)),)
NAMES = tuple(f"cifar/mine/{c:02d}" for c in range(6))
SHIFT = "shift:noise"


@pytest.fixture(scope="module")
def fit() -> Fit:
    runs = registry(n_configurations=24, n_seeds=1, target_sets=SETS)
    return fit_registry(runs, ["accuracy", SHIFT], ["classwise"])


def pilots_at(*steps: int) -> list[RunRecord]:
    return registry(n_configurations=3, n_seeds=1, target_sets=MINE, seed=5, study="pilots", image_steps=steps)


@pytest.mark.parametrize(("n_seeds", "silent"), [(1, True), (4, False)])
def test_seeds_of_a_pilot_near_chance_tell_more_together(n_seeds: int, silent: bool) -> None:
    """Two standard errors of one run above chance are four of the mean of four runs."""
    value = 0.1 + 2 * np.sqrt(0.1 * 0.9 / 1000)  # ten classes of 100 test images
    records = []
    for record in registry(n_configurations=1, n_seeds=n_seeds):
        accuracy = record.outcomes["accuracy"].model_copy(update={"value": float(value)})
        records.append(record.model_copy(update={"outcomes": {**record.outcomes, "accuracy": accuracy}}))
    pilots = read_pilots(records)
    assert bool(pilots.at_chance) == silent and len(pilots.records) == (0 if silent else n_seeds)


def test_a_pilot_is_predicted_with_the_image_steps_that_it_had(fit) -> None:
    """Whatever is asked about: else what pilots miss would be that of another training."""
    one, other = (
        pilot_predictor(fit, pilots_at(30_000), image_steps=asked).found["accuracy"].x for asked in (30_000, 60_000)
    )
    assert one == pytest.approx(other)


def test_one_pilot_tells_less_of_a_domain_that_no_run_had(fit) -> None:
    """Its level may be as far off again as domains differ beyond target sets, and no left-out domain says how far."""
    manifest = LabelDistribution.from_counts(dict(zip(NAMES, (240, 200, 120, 90, 60, 40), strict=True)))
    first = pilots_at(30_000)[:1]
    elsewhere = [record.model_copy(update={"domain": "maps"}) for record in first]
    known, new = (pilot_predictor(fit, records) for records in (first, elsewhere))
    assert (known.request.basis, new.request.basis) == ("new_target_set", "new_domain")
    widths = [
        float(np.diff(logit(np.array([own.low, own.high])))[0])
        for own in (item.predict({"m": manifest}).predictions[0].outcome("accuracy") for item in (known, new))
    ]
    assert widths[1] > 1.05 * widths[0]


def test_classes_that_the_pilots_tests_do_not_cover_are_not_predicted(fit) -> None:
    records = []
    for record in pilots_at(30_000):
        own = record.outcomes[SHIFT]
        part = {name: getattr(own, name)[:4] for name in ("classes", "tested", "correct")}
        value = float(np.mean(np.array(part["correct"]) / np.array(part["tested"])))
        shifted = own.model_copy(update={**part, "value": value})
        records.append(record.model_copy(update={"outcomes": {**record.outcomes, SHIFT: shifted}}))
    manifest = LabelDistribution.from_counts(dict(zip(NAMES, (240, 200, 120, 90, 60, 40), strict=True)))
    (found,) = pilot_predictor(fit, records).predict({"m": manifest}, all_classes=True).predictions
    told = {own.outcome: sorted(one.name for one in own.worst) for own in found.classes}
    assert told == {"accuracy": sorted(NAMES), SHIFT: sorted(NAMES[:4])}
