"""Advice: the allocation against the known optimum of planted laws, the plans, the size for a wanted accuracy."""

from __future__ import annotations

import copy
import csv
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from example_made import counted
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from synthetic import LAW, registry

from predictor.cli.advise_command import command
from predictor.distribution import LabelDistribution
from predictor.errors import FitError, PredictorError
from predictor.fitting import fit_registry, rows_for, select
from predictor.manifest import read_manifest
from predictor.models import families
from predictor.models.fit import Fit, shipped_fit
from predictor.planning import advise
from predictor.planning.advice.advise import WORTH, _advised, _difference
from predictor.planning.advice.allocation import best, largest_cut, proportional, smallest_first, uniform
from predictor.planning.advice.curve import Curve
from predictor.planning.advice.reach import room
from predictor.planning.objective import Objective, Targets
from predictor.prediction import predict
from predictor.prediction.request import resolve

LEVEL, STEPS = -3.1, 30_000  # of the made-up target set cifar100/a
COUNTS = (150, 120, 100, 80, 60, 40, 25, 15, 10, 10)
NAMES = tuple(f"cifar100/a/{c:02d}" for c in range(10))


def power_law(b=0.9, g=-0.4, level=-1.0, weights=1.0):
    """Accuracies of a class-wise power law: what is planted."""

    def values(many):
        out = []
        for counts in many:
            eta = level + b * np.log(np.maximum(counts, 1e-9)) + g * np.log(np.mean(counts))
            out.append(np.mean(np.where(np.array(counts) > 0, 1 / (1 + np.exp(-eta * weights)), 0)))
        return np.array(out)

    return values


def all_ways(counts, n, least=None):
    """Every allocation of up to n images, cuts down to `least` included where it is given."""
    lowest = [c if least is None else min(c, least) for c in counts]
    for item in itertools.product(*[range(low, c + n + 1) for low, c in zip(lowest, counts, strict=True)]):
        if sum(max(a - c, 0) for a, c in zip(item, counts, strict=True)) <= n:
            yield np.array(item)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(0, 200))
def test_smallest_first_is_one_image_at_a_time(counts, n):
    naive = np.array(counts)
    for _ in range(n):
        naive[int(np.argmin(naive))] += 1
    found = smallest_first(np.array(counts), n)
    assert sorted(found) == sorted(naive) and (found >= counts).all()
    assert proportional(np.array(counts) + 1, n).sum() == uniform(np.array(counts) + 1, n).sum() == sum(counts) + len(
        counts
    ) + n  # fmt: skip
    assert largest_cut(np.array(counts) + 300, n).sum() == sum(counts) + 300 * len(counts) - n


@settings(max_examples=25)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=3), st.integers(1, 9), st.floats(0.3, 1.0), st.floats(-0.5, 0))
def test_the_optimum_of_a_law_is_found(counts, n, b, g):
    assume(b + g > 0.05)  # more images everywhere help
    values = power_law(b, g)
    found = best(values, np.array(counts), n)
    exact = values(list(all_ways(counts, n))).max()
    assert values([found])[0] == pytest.approx(exact, abs=2e-3)  # where most classes are wrong it is not concave


@pytest.mark.parametrize(("counts", "n"), [((30, 2, 2), 4), ((12, 12, 1), 6), ((40, 3), 0)])
def test_the_optimum_with_cuts_is_found(counts, n):
    values = power_law(b=0.9, g=-0.85, level=-0.5)
    found = best(values, np.array(counts), n, cuts=True, least=2)
    exact = values(list(all_ways(counts, n, least=2))).max()
    assert values([found])[0] == pytest.approx(exact, abs=2e-3)
    assert (found >= np.minimum(counts, 2)).all() and np.maximum(found - counts, 0).sum() <= n
    if counts[0] >= 30:
        assert values([found])[0] > values(list(all_ways(counts, n))).max() + 1e-3, "here a cut pays"


def test_a_law_with_a_threshold_gives_up_hopeless_classes():
    values = power_law(b=4.0, g=0.0, level=-4 * np.log(60))  # half right at 60 images, hardly any below 20
    counts = np.array([30, 30, 1, 1])
    found = best(values, counts, 60)
    assert values([found])[0] > values([smallest_first(counts, 60)])[0] + 0.15
    assert found[2:].max() <= 5


@pytest.fixture(scope="module")
def fit():
    return fit_registry(registry(n_configurations=30, n_seeds=1), ["accuracy"], ["classwise"])


@pytest.fixture(scope="module")
def manifest():
    return LabelDistribution.from_counts(dict(zip(NAMES, COUNTS, strict=True)))


def truth(counts, others=0):
    """Accuracy of the made-up world behind `fit`."""
    counts = np.array(counts, dtype=float)
    eta = LEVEL + LAW["log_count"] * np.log(counts) + LAW["log_mean_count"] * np.log(counts.mean())
    return float(np.mean(1 / (1 + np.exp(-eta - LAW["log1p_other_classes"] * np.log1p(others)))))


def after(plan):
    return [change.total for change in sorted(plan.changes, key=lambda change: change.label)]


def asked(fit, manifest, budget=1000, **changes):
    return advise(fit, manifest, budget, **{"target_set": "cifar100/a", "image_steps": STEPS} | changes)


def test_advice_from_a_fit_is_the_best_in_the_world_behind_it(fit, manifest):
    advice = asked(fit, manifest)
    targets = advice.plan("targets")
    optimum = max(
        truth(rule(np.array(COUNTS), 1000)) for rule in (smallest_first, uniform, proportional)
    )  # b < 1: filling the smallest is the optimum of this law
    assert truth(after(targets)) > optimum - 0.002
    assert truth(after(targets)) > truth(after(advice.plan("proportional"))) + 0.04
    assert np.abs(np.sort(after(targets)) - np.sort(smallest_first(np.array(COUNTS), 1000))).max() <= 10
    gain = truth(after(targets)) - truth(COUNTS)
    assert targets.gain == pytest.approx(gain, abs=0.03) and targets.gain_low <= gain <= targets.gain_high


def test_plans_keep_to_the_budget_and_add_up(fit, manifest):
    advice = asked(fit, manifest)
    assert {plan.name for plan in advice.plans} >= {
        "now", "targets", "proportional", "uniform", "smallest first", "other classes", "both"
    }  # fmt: skip
    for plan in advice.plans:
        assert plan.collected <= 1000 and plan.n_samples == sum(COUNTS) + plan.collected - plan.cut
        assert plan.low <= plan.value <= plan.high and plan.cost == plan.collected
        assert sum(change.collect for change in plan.changes) == plan.collected - plan.cut
        assert all(change.now + change.collect == change.total >= 0 for change in plan.changes)
    values = [plan.value for plan in advice.plans]
    assert values == sorted(values, reverse=True)
    assert advice.plan("advised").value >= max(
        advice.plan(name).value for name in ("proportional", "uniform", "smallest first")
    )
    assert [item.plan for item in advice.against] and all(item.low <= item.gain <= item.high for item in advice.against)


@pytest.mark.parametrize(("slope", "expected"), [(0.5, True), (-0.3, False)])
def test_other_classes_are_advised_only_where_they_help(fit, slope, expected):
    law = tuple({**LAW, "log1p_other_classes": slope, "log_count": 0.4, "log_mean_count": 0.0}.items())
    records = registry(n_configurations=60, n_seeds=1, law=law, tested=1000)
    learned = families()["classwise"].fit(rows_for(select(records), "accuracy"))
    content = copy.deepcopy(dict(fit.content))  # the same fit, had the world been another one
    own = content["outcomes"]["accuracy"]
    own["families"]["classwise"] = learned
    fit = Fit(content)
    even = LabelDistribution.from_counts(dict.fromkeys(NAMES, 60))
    advice = asked(fit, even, budget=600)
    assert advice.plan("other classes").other_classes == 10
    assert (advice.plan("advised").other_classes > 0) is expected
    assert (advice.plan("other classes").gain > 0) is expected


@pytest.mark.parametrize(("more", "expected"), [(0.9, "targets"), (1.1, "other classes")])
def test_other_classes_must_bring_what_makes_them_worth_it(fit, manifest, more, expected):
    found = asked(fit, manifest)
    value = found.plan("targets").value + more * WORTH
    rows = [replace(p, value=value) if p.name == "other classes" else p for p in found.plans if p.name != "both"]
    assert _advised(rows, None, "accuracy", outside=False).name == expected


def test_what_lies_outside_of_the_fit_is_said(fit, manifest):
    advice = asked(fit, manifest, budget=10**6)
    assert {"n_samples", "n_target_samples"} <= {item["indicator"] for item in advice.plan("targets").outside}
    assert not advice.plan("now").outside


def test_reach_is_the_smallest_size_that_gets_there(fit, manifest):
    wanted = asked(fit, manifest, budget=0).plan("now").value + 0.06
    found = asked(fit, manifest, budget=None, wanted=wanted).reach
    assert found.low < found.images < found.most and (found.high is None or found.high > found.images)

    def predicted(n):
        plan = asked(fit, manifest, budget=n).plan("targets")
        return plan.value

    assert predicted(found.images) >= wanted - 1e-3 > predicted(int(0.9 * found.images))


def test_reach_says_what_is_reached_and_what_is_beyond_the_fit(fit, manifest):
    now = asked(fit, manifest, wanted=0.01).reach
    assert now.images == now.low == 0
    beyond = asked(fit, manifest, wanted=0.999).reach
    assert beyond.images is None and beyond.reason == "not reached inside of what the fit saw"
    assert 0 < beyond.value < 0.999 and beyond.most > 0
    outside = asked(fit, manifest.scaled(100), wanted=0.9).reach
    assert outside.images is None and "outside the range" in outside.reason


def test_what_may_be_spent_up_to_the_end_of_the_fit_is_that_of_the_dearest_class(fit, manifest):
    objective = Objective(fit, "accuracy", resolve(fit, "cifar100/a", "new", None, None, STEPS))
    plain, priced = (Curve(objective, Targets(manifest), None, prices) for prices in (None, np.array([1.0, 20.0] * 5)))
    assert room(priced) == 20 * room(plain) > 0


def test_a_gain_turned_round_is_the_same_gain():
    manifests = {"few": counted(*[20] * 10), "many": counted(*[60] * 10)}
    found = predict(shipped_fit(), manifests, target_set="cifar100/a")
    low, high, p = _difference(found, "accuracy", "many", "few", 0.5)
    assert low < high and p > 0.5
    assert _difference(found, "accuracy", "few", "many", 0.5) == pytest.approx((-high, -low, 1 - p))


def test_a_class_without_images_gets_some(fit):
    counts = {**dict(zip(NAMES, COUNTS, strict=True))}
    del counts[NAMES[-1]]
    manifest = LabelDistribution.from_counts(counts, targets=NAMES)
    plan = asked(fit, manifest, budget=200).plan("targets")
    assert next(change for change in plan.changes if change.label == NAMES[-1]).collect > 10


def test_images_of_several_sources_keep_them():
    held = LabelDistribution.from_counts(
        [("a", "x", 5), ("a", "y", 9), ("b", "x", 2), ("o", "z", 4)], targets=["a", "b"]
    )
    changed = Targets(held).with_counts(np.array([4, 6]))
    assert changed.rows() == [("a", "x", 4), ("b", "x", 6), ("o", "z", 4)]
    assert Targets(held).with_counts(np.array([20, 2])).rows()[:2] == [("a", "x", 5), ("a", "y", 15)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": None}, "neither a budget nor an accuracy to reach"),
        ({"budget": -1}, "budget -1; needed: a whole number from 0"),
        ({"wanted": 80.0}, "accuracy to reach 80.0; needed: a number between 0 and 1"),
        ({"outcome": "shift:fog"}, "the fit has no outcome 'shift:fog'; it has accuracy"),
        ({"target_set": "cifar100/z"}, "the fit knows no target set 'cifar100/z'"),
    ],
)
def test_wrong_input_says_what_is_needed(fit, manifest, changes, message):
    with pytest.raises(FitError, match=message):
        asked(fit, manifest, **changes)


def test_images_with_several_labels_are_refused(fit):
    manifest = LabelDistribution.from_counts(dict(zip(NAMES, COUNTS, strict=True)), n_samples=500)
    with pytest.raises(PredictorError, match="images carry several labels"):
        asked(fit, manifest)


@pytest.fixture
def files(fit, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("label,count\n" + "".join(f"{n},{c}\n" for n, c in zip(NAMES, COUNTS, strict=True)))
    return path, fit.save(tmp_path / "fit.json"), tmp_path / "collect.csv"


def invoke(*arguments):
    result = CliRunner().invoke(command, [str(item) for item in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_command_prints_plans_and_writes_the_counts(files):
    path, fit_path, output = files
    words = (path, "--budget", 1000, "--reach", 0.9, "--target-set", "cifar100/a", "--fit", fit_path)
    text = invoke(*words, "--output", output).stdout
    for word in ("BUDGET 1,000 images", "targets *", "proportional", "smallest first", "collect ", "against ",
                 "reach 0.9", "range         inside", "(classwise)"):  # fmt: skip
        assert word in text, word
    rows = list(csv.DictReader(output.read_text().splitlines()))
    assert sum(int(row["collect"]) for row in rows) == 1000 and {row["label"] for row in rows} == set(NAMES)
    assert all(int(row["now"]) + int(row["collect"]) == int(row["count"]) for row in rows)
    content = json.loads(invoke(*words, "--format", "json").stdout)
    assert content["schema_version"] == 1 and content["reach"]["wanted"] == 0.9
    table = list(csv.DictReader(invoke(*words, "--format", "csv").stdout.splitlines()))
    assert {row["kind"] for row in table} >= {"plan", "class", "curve", "against", "reach"}
    assert [row["plan"] for row in table if row["advised"] == "True"] == [content["advised"]]


def test_the_counts_that_are_written_give_the_prediction_that_is_printed(files, fit):
    path, fit_path, output = files
    words = (path, "--budget", 700, "--target-set", "cifar100/a", "--fit", fit_path, "--plan", "uniform")
    content = json.loads(invoke(*words, "--output", output, "--format", "json").stdout)
    stated, steps = next((p["value"], p["image_steps"]) for p in content["plans"] if p["name"] == "uniform")
    written = read_manifest(output)  # as it stands: no option names a column
    counts = {row["label"]: int(row["count"]) for row in csv.DictReader(output.read_text().splitlines())}
    assert written == LabelDistribution.from_counts(counts)
    again = predict(fit, {"m": written}, target_set="cifar100/a", image_steps=steps)
    assert again.predictions[0].outcome("accuracy").value == pytest.approx(stated, abs=1e-12)


def test_a_bad_plan_writes_nothing(files):
    path, fit_path, output = files
    with pytest.raises(FitError, match="no plan 'best'; found: "):
        invoke(path, "--budget", 10, "--fit", fit_path, "--plan", "best", "--output", output)
    assert not output.exists()
