"""The first sentence of a prediction: what is sure, what is undecided, and what that says of the other manifests."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_made import COUNTS, counted

from predictor import load_fit
from predictor.prediction.results import Predictions
from predictor.render.layout import TIED
from predictor.render.verdict import verdict_content, verdict_text


@pytest.fixture(scope="module")
def three() -> Predictions:
    """The best of three manifests, and two that it is compared with."""
    manifests = {
        "even": counted(*[50] * 10),
        "web": counted(*COUNTS),
        "half": counted(*[max(n // 2, 1) for n in COUNTS]),
    }
    return load_fit().predict(manifests, target_set="cifar100/a")


def with_p(found: Predictions, second: float, third: float) -> Predictions:
    """The same where the best manifest is better than the others with these probabilities."""
    best, *others = (item.manifest for item in found.predictions)
    told = dict(zip(others, (second, third), strict=True))
    rows = [replace(row, p_a_better=told[row.b]) if row.a == best else row for row in found.comparisons]
    return replace(found, comparisons=tuple(rows))


@pytest.mark.parametrize(
    ("second", "third", "sure", "of_the_third"),
    [(0.9, 0.91, True, "it beats {} with P >= 0.9"), (0.89, 0.89, False, "{} may be as good"),
     (0.89, 0.9, False, "it beats {} with P >= 0.9")],
)  # fmt: skip
def test_from_nine_in_ten_on_it_is_sure(three, second, third, sure, of_the_third) -> None:
    best, other, last = (item.manifest for item in three.predictions)
    found = with_p(three, second, third)
    text = verdict_text(found)
    assert text.startswith(f"Take {best}: " if sure else f"Undecided between {best} and {other}: ")
    assert f"; {of_the_third.format(last)}." in text
    assert verdict_content(found)["sure"] is sure


@pytest.mark.parametrize(
    ("steps", "pilots", "next_step"),
    [
        (None, 0, "Next: train it yourself at 3 sizes: predictor pilots m --next 3."),
        (None, 2, "Next: train it yourself at 1 more size: predictor pilots m --next 1."),
        (None, 3, None),
        (900_000, 0, "Next: ask between 6,000 and 60,000 image-steps: --image-steps N, or train it yourself at 3 "),
        (900_000, 3, "Next: ask between 6,000 and 60,000 image-steps: --image-steps N."),
    ],
)
def test_outside_of_the_fit_nothing_is_advised_that_was_done(steps, pilots, next_step) -> None:
    counts = counted(*([50] * 10 if steps else [90_000] * 10))
    found = load_fit().predict({"m": counts}, image_steps=steps)
    best = found.predictions[0]
    assert best.outside and best.pilots is None
    told = {"n_configurations": pilots, "n_runs": pilots, "at_chance": 0} if pilots else None
    text = verdict_text(replace(found, predictions=(replace(best, pilots=told),))).replace(TIED, " ")
    assert next_step in text if next_step else "Next: " not in text
