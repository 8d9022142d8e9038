"""P5: 1,000 images a class are needed: with half of them or fewer (from 100) accuracy is lower by more than a point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from predictor.claims.alike import Larger, grouped, shape
from predictor.claims.base import RAISES, Claim, Contrast, Part
from predictor.claims.configurations import Configuration
from predictor.claims.practice.pairs import plain, unpaired
from predictor.claims.target_sets import Site
from predictor.recipes import FAMILIES, FROZEN

THOUSAND = "1,000 images a class against 100 to 500"
NEEDED, FEWER = 1000, (100, 500)


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """Each size of 100 to 500 against the smallest one of 1,000 or more."""
    single = plain(group)
    alike = {key: Larger(own, attrgetter("id")) for key, own in grouped(single, shape).items()}
    for base in (each for each in single if FEWER[0] <= each.size <= FEWER[1]):
        large = alike[shape(base)].as_long(base, NEEDED, whatever=base.family == FROZEN)
        if large is not None:
            yield unpaired(THOUSAND, base, large, base)


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
