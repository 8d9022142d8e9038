"""More images never lower a prediction inside of the range without a reason that is shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import registry

from predictor.distribution import LabelDistribution
from predictor.fitting import fit_registry
from predictor.models.fit import shipped_fit
from predictor.prediction import predict
from predictor.prediction.fewer import SCALES, WORTH, _smaller

SHIPPED = shipped_fit()
SETS = ["digits", "cifar10/a", "cifar100/a", "letters/a"]
COUNTS = st.one_of(
    st.integers(10, 300).map(lambda n: [n] * 10), st.lists(st.integers(4, 300), min_size=10, max_size=10)
)


@given(st.sampled_from(SETS), COUNTS, st.sampled_from(SCALES), st.sampled_from([None, 6000, 30_000]))
@settings(deadline=None, max_examples=25)
def test_a_drop_with_more_images_is_said_with_its_reason(target_set, counts, scale, steps):
    classes = SHIPPED.target_sets[target_set].classes
    whole = LabelDistribution.from_counts(dict(zip(classes, counts[: len(classes)], strict=False)), targets=classes)
    fewer = whole.scaled(scale)
    if scale * min(counts) < 1:
        return
    (a,), (b,) = (
        predict(SHIPPED, {"m": item}, target_set=target_set, image_steps=steps).predictions for item in (whole, fewer)
    )
    if a.outside or b.outside:
        return
    for one, two in zip(a.outcomes, b.outcomes, strict=True):
        said = [line for line in a.warnings if line.startswith(f"m: {one.outcome} is predicted to be ")]
        if one.value is not None and two.value > one.value + 1.01 * WORTH:
            assert said, (one, two)
            assert "image-steps show each image" in said[0] or "the number of images is not the reason" in said[0]
        for line in said:  # what is said is what is predicted
            shown = float(line.split("predicted to be ")[1].split(" %")[0])
            assert shown >= 100 * (one.value + WORTH) - 0.06


def test_the_remedy_of_too_few_image_steps_helps():
    """A law in which passes matter: fewer images, seen more often, do better; with more image-steps all do."""
    law = (("log_count", 0.2), ("log_mean_count", 0.0), ("log1p_other_classes", 0.0), ("log_image_steps", 1.2))
    records = registry(n_configurations=60, n_seeds=1, law=law, image_steps=(3_000, 15_000, 60_000))
    fit = fit_registry(records, ["accuracy"], ["classwise"])
    names = [f"cifar100/a/{c:02d}" for c in range(10)]
    even = LabelDistribution.from_counts(dict.fromkeys(names, 300))
    found = predict(fit, {"m": even}, target_set="cifar100/a", image_steps=15_000).predictions[0]
    more = predict(fit, {"m": even}, target_set="cifar100/a", image_steps=60_000).predictions[0]
    assert more.outcome("accuracy").value > found.outcome("accuracy").value
    assert not [line for line in found.warnings if "images of the same shape" in line], "a power law knows no such drop"


@pytest.mark.parametrize("n", [5, 40])
def test_a_power_law_never_drops(n):
    fit = fit_registry(registry(n_configurations=30, n_seeds=1), ["accuracy"], ["classwise"])
    names = [f"cifar100/a/{c:02d}" for c in range(10)]
    found = predict(fit, {"m": LabelDistribution.from_counts(dict.fromkeys(names, n))}, target_set="cifar100/a")
    assert not [line for line in found.predictions[0].warnings if "images of the same shape" in line]


@pytest.mark.parametrize(("target_set", "n"), [("digits", 120), ("digits", 300), ("cifar100/a", 300)])
def test_the_figures_of_the_reason_are_those_of_the_two_sizes(target_set, n):
    classes = SHIPPED.target_sets[target_set].classes
    even = LabelDistribution.from_counts(dict.fromkeys(classes, n), targets=classes)
    (found,) = predict(SHIPPED, {"m": even}, target_set=target_set, image_steps=6_000).predictions
    told = [line for line in found.warnings if "image-steps show each image" in line]
    assert told
    for line in told:
        sizes = re.search(r"with ([\d,]+) images .* all ([\d,]+):", line).groups()
        fewer, whole = (int(text.replace(",", "")) for text in sizes)
        assert whole == even.n_samples and fewer < whole
        assert f"show each image {6_000 / whole:.3g} times, but each of the fewer {6_000 / fewer:.3g} times" in line
        wanted = round(6_000 * whole / fewer)
        assert f"--image-steps {wanted} would show all as often" in line
        assert ("of which the fit saw at most" in line) == (wanted > SHIPPED.ranges["image_steps"][1])


def test_no_class_is_thought_of_with_less_than_an_image():
    """Of 1,000 and 10 images a tenth is tried, a twentieth is not: the small class would be no such share of it."""
    skewed = LabelDistribution.from_counts({"many": 1000, "few": 10})
    found = [(int(item.counts.max()), int(item.counts.min())) for item in _smaller(skewed)]
    assert found[0] == (970, 10) and found[-1] == (100, 1)
    assert [many for many, _ in found] == [round(1000 * scale) for scale in SCALES if 10 * scale >= 1]
