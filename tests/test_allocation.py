"""Sharing out images over more classes than the search moves one by one: budgets hold, and no simple rule is better."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from predictor.planning.advice.allocation import GROUPS, best, proportional, smallest_first, uniform

MANY = 2 * GROUPS + 12
COUNTS = np.arange(1, MANY + 1)


def test_classes_of_different_prices_in_one_group_cost_no_more_than_the_budget() -> None:
    prices = np.linspace(1, 9, MANY)

    def values(plans: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
        return np.array([np.log(plan).sum() for plan in plans])

    found = best(values, COUNTS, 300, prices=prices)
    assert 0.8 * 300 < prices @ (found - COUNTS) <= 300 and (found >= COUNTS).all()


@pytest.mark.parametrize("rule", [proportional, uniform, smallest_first])
def test_a_rule_that_is_best_is_found_as_it_stands(rule) -> None:
    wanted = rule(COUNTS, 500)

    def values(plans: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
        return np.array([-float(np.abs(plan - wanted).sum()) for plan in plans])

    assert best(values, COUNTS, 500).tolist() == wanted.tolist()


def test_a_start_that_is_best_is_kept_as_it_stands() -> None:
    start = COUNTS + np.random.default_rng(0).multinomial(500, np.full(MANY, 1 / MANY))

    def values(plans: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
        return np.array([-float(np.abs(plan - start).sum()) for plan in plans])

    assert best(values, COUNTS, 500, starts=[start]).tolist() == start.tolist()


@pytest.mark.parametrize("n_classes", [3, MANY])
def test_what_is_cut_leaves_each_class_the_least_and_fills_none_up_to_it(n_classes: int) -> None:
    counts = np.array([3, *range(20, 20 + n_classes - 1)])

    def values(plans: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
        return np.array([-float(plan.sum()) for plan in plans])

    found = best(values, counts, 0, cuts=True, least=5)
    assert found[0] == 3 and found[1:].min() >= 5 and found.mean() < 7, "groups are cut to within the last step"
    assert n_classes > GROUPS or found.tolist() == [3, 5, 5]
