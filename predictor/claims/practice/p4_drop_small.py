"""P4: classes with fewer than 10 images should be dropped: keeping them lowers the accuracy of the others.

Compared: the tested classes alone, and with further classes of the same source that have fewer than 10 images each and
are not tested. What dropping a class costs its own images is not in question: it is then never predicted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictor.claims.alike import grouped, place
from predictor.claims.base import LOWERS, Claim, Contrast, Part
from predictor.claims.configurations import Configuration
from predictor.claims.practice.pairs import as_long, plain, unpaired
from predictor.claims.target_sets import Site
from predictor.recipes import FAMILIES

KEPT = "classes under 10 images kept against dropped"
SMALL = 10


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """One base without other classes, and with small ones of its source."""
    single = plain(group)
    arms = grouped(filter(_small, single), place)
    for base in (each for each in single if not each.others and each.counts and each.counts[-1] >= SMALL):
        for arm in arms[place(base)]:
            if as_long(base, arm):
                yield unpaired(KEPT, base, arm, base)


def _small(arm: Configuration) -> bool:
    return arm.kind() == "same" and all(other.samples_per_class < SMALL for other in arm.others)


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """The targets alone, and with as many small classes of their source."""
    shared = {"samples_per_class": max(site.samples_per_class, SMALL), "image_steps": site.image_steps}
    yield shared
    yield {**shared, "others": site.others(("same",), site.n_classes, SMALL // 2)}


CLAIM = Claim(
    name="P4",
    question="Do classes of fewer than 10 images lower the accuracy of the others, so that they should be dropped?",
    parts=(Part(KEPT, LOWERS),),
    find=find,
    design=design,
    families=FAMILIES,
)
