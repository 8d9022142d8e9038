"""Advice that never contradicts itself: budgets, the curve, what is reached, prices, cuts, image-steps."""

from __future__ import annotations

import csv
import json
from functools import cache

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from synthetic import registry

from predictor.cli import predictor
from predictor.distribution import LabelDistribution
from predictor.errors import PredictorError
from predictor.fitting import fit_registry
from predictor.planning import advise
from predictor.planning.advice.advise import WORTH
from predictor.planning.advice.prices import read_prices
from predictor.prediction import predict

NAMES = [f"cifar100/a/{c:02d}" for c in range(10)]
SLOW = {"deadline": None, "phases": (Phase.explicit, Phase.reuse, Phase.generate)}  # to shrink takes minutes
FAMILIES = {"a curve": ["classwise"], "trees too": ["classwise", "boosting", "linear", "average"]}
COUNTS = st.lists(st.one_of(st.integers(5, 500), st.integers(0, 60)), min_size=10, max_size=10).filter(any)
MANIFESTS = st.builds(
    lambda counts, others: LabelDistribution.from_counts(
        dict(zip(NAMES, counts, strict=True)) | {f"other/{i}": n for i, n in enumerate(others)}, targets=NAMES
    ),
    COUNTS,
    st.lists(st.integers(1, 300), max_size=5),
)
BUDGETS = st.one_of(st.integers(1, 3000), st.sampled_from([500, 2000, 20_000, 50_000]))
WAYS = st.tuples(st.sampled_from(list(FAMILIES)), st.integers(0, 2), st.sampled_from([None, 30_000]))


@cache
def records():
    return registry(n_seeds=1, image_steps=(15_000, 60_000))


@cache
def fit_of(name):
    """Made where it is first asked for: both processes that share the tests import this module."""
    return fit_registry(records(), ["accuracy"], FAMILIES[name])


def questions():
    mine = [r.model_copy(update={"target_set": "mine"}) for r in records() if r.target_set == "cifar100/a"][:4]
    return {"target_set": "cifar100/a"}, {"domain": "cifar"}, {"pilots": mine}


def asked(way, manifest, budget, **more):
    fit, question, steps = way
    return advise(fit_of(fit), manifest, budget, image_steps=steps, **questions()[question], **more)


@given(WAYS, MANIFESTS, BUDGETS, BUDGETS)
@settings(**SLOW, max_examples=6)
def test_a_bigger_budget_never_gives_worse_advice(way, manifest, a, b):
    small, large = (asked(way, manifest, budget) for budget in sorted((a, b)))
    assert large.plan("advised").value >= small.plan("advised").value - WORTH
    assert set(small.curve[:-1]) <= set(large.curve), "what a smaller budget reaches is on the table of a larger one"


@given(WAYS, MANIFESTS, BUDGETS, st.floats(0.05, 0.95))
@settings(**SLOW, max_examples=6)
def test_plans_curve_and_reach_tell_one_story(way, manifest, budget, wanted):
    advice = asked(way, manifest, budget, wanted=wanted)
    now, advised = advice.plan("now"), advice.plan("advised")
    assert not any(plan.cut for plan in advice.plans), "no plan deletes data unless that is asked for"
    for plan in advice.plans:
        assert (plan.gain is None) == (not (plan.backed and now.backed))
        gain = plan.value - now.value
        assert plan.gain is None or plan.gain == pytest.approx(gain, abs=1e-12)
        assert plan.collected <= budget and plan.low <= plan.value <= plan.high
        if plan.p_better is not None:
            assert (plan.p_better - 0.5) * gain >= 0 and plan.gain_at_half * gain >= 0
        if plan.gain_low is not None:
            assert plan.gain_low <= plan.gain + 1e-12 and plan.gain <= plan.gain_high + 1e-12
    values = [point.value for point in advice.curve]
    assert values == sorted(values), "more images never reach less"
    if now.outside:  # the curve begins where the fit does
        assert all(point.images for point in advice.curve)
        return
    assert advice.curve[0].images == 0 and advice.curve[0].value == pytest.approx(now.value, abs=1e-12)
    assert advised.value >= max(p.value for p in advice.curve if p.spend <= budget) - WORTH
    reach = advice.reach
    if reach.images is None:
        assert all(point.value < wanted for point in advice.curve)
    else:
        assert (reach.images == 0) == (now.value >= wanted)
        assert not any(p.value >= wanted for p in advice.curve if p.images < reach.images)
        if reach.images <= budget and advice.five_points is not None:
            enough = asked(way, manifest, reach.images).plan("advised") if reach.images else now
            assert enough.value >= wanted - WORTH, "a budget of what is asked for reaches what is wanted"
    for low, high in ((reach.low, reach.images), (reach.images, reach.high)):
        assert high is None or low <= high
    if advice.five_points is not None and advice.five_points.images is not None and advised.value > now.value + 0.051:
        assert advice.five_points.images <= budget or advised.other_classes or advised.outside


@given(MANIFESTS, st.integers(1, 2000))
@settings(**SLOW, max_examples=6)
def test_every_number_is_what_predict_says(manifest, budget):
    fit = fit_of("trees too")
    for steps in (None, 30_000):
        advice = advise(fit, manifest, budget, target_set="cifar100/a", image_steps=steps)
        for plan in advice.plans:
            counts = {c.label: c.total for c in plan.changes if c.total}
            after = LabelDistribution.from_counts(counts, targets=NAMES)
            found = predict(fit, {"m": after}, target_set="cifar100/a", image_steps=plan.image_steps).predictions[0]
            own = found.outcome("accuracy")
            assert (own.value, own.low, own.high) == pytest.approx((plan.value, plan.low, plan.high), abs=1e-9)
            if steps is None:
                grown = 15_000 * plan.n_samples / max(manifest.n_samples, 1)
                first = advice.recipe["image_steps"]
                assert plan.image_steps == round(min(60_000, first * plan.n_samples / manifest.n_samples)), grown
            else:
                assert plan.image_steps == steps


@given(COUNTS, st.lists(st.sampled_from([0.5, 1.0, 4.0, 20.0]), min_size=10, max_size=10), st.integers(5, 3000))
@settings(**SLOW, max_examples=3)
def test_prices_are_kept_to_and_what_is_cheap_is_bought(counts, prices, budget):
    manifest = LabelDistribution.from_counts(dict(zip(NAMES, counts, strict=True)), targets=NAMES)
    table = dict(zip(NAMES, prices, strict=True))
    advice = asked(("a curve", 0, None), manifest, budget, prices=table)
    for plan in advice.plans:
        cost = sum(table[change.label] * max(change.collect, 0) for change in plan.changes)
        assert plan.cost == pytest.approx(cost) and cost <= budget + 1e-9
    values = [point.value for point in advice.curve]
    assert values == sorted(values) and all(point.cost <= point.spend + 1e-9 for point in advice.curve)
    cheap = asked(("a curve", 0, None), manifest, budget, prices={name: p / 2 for name, p in table.items()})
    assert cheap.plan("advised").value >= advice.plan("advised").value - 5e-3, "half the price buys no less"


def test_cuts_are_tried_where_they_are_asked_for():
    heads = LabelDistribution.from_counts(dict(zip(NAMES, [500, 500, *[15] * 8], strict=True)), targets=NAMES)
    told = asked(("a curve", 0, 30_000), heads, 50, cuts=True)
    assert any(plan.cut for plan in told.plans) or any("cuts: none is predicted to help" in n for n in told.notes)


@pytest.fixture
def files(tmp_path):
    path = tmp_path / "mine.csv"
    counts = (150, 120, 100, 80, 60, 40, 25, 15, 10, 10)
    path.write_text("label,count\n" + "".join(f"{n},{c}\n" for n, c in zip(NAMES, counts, strict=True)))
    return path, fit_of("a curve").save(tmp_path / "fit.json")


def invoke(*words):
    return CliRunner().invoke(predictor, ["advise", *map(str, words)])


def test_the_command_shows_the_curve_the_prices_and_the_steps(files, tmp_path):
    path, fit = files
    (tmp_path / "price.csv").write_text(f"label,price\n{NAMES[0]},9.5\n*,0.25\n")
    words = (path, "--fit", fit, "--target-set", "cifar100/a", "--budget", 500, "--reach", 0.35)
    done = invoke(*words, "--plot", tmp_path / "curve.png")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"
    for word in ("P(beats now)", "+5 points", "reach 0.35", "grow with the images: ", "fix them with --image-steps N"):
        assert word in done.output, word
    fixed = invoke(*words, "--image-steps", 30_000)
    assert "30,000 whatever is added, as asked" in fixed.output
    priced = json.loads(invoke(*words, "--price", tmp_path / "price.csv", "--format", "json").stdout)
    dear = next(c for c in next(p for p in priced["plans"] if p["name"] == priced["advised"])["changes"]
                if c["label"] == NAMES[0])  # fmt: skip
    assert priced["priced"] and dear["collect"] == 0
    table = list(csv.DictReader(invoke(*words, "--format", "csv").stdout.splitlines()))
    assert {"cost", "image_steps"} <= set(table[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,cost\na,1\n", "has no column 'price'; found: label, cost"),
        ("label,price\na,0\n", "line 2: price '0' of class 'a'; needed: one number above 0"),
        ("label,price\na,1\na,2\n", "line 3: class 'a' stands there twice"),
        ("label,price\na,much\n", "line 2: price 'much'"),
        ("label,price\n", "names no class"),
    ],
)
def test_prices_that_are_none_are_refused(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(PredictorError) as told:
        read_prices(tmp_path / "p.csv", ["a"])
    assert message in told.value.problem and "label,price" in told.value.remedy


def test_a_class_without_a_price_is_named(files, tmp_path):
    path, fit = files
    (tmp_path / "price.csv").write_text(f"label,price\n{NAMES[0]},1\n")
    done = invoke(path, "--fit", fit, "--budget", 5, "--price", tmp_path / "price.csv")
    assert isinstance(done.exception, PredictorError)
    assert str(done.exception).startswith(f"{tmp_path / 'price.csv'}: no price for")
    (tmp_path / "price.csv").write_text(f"label;price\n{NAMES[0]};1\n*;2\n")
    assert invoke(path, "--fit", fit, "--budget", 5, "--price", tmp_path / "price.csv").exit_code == 0


@pytest.mark.parametrize("command", [("advise", "--budget", 5, "--price"), ("curve", "--price-image")])
def test_a_price_of_a_class_that_is_not_there_is_refused(files, tmp_path, command):
    path, fit = files
    (tmp_path / "price.csv").write_text(f"label,price\n{NAMES[0].upper()},1\nunicorn,2\n*,1\n")
    name, *words = command
    done = CliRunner().invoke(predictor, list(map(str, (name, path, "--fit", fit, *words, tmp_path / "price.csv"))))
    told = done.output or str(done.exception)
    assert f"names classes that the manifest does not have: {NAMES[0].upper()!r} (near: {NAMES[0]!r}" in told
    assert "'unicorn'; its classes begin" in told and "spell them as the manifest does" in told


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (0.01, "1.0 % accuracy is reached now: "),
        (0.99, "99.0 % accuracy: not "),
        (None, "% accuracy is predicted with "),
    ],
)
def test_without_a_budget_the_answer_is_how_many_images_reach_it(files, wanted, said):
    path, fit = files
    words = (path, "--fit", fit, "--target-set", "cifar100/a")
    if wanted is None:
        wanted = json.loads(invoke(*words, "--budget", 100, "--format", "json").stdout)["five_points"]["wanted"]
    text = invoke(*words, "--reach", wanted).stdout
    assert said in " ".join(text.split("\n\n")[0].split())
    assert "the budget pays for" not in text and "BUDGET" not in text and "\ncollect       nothing" not in text
    assert "BUDGET 100 images" in invoke(*words, "--reach", wanted, "--budget", 100).stdout


def test_sizes_that_people_name_are_spent_whole():
    for budget in (1, 7, 12, 150, 500, 700, 1000, 2500, 20_000):
        manifest = LabelDistribution.from_counts(dict.fromkeys(NAMES, 20), targets=NAMES)
        from predictor.planning.advice.curve import Curve
        from predictor.planning.objective import Objective, Targets
        from predictor.prediction.request import resolve

        request = resolve(fit_of("a curve"), "cifar100/a", "new", None, None, None)
        curve = Curve(Objective(fit_of("a curve"), "accuracy", request), Targets(manifest), None)
        assert curve.within(budget) == budget or budget > 1000
        for odd in np.random.default_rng(0).integers(1, 10**6, 50).tolist():
            assert 0.97 * odd - 1 <= curve.within(odd) <= odd
