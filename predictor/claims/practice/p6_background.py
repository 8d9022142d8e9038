"""P6: a background class helps: one class of images of another source, which is trained and never tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictor.claims.alike import grouped, place
from predictor.claims.base import RAISES, Claim, Contrast, Part
from predictor.claims.configurations import Configuration
from predictor.claims.practice.pairs import as_long, plain, unpaired
from predictor.claims.target_sets import Site
from predictor.recipes import FAMILIES

BACKGROUND = "a background class against none"


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """One base without other classes, and with a single one of another source."""
    single = plain(group)
    arms = grouped(filter(_one, single), place)
    for base in (each for each in single if not each.others):
        for arm in arms[place(base)]:
            if as_long(base, arm):
                yield unpaired(BACKGROUND, base, arm, base)


def _one(arm: Configuration) -> bool:
    return arm.kind() == "other" and sum(other.n_classes for other in arm.others) == 1


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """The targets alone, and with one class more."""
    n = site.samples_per_class
    yield {"samples_per_class": n, "image_steps": site.image_steps}
    yield {"samples_per_class": n, "image_steps": site.image_steps, "others": site.others(("other",), 1, n)}


CLAIM = Claim(
    name="P6",
    question="Does a background class help?",
    parts=(Part(BACKGROUND, RAISES),),
    find=find,
    design=design,
    families=FAMILIES,
)
