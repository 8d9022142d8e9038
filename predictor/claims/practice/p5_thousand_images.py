"""P5: 1,000 images a class are needed: with half of them or fewer (from 100) accuracy is lower by more than a point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictor.claims.base import RAISES, Claim, Contrast, Part
from predictor.claims.configurations import Configuration
from predictor.claims.practice.pairs import as_long, plain, same_but_size, unpaired
from predictor.claims.target_sets import Site
from predictor.recipes import FAMILIES

THOUSAND = "1,000 images a class against 100 to 500"
NEEDED, FEWER = 1000, (100, 500)


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """Each size of 100 to 500 against the smallest one of 1,000 or more."""
    single = plain(group)
    for base in (each for each in single if FEWER[0] <= each.size <= FEWER[1]):
        large = [each for each in single if each.size >= NEEDED and same_but_size(base, each) and as_long(base, each)]
        if large:
            yield unpaired(THOUSAND, base, min(large, key=lambda each: (each.size, each.id)), base)


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """500 and 1,000 images a class."""
    for size in (FEWER[1], NEEDED):
        yield {"samples_per_class": size, "image_steps": site.image_steps}


CLAIM = Claim(
    name="P5",
    question="Are 1,000 images a class needed?",
    parts=(Part(THOUSAND, RAISES),),
    find=find,
    design=design,
    families=FAMILIES,
)
