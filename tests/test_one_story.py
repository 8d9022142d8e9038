"""Answers that never contradict themselves: over many manifests, levels, registries and kinds of question."""

from __future__ import annotations

import dataclasses
import itertools
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import TARGET_SETS, registry

from predictor.distribution import LabelDistribution
from predictor.fitting import fit_registry
from predictor.models.links import counted_logit, logit, measured_within
from predictor.planning.pilots.predict import pilot_predictor
from predictor.prediction import predict
from predictor.prediction.differences import differences
from predictor.prediction.intervals import Question
from predictor.prediction.request import resolve
from predictor.statistics.conformal import Residuals
from predictor.statistics.error_scale import Signs

NAMES = [f"cifar100/a/{c:02d}" for c in range(10)]
LEVELS = st.floats(0.01, 0.9999)
WORLDS = {  # few target sets: Student's t; many: their own quantiles up to some level
    "five target sets": {},
    "twelve target sets": {
        "target_sets": tuple((f"cifar100/{chr(97 + i)}", ("cifar", 10, -3 + i / 6)) for i in range(12)),
        "n_configurations": 96,
    },
    "one target set": {"target_sets": tuple(list(TARGET_SETS.items())[:1]), "n_configurations": 20},
}
QUESTIONS = ({"target_set": "cifar100/a"}, {"domain": "cifar"}, {}, "pilots")


@cache
def fit_of(world: str):
    records = registry(n_seeds=2, **WORLDS[world])
    return fit_registry(records, family_names=["linear", "classwise"]), records


@cache
def learnt(world: str):
    """What pilots tell; the level is asked for afterwards."""
    fit, records = fit_of(world)
    runs = [r for r in records if r.target_set == "cifar100/a"][:6]
    return pilot_predictor(fit, [r.model_copy(update={"target_set": "mine"}) for r in runs])


def asked(world: str, question):
    """What predicts: a fit asked in one of the ways there are."""
    if question == "pilots":
        return lambda manifests, level: dataclasses.replace(learnt(world), level=level).predict(
            manifests, all_classes=True
        )
    fit, _ = fit_of(world)
    return lambda manifests, level: predict(fit, manifests, level=level, all_classes=True, **question)


def distribution(counts, others=()):
    rows = dict(zip(NAMES, counts, strict=True)) | {f"other/{i}": n for i, n in enumerate(others)}
    return LabelDistribution.from_counts(rows, targets=NAMES)


SIZES = st.one_of(st.integers(5, 600), st.integers(1, 30_000))  # the fit saw about 15 to 500 a class
MANIFESTS = st.builds(
    distribution,
    st.one_of(st.lists(SIZES, min_size=10, max_size=10), SIZES.map(lambda n: [n] * 10)),
    st.lists(st.integers(1, 500), max_size=20),
)
ASKED = st.sampled_from(list(itertools.product(WORLDS, range(len(QUESTIONS)))))


@given(ASKED, MANIFESTS, LEVELS, LEVELS)
@settings(max_examples=30)
def test_a_higher_level_is_never_narrower(way, manifest, a, b):
    """Of every outcome, class and comparison, inside and outside of the fitted range."""
    answer = asked(way[0], QUESTIONS[way[1]])
    other = distribution([40] * 10)
    narrow, wide = (answer({"m": manifest, "other": other}, level) for level in sorted((a, b)))
    for first, second in zip(narrow.predictions, wide.predictions, strict=True):
        pairs = list(zip(first.outcomes, second.outcomes, strict=True))
        for one, two in zip(first.classes, second.classes, strict=True):
            by_name = {item.name: item for item in two.worst}
            pairs += [(item, by_name[item.name]) for item in one.worst]
        for one, two in pairs:
            assert one.value == two.value
            if one.value is not None:
                assert two.low <= one.low + 1e-12 and one.high <= two.high + 1e-12
                assert 0 <= two.low <= two.value <= two.high <= 1
    for one, two in zip(narrow.comparisons, wide.comparisons, strict=True):
        assert one.p_a_better == two.p_a_better and one.logit_difference == two.logit_difference
        if one.low is not None:
            assert two.low <= one.low and one.high <= two.high


@given(
    st.sampled_from(list(WORLDS)), st.sampled_from([*QUESTIONS[:3]]), st.floats(0.001, 0.999), st.floats(0, 1), LEVELS,
    st.booleans(),
)  # fmt: skip
def test_less_known_is_never_narrower(world, question, value, doubt, level, only_larger):
    fit, _ = fit_of(world)
    request = resolve(fit, **{"target_set": "new", "domain": "new"} | question, model=None, image_size=None,
                      image_steps=None)  # fmt: skip
    own = Question(fit.outcomes["accuracy"], request, level, Signs(doubt))
    inside, outside = own.interval(value), own.outside(value, only_larger=only_larger)
    assert outside.low <= inside.low and inside.high <= outside.high
    if request.basis == "new_domain":
        known = dataclasses.replace(own, request=dataclasses.replace(request, basis="new_target_set"))
        for a, b in ((known.interval(value), inside), (known.outside(value, only_larger=only_larger), outside)):
            assert b.low <= a.low and a.high <= b.high


@given(ASKED, st.lists(MANIFESTS, min_size=2, max_size=4), LEVELS)
@settings(max_examples=30)
def test_values_ranking_differences_and_probabilities_tell_one_story(way, manifests, level):
    answer = asked(way[0], QUESTIONS[way[1]])
    named = {f"m{i}": item for i, item in enumerate(manifests)}
    found = answer(named, level)
    values = {p.manifest: {o.outcome: o.value for o in p.outcomes} for p in found.predictions}
    ranked = [values[p.manifest]["accuracy"] for p in found.predictions]
    assert ranked == sorted(ranked, reverse=True)
    for row in found.comparisons:
        a, b = (values[name][row.outcome] for name in (row.a, row.b))
        assert row.logit_difference == pytest.approx(float(logit(a) - logit(b)), abs=1e-6)
        assert np.sign(row.p_a_better - 0.5) in (np.sign(row.logit_difference), 0)
        if row.low is not None:
            assert row.low <= row.logit_difference <= row.high
    alone = {name: answer({name: item}, level).predictions[0] for name, item in named.items()}
    for prediction in found.predictions:  # what else is asked changes no answer
        for one, two in zip(prediction.outcomes, alone[prediction.manifest].outcomes, strict=True):
            assert one == two


@given(st.integers(0, 1000), st.integers(2, 6), st.integers(2, 8), st.floats(-5, 5), st.floats(-5, 5), st.booleans())
def test_one_of_two_is_better(seed, n_sets, size, a, b, known):
    """P(a beats b) + P(b beats a) = 1, and it says better of what is predicted higher."""
    rng = np.random.default_rng(seed)
    own = {
        "residuals": rng.normal(size=n_sets * size).tolist(),
        "predicted": rng.uniform(0.02, 0.98, n_sets * size).tolist(),
        "groups": [str(i // size) for i in range(n_sets * size)],
    }
    found = differences(Residuals.of(own), known=known)
    assert found.probability(a, b) + found.probability(b, a) == pytest.approx(1, abs=1e-12)
    assert (found.probability(a, b) - 0.5) * (a - b) >= 0
    widths = [found.half_width(a, b, level) for level in (0.1, 0.5, 0.8, 0.9, 0.99, 0.9999)]
    assert widths == sorted(widths)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.001, 0.999),
       st.floats(0, 12))  # fmt: skip
def test_an_interval_holds_what_its_residuals_hold_also_0_and_1(counted, p, half):
    """A measured share lies inside exactly where its residual is no larger than half the width."""
    k, n = counted
    residual = abs(float(counted_logit(k / n, n)) - float(logit(p)))
    low, high = (float(bound) for bound in measured_within(p, half, n))
    assert 0 <= low <= p <= high <= 1
    if abs(residual - half) > 1e-9 and abs(k / n - p) > 0.5 / n:  # nearer than half an image the value itself decides
        assert (low <= k / n <= high) == (residual <= half)


@pytest.mark.parametrize("seed", [0, 1])
def test_configurations_of_exactly_1_are_covered_as_often_as_is_said(seed):
    """A third of the configurations has not one error: intervals that end below 1 would miss all of them."""
    sets = (("cifar100/a", ("cifar", 10, 2.2)), ("cifar100/b", ("cifar", 10, 2.8)))
    records = registry(n_configurations=60, n_seeds=1, tested=10, target_sets=sets, seed=seed)
    whole = [r.outcomes["accuracy"].value == 1 for r in records]
    assert 0.15 < np.mean(whole) < 0.7
    fit = fit_registry(records, ["accuracy"], ["linear", "classwise"])
    (row,) = [r for r in fit.validation if r["chosen"] and r["split"] == "configuration"]
    assert row["coverage_low"]["0.9"] <= 0.9 <= row["coverage_high"]["0.9"]
    best = predict(fit, {"large": distribution([400] * 10)}, target_set="cifar100/a").predictions[0]
    assert best.outcome("accuracy").high == 1.0
