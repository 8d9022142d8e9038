"""Sharing out images over classes: simple rules, and the best allocation that a search of the prediction finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from predictor.statistics.shares import shared_out

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Values = Callable[[Sequence[Counts]], Floats]  # class counts -> predicted accuracies
GROUPS = 24  # classes of similar count are moved together beyond this many
FINEST = 512  # the search ends with steps of budget / FINEST


def proportional(counts: Counts, n: int) -> Counts:
    """(T,) counts with n more images, in proportion to what each class has."""
    return counts + shared_out(counts.astype(np.float64), n)


def uniform(counts: Counts, n: int) -> Counts:
    """(T,) counts with n more images, the same number for every class."""
    return counts + shared_out(np.ones(len(counts)), n)


def smallest_first(counts: Counts, n: int) -> Counts:
    """(T,) counts with n more images: always one to the class that has fewest.

    >>> smallest_first(np.array([9, 1, 4]), 6).tolist()
    [9, 5, 6]
    """
    order = np.argsort(counts, kind="stable")
    sizes = counts[order]
    needed = np.arange(1, len(sizes) + 1) * sizes - np.cumsum(sizes)  # to raise the first k to the k-th
    k = int(np.searchsorted(needed, n, side="right"))
    level, rest = divmod(int(sizes[:k].sum()) + n, k)
    result = counts.copy()
    result[order[:k]] = level
    result[order[k - rest : k]] += 1
    return result


def largest_cut(counts: Counts, n: int) -> Counts:
    """(T,) counts with n images fewer: always one from the class that has most.

    >>> largest_cut(np.array([9, 1, 4]), 5).tolist()
    [4, 1, 4]
    """
    return -smallest_first(-counts, n)


def affordable(rule: Callable[[Counts, int], Counts], counts: Counts, budget: int, prices: Floats) -> Counts:
    """(T,) counts after a rule with as many images as the budget pays for.

    >>> affordable(uniform, np.array([5, 5]), 100, np.array([1.0, 4.0])).tolist()
    [25, 25]
    """
    low, high = 0, int(budget / prices.min())
    while low < high:  # a rule that gets more images never costs less
        middle = (low + high + 1) // 2
        cost = float(prices @ (rule(counts, middle) - counts)) if middle else 0.0
        low, high = (middle, high) if cost <= budget * (1 + 1e-12) else (low, middle - 1)
    return rule(counts, low) if low else counts.copy()


def best(
    values: Values,
    counts: Counts,
    n: int,
    *,
    prices: Floats | None = None,
    cuts: bool = False,
    least: int = 1,
    starts: Sequence[Counts] = (),
) -> Counts:
    """(T,) counts of the best way found to spend up to n on images; with `cuts` also to leave images out.

    Descent by exchange: money moves between groups of similar classes as long as the prediction rises, in steps of
    n / 4 down to n / FINEST, from the best of the simple rules, of each group alone, and of `starts`. For a concave
    prediction that is the optimum to within the last step; else it is at least as good as every start.

    prices : (T,) of one image of each class; None: 1, so that n is a number of images
    least : no class is cut below this many images
    """
    if n <= 0 and not cuts:
        return counts.copy()
    each = np.ones(len(counts)) if prices is None else prices
    order = np.lexsort((np.arange(len(counts)), counts, each))
    groups = [group for group in np.array_split(order, min(GROUPS, len(counts))) if len(group)]
    price = np.array([float(each[group].max()) for group in groups])  # of the dearest: a group never costs more
    room = [np.maximum(counts[group] - least, 0).sum() if cuts else 0 for group in groups]

    def moved(amounts: Counts) -> Counts:
        result = counts.copy()
        for group, amount in zip(groups, amounts.tolist(), strict=True):
            if amount > 0:
                result[group] = smallest_first(counts[group], amount) if len(group) > 1 else counts[group] + amount
            elif amount < 0:
                result[group] = largest_cut(counts[group], -amount)  # no more than its room: none below the least
        return result

    def amounts_of(target: Counts) -> Counts:
        return np.array([int((target[group] - counts[group]).sum()) for group in groups], dtype=np.int64)

    def paid(amounts: Counts) -> bool:
        return float(price @ np.maximum(amounts, 0)) <= n * (1 + 1e-12)

    identity = np.eye(len(groups), dtype=np.int64)
    given = [affordable(rule, counts, n, each) for rule in (proportional, uniform, smallest_first)] if n > 0 else []
    alone = [row * int(n / own) for row, own in zip(identity, price, strict=True)] if n > 0 else []
    candidates = [0 * identity[0], *filter(paid, map(amounts_of, [*given, *starts])), *alone]
    scores = values([moved(item) for item in candidates])
    here, score = candidates[int(np.argmax(scores))], float(scores.max())
    scale = max(n, int(sum(room)))
    step = max(scale // 4, 1)
    while True:
        plus = [row * max(int(step / own), 1) for row, own in zip(identity, price, strict=True)]
        more = values([moved(here + row) for row in plus])
        able = [i for i, (row, own, most) in enumerate(zip(plus, here, room, strict=True)) if own - row.max() >= -most]
        fewer = np.full(len(groups), -np.inf)
        if able:
            fewer[able] = values([moved(here - plus[i]) for i in able])
        takers, givers = np.argsort(-more, kind="stable")[:2], np.argsort(-fewer, kind="stable")[:3]
        options = [here + plus[to] for to in takers] + [here - plus[i] for i in givers if i in able]
        options += [here + plus[to] - plus[i] for to in takers for i in givers if i in able and to != i]
        options = [item for item in options if paid(item)]
        found = values([moved(item) for item in options]) if options else np.array([-np.inf])
        if float(found.max()) > score + 1e-12:
            here, score = options[int(np.argmax(found))], float(found.max())
        elif step <= max(scale // FINEST, 1):
            break
        else:
            step = max(step // 2, 1)
    exact = [moved(here), *(rule for rule in (*given, *starts))]  # groups blur a rule: it may be better as it stands
    return exact[int(np.argmax(values(exact)))]
