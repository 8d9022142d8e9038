"""The few images that are said to help most: of the weakest classes or the smallest, inside of what the fit saw."""

from __future__ import annotations

import numpy as np
import pytest
from example_made import COUNTS, counted

from predictor import load_fit
from predictor.planning.next_step import SHARE, _tried


def test_a_fifth_more_goes_to_the_smallest_classes_or_to_the_three_weakest() -> None:
    now = counted(*COUNTS)
    (best,) = load_fit().predict({"web": now}, target_set="cifar100/a", all_classes=True).predictions
    smallest, weakest = (plan - now.target_counts for plan in _tried(best, now, now.target_counts))
    assert smallest.sum() == weakest.sum() == now.target_counts.sum() // SHARE
    assert smallest[now.target_counts.argmax()] == 0 < smallest[now.target_counts.argmin()]
    values = {one.name: one.value for one in best.classes[0].worst}
    assert len(values) == len(now.target_names)
    more = {name for name, n in zip(now.target_names, weakest, strict=True) if n}
    assert more == set(sorted(values, key=lambda name: values[name])[:3])


@pytest.mark.parametrize(("each", "told"), [(400, True), (450, False)])
def test_what_would_lie_outside_of_the_fit_is_not_told(each: int, told: bool) -> None:
    """A fifth more of 450 images a class are more than the 500 of the largest run; of 400 they are not."""
    fit = load_fit()
    assert np.log(1.2 * 400) < fit.ranges["mean_log_count"][1] < np.log(1.2 * 450)
    found = fit.predict({"m": counted(*[each] * 10)}, target_set="cifar100/a")
    assert not found.predictions[0].outside and (found.next_step is not None) == told
