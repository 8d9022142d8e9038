"""C5: imbalance by itself does not hurt: left-skew does not matter, tail classes with very few samples do.

Compared in one stage at an equal number of samples and of image-steps (hence of epochs), with the same other classes:
more against less left-skew where the smallest class and the number of classes of that size are equal (the head differs,
the tail does not) and the mean of the logarithms of the class sizes as well, so that what is compared is not also how
many images most classes have; the most against the least skewed; and a smaller against a larger smallest class where
the left-skew is equal within a fifth. The first is a null claim: supported by two one-sided tests, never by "not
significant".
Which class is large is drawn by the data seed; the arms of a pair share the draw.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from predictor.claims.alike import Close
from predictor.claims.base import LOWERS, NO_EFFECT, Claim, Contrast, Part, difference
from predictor.claims.configurations import Configuration, close
from predictor.claims.target_sets import Site
from predictor.distribution import LabelDistribution
from predictor.errors import SpecError
from predictor.indicators import compute

SKEW, TAIL = "more left-skew, same tail", "smaller tail classes, same left-skew"
MORE = 1.6  # largest class of a more skewed design against that of a less skewed one
MORE_SKEW, SAME_SKEW = 1.5, 1.2  # ratios of left-skew that count as more, and as equal
SMALLER = 2.0  # a smallest class counts as smaller at half the size
EQUAL_LOG = 0.02  # difference of the mean log size that counts as none: 2 % of the geometric mean


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """Left-skew at one tail, and tails at one left-skew."""
    strata: dict[Any, list[Configuration]] = defaultdict(list)
    for c in (c for c in group if c.single):
        strata[(c.others, c.data.blend)].append(c)
    for stratum in strata.values():
        skew = {c.id: left_skew(c) for c in stratum}
        log = {c.id: mean_log(c) for c in stratum}
        samples = Close(stratum, attrgetter("n_samples"))
        for base in stratum:
            equal = [c for c in samples.near(base.n_samples) if _same_steps(c, base)]
            tail = [c for c in equal if _tail(c) == _tail(base) and abs(log[c.id] - log[base.id]) <= EQUAL_LOG]
            most = max(tail, key=lambda c: skew[c.id])
            if skew[base.id] == min(skew[c.id] for c in tail) and skew[most.id] >= MORE_SKEW * skew[base.id]:
                yield difference(SKEW, base, most, base)
            smaller = [c for c in equal if SMALLER * c.counts[-1] <= base.counts[-1]]
            near = [c for c in smaller if 1 / SAME_SKEW <= skew[c.id] / skew[base.id] <= SAME_SKEW]
            if near:
                nearest = min(near, key=lambda c: (abs(skew[c.id] - skew[base.id]), c.id))
                yield difference(TAIL, base, nearest, base)


def left_skew(c: Configuration) -> float:
    """Share of the target samples in the largest 5 % of the target classes."""
    distribution = LabelDistribution.from_counts({str(rank): count for rank, count in enumerate(c.counts)})
    value = compute(distribution, ["left_skew@5"])["left_skew@5"].value
    assert value is not None  # every target class has an image
    return value


def mean_log(c: Configuration) -> float:
    """Mean of the logarithms of the class sizes."""
    return sum(math.log(count) for count in c.counts) / len(c.counts)


def _same_steps(a: Configuration, b: Configuration) -> bool:
    return close(a.image_steps, b.image_steps)


def _tail(c: Configuration) -> tuple[int, int]:
    return c.counts[-1], c.counts.count(c.counts[-1])


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """Left-skew x size of the smallest classes at equal N, and equal mean log size for each size of the smallest."""
    n_tail = max(round(0.4 * site.n_classes), 1)
    for small in (max(site.samples_per_class // 3, 2), max(site.samples_per_class // 9, 1)):
        rest = site.n_classes * site.samples_per_class - n_tail * small
        for head in heads(rest, site.n_classes - n_tail, small):
            profile = {"shape": "explicit", "counts": [*head, *[small] * n_tail]}
            yield {
                "samples_per_class": site.samples_per_class,
                "image_steps": site.image_steps,
                "profile": profile,
            }


def heads(total: int, n: int, small: int) -> tuple[list[int], list[int]]:
    """Two heads of n classes with this total and one mean log size: two sizes for half of them each; one large class.

    small : every class of a head is larger
    Raises SpecError where whole numbers allow none.

    >>> flat, skewed = heads(260, 6, 10)
    >>> sum(flat) == sum(skewed) == 260, max(skewed) / max(flat) >= 1.5
    (True, True)
    """
    half = n // 2
    flat_heads = [
        [*_shared(large_total, half), *_shared(total - large_total, n - half)]
        for large_total in range(total // 2, total - (n - half) * (small + 1) + 1)
    ]
    by_log = sorted((sum(map(math.log, head)), head) for head in flat_heads if min(head) > small)
    keys = [key for key, _ in by_log]
    for largest in range(2 * total // n, total - (n - 1) * (small + 1) + 1):
        skewed = [largest, *_shared(total - largest, n - 1)]
        wanted = sum(map(math.log, skewed))
        at = bisect_left(keys, wanted)
        near = min(by_log[max(at - 1, 0) : at + 1], key=lambda item: abs(item[0] - wanted), default=None)
        # the tail is the same in both, so that a difference of the head's sum is the smaller one of the mean
        if near and largest >= MORE * max(near[1]) and abs(near[0] - wanted) <= EQUAL_LOG * n / 2:
            return near[1], skewed
    raise SpecError(f"{total} images in {n} classes of more than {small} allow no more skew at one mean log size")


def _shared(total: int, n: int) -> list[int]:
    """As equal whole numbers as can be, largest first."""
    return [total // n + (rank < total % n) for rank in range(n)]


CLAIM = Claim(
    name="C5",
    question="Is left-skew without effect, while tail classes with very few samples hurt?",
    parts=(Part(SKEW, NO_EFFECT), Part(TAIL, LOWERS)),
    find=find,
    design=design,
)
