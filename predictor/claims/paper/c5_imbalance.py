"""C5: imbalance by itself does not hurt: left-skew does not matter, tail classes with very few samples do.

Compared in one stage at an equal number of samples and of image-steps (hence of epochs), with the same other classes:
more against less left-skew where the smallest class and the number of classes of that size are equal (the head differs,
the tail does not), the most against the least skewed; and a smaller against a larger smallest class where the left-skew
is equal within a fifth. The first is a null claim: supported by two one-sided tests, never by "not significant".
Which class is large is drawn by the data seed; the arms of a pair share the draw.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictor.claims.base import LOWERS, NO_EFFECT, Claim, Contrast, Part, difference
from predictor.claims.configurations import Configuration, close
from predictor.claims.target_sets import Site
from predictor.distribution import LabelDistribution
from predictor.indicators import compute

SKEW, TAIL = "more left-skew, same tail", "smaller tail classes, same left-skew"
MORE_SKEW, SAME_SKEW = 1.5, 1.2  # ratios of left-skew that count as more, and as equal
SMALLER = 2.0  # a smallest class counts as smaller at half the size


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """Left-skew at one tail, and tails at one left-skew."""
    strata: dict[Any, list[Configuration]] = defaultdict(list)
    for c in (c for c in group if c.single):
        strata[(c.others, c.data.blend)].append(c)
    for stratum in strata.values():
        skew = {c.id: left_skew(c) for c in stratum}
        for base in stratum:
            equal = [c for c in stratum if close(c.n_samples, base.n_samples) and _same_steps(c, base)]
            tail = [c for c in equal if _tail(c) == _tail(base)]
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


def _same_steps(a: Configuration, b: Configuration) -> bool:
    return close(a.image_steps, b.image_steps)


def _tail(c: Configuration) -> tuple[int, int]:
    return c.counts[-1], c.counts.count(c.counts[-1])


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """Left-skew x size of the smallest classes at equal N."""
    n_tail = max(round(0.4 * site.n_classes), 1)
    n_head = site.n_classes - n_tail
    for small in (max(site.samples_per_class // 3, 2), max(site.samples_per_class // 9, 1)):
        rest = site.n_classes * site.samples_per_class - n_tail * small
        flat = [rest // n_head + (rank < rest % n_head) for rank in range(n_head)]
        middle = max(rest // (2 * n_head), small + 1)
        skewed = [rest - (n_head - 1) * middle] + [middle] * (n_head - 1)
        for head in (flat, skewed):
            profile = {"shape": "explicit", "counts": [*head, *[small] * n_tail]}
            yield {
                "samples_per_class": site.samples_per_class,
                "image_steps": site.image_steps,
                "profile": profile,
            }


CLAIM = Claim(
    name="C5",
    question="Is left-skew without effect, while tail classes with very few samples hurt?",
    parts=(Part(SKEW, NO_EFFECT), Part(TAIL, LOWERS)),
    find=find,
    design=design,
)
