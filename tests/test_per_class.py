"""Accuracy of each class: agrees with the whole, finds planted classes, covers held-out classes, says what it lacks."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from click.testing import CliRunner
from synthetic import registry

from predictor.cli.predict_command import command as predict_command
from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.fitting import fit_registry
from predictor.fitting.classes import clustered_interval
from predictor.models.fit import Fit
from predictor.models.links import counted_logit, share_of
from predictor.prediction import predict
from predictor.prediction.classes import common_shift

NAMES = [f"cifar100/a/{c:02d}" for c in range(10)]
HARD, EASY = NAMES[3], NAMES[7]
PLANTED = 1.2  # logits


def planted():
    """The made-up registry, with one class of cifar100/a harder and one easier than their images say."""
    records = []
    for record in registry():
        accuracy = record.outcomes["accuracy"]
        if record.target_set == "cifar100/a":
            n = np.array(accuracy.tested)
            move = np.array([PLANTED * ((name == EASY) - (name == HARD)) for name in accuracy.classes])
            eta = counted_logit(np.array(accuracy.correct) / n, n) + move
            correct = np.rint(share_of(eta, n) * n).astype(int).tolist()
            value = float(np.mean(np.array(correct) / n))
            accuracy = accuracy.model_copy(update={"correct": tuple(correct), "value": value})
        records.append(record.model_copy(update={"outcomes": {**record.outcomes, "accuracy": accuracy}}))
    return records


@pytest.fixture(scope="module")
def fit():
    return fit_registry(planted(), family_names=["linear", "classwise"])


def manifest(counts):
    return LabelDistribution.from_counts(dict(zip(NAMES, counts, strict=True)), targets=NAMES)


EVEN = manifest([100] * 10)


@pytest.mark.parametrize("counts", [[100] * 10, [300, 20] * 5, [200] * 9 + [0]])
@pytest.mark.parametrize("asked", [{"target_set": "cifar100/a"}, {"domain": "cifar"}, {}])
def test_the_mean_of_the_classes_is_the_predicted_accuracy(fit, counts, asked):
    found = predict(fit, {"m": manifest(counts)}, all_classes=True, **asked).predictions[0]
    assert found.classes
    for own in found.classes:
        assert len(own.worst) == own.n_classes == 10
        mean = np.mean([one.value for one in own.worst])
        assert mean == pytest.approx(found.outcome(own.outcome).value, abs=1e-9)
        assert all(0 <= one.low <= one.value <= one.high <= 1 for one in own.worst)
        values = [one.value for one in own.worst]
        assert values == sorted(values)


def test_planted_classes_are_found_where_the_target_set_is_known(fit):
    own = predict(fit, {"even": EVEN}, target_set="cifar100/a").predictions[0].classes[0]
    assert own.worst[0].name == HARD and len(own.worst) == 3 and own.n_classes == 10
    known = fit.content["outcomes"]["accuracy"]["per_class"]["classes"]["cifar100/a | small-net 32 px"]
    assert PLANTED < known[EASY][0] - known[HARD][0] < 2.2 * PLANTED  # pulled towards the others, never past the truth
    new = predict(fit, {"even": EVEN}, domain="cifar", all_classes=True).predictions[0].classes[0]
    assert len({round(one.value, 9) for one in new.worst}) == 1  # nothing tells its classes apart
    assert new.worst[0].high - new.worst[0].low > own.worst[0].high - own.worst[0].low


def test_a_class_without_images_is_never_predicted(fit):
    own = predict(fit, {"m": manifest([200] * 9 + [0])}, target_set="cifar100/a").predictions[0].classes[0]
    worst = own.worst[0]
    assert (worst.name, worst.n_samples, worst.value, worst.high) == (NAMES[9], 0, 0.0, 0.0)
    assert worst.reason == "no image: a class that is never shown is never predicted"


def test_coverage_of_classes_is_measured_held_out(fit):
    own = fit.content["outcomes"]["accuracy"]["per_class"]["configuration"]
    assert 600 <= own["n_classes"] <= 1800 and own["n_configurations"] == 60
    for level, share in own["coverage"].items():
        assert own["coverage_low"][level] - 0.02 <= float(level) <= own["coverage_high"][level] + 0.02
        assert own["covered"][level] == [round(share * own["n_classes"]), own["n_classes"]]
    assert own["mae"] < 0.6 * own["mae_of_mean"]


def test_classes_of_new_runs_lie_inside_their_intervals(fit):
    inside = []
    for record in (one for seed in (7, 8, 9) for one in registry(seed=seed, n_configurations=40, n_seeds=1)):
        asked = {"target_set": record.target_set, "image_steps": record.data.stages[-1].image_steps}
        if record.target_set == "cifar100/a":  # has other classes here than in the fit
            continue
        own = predict(fit, {"m": record.distribution}, all_classes=True, **asked).predictions[0].classes[0]
        accuracy = record.outcomes["accuracy"]
        truth = dict(zip(accuracy.classes, np.array(accuracy.correct) / np.array(accuracy.tested), strict=True))
        inside += [one.low <= truth[one.name] <= one.high for one in own.worst]
    # nominal .9 of 960 classes in 96 configurations, whose classes share its error: a standard error of .012
    assert len(inside) == 960 and 0.84 <= np.mean(inside) <= 0.97


def test_a_fit_without_classes_says_so(fit):
    old = {key: value for key, value in fit.content["outcomes"]["accuracy"].items() if key != "per_class"}
    older = Fit({**fit.content, "outcomes": {**fit.content["outcomes"], "accuracy": old}})
    own = predict(older, {"even": EVEN}, target_set="cifar100/a").predictions[0].classes[0]
    assert own.worst == () and own.reason == "predictions of classes need a new fit: predictor fit RUNS --output FIT"
    alone = fit_registry(registry(n_configurations=20, n_seeds=1), ["accuracy"], ["linear"])
    own = predict(alone, {"even": EVEN}, target_set="cifar100/a").predictions[0].classes[0]
    assert "predicted by family classwise, which did not compete" in own.reason


def test_the_command_names_classes(fit, tmp_path):
    path, file = fit.save(tmp_path / "fit.json"), tmp_path / "m.csv"
    file.write_text("label,count\n" + "".join(f"{name},100\n" for name in NAMES))
    words = [str(file), "--fit", str(path), "--target-set", "cifar100/a"]
    text = CliRunner().invoke(predict_command, words).stdout
    assert f"{HARD}, 100 images" in text and "and 7 more: --classes" in text and "classes covered" in text
    table = CliRunner().invoke(predict_command, [*words, "--classes", "--format", "csv"]).stdout
    rows = [row for row in csv.DictReader(io.StringIO(table)) if row["kind"] == "class"]
    assert {row["outcome"] for row in rows} == {"accuracy", "robustness", "shift:noise"} and len(rows) == 30
    assert rows[0]["class"] == HARD and rows[0]["n_samples"] == "100"
    older = Fit({**fit.content, "outcomes": {"accuracy": {**fit.content["outcomes"]["accuracy"], "per_class": None}}})
    with pytest.raises(FitError, match="need a new fit"):
        CliRunner().invoke(
            predict_command,
            [str(file), "--fit", str(older.save(path)), "--classes", "--format", "csv"],
            catch_exceptions=False,
        )


def test_a_shift_cannot_reach_more_than_the_classes_with_images():
    eta, owner = np.zeros(4), np.array([0, 0, 1, 1])
    shift = common_shift(eta, owner, np.array([True, False, True, True]), np.array([0.9, 0.25]))
    assert shift[0] > 20 and shift[1] == pytest.approx(np.log(1 / 3))


def test_classes_that_miss_together_are_worth_less():
    inside = np.repeat([True, False], [90, 10])
    alone, together = clustered_interval(inside, np.arange(100)), clustered_interval(inside, np.arange(100) // 10)
    assert together[0] < alone[0] < 0.9 < alone[1] < together[1]
