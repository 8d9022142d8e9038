"""P3: 100:1 is too imbalanced: at equal N, a largest class of 100 times the smallest is worse than one of 10 times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from predictor.claims.alike import Close
from predictor.claims.base import LOWERS, Claim, Contrast, Part
from predictor.claims.configurations import Configuration
from predictor.claims.practice.pairs import as_long, plain, unpaired
from predictor.claims.target_sets import Site
from predictor.recipes import FAMILIES

RATIO = "100:1 against 10:1 at equal N"
MANY, FEW = (60.0, 160.0), (7.0, 14.0)  # ratios of the largest to the smallest class that count as 100 and as 10


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """Equal N and other classes; two ratios."""
    single = [each for each in plain(group) if each.counts]
    ratio = {each.id: each.counts[0] / each.counts[-1] for each in single}
    arms = Close((each for each in single if MANY[0] <= ratio[each.id] <= MANY[1]), attrgetter("n_samples"))
    for base in (each for each in single if FEW[0] <= ratio[each.id] <= FEW[1]):
        for arm in arms.near(base.n_samples):
            equal = (arm.others, arm.data.blend) == (base.others, base.data.blend)
            if equal and as_long(base, arm):
                yield unpaired(RATIO, base, arm, base)


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """Sizes that fall exponentially, to a tenth and to a hundredth."""
    for ratio in (10, 100):
        profile = {"shape": "exponential", "ratio": ratio}
        yield {"samples_per_class": site.samples_per_class, "image_steps": site.image_steps, "profile": profile}


CLAIM = Claim(
    name="P3",
    question="Is 100:1 too imbalanced: worse than 10:1 at equal N?",
    parts=(Part(RATIO, LOWERS),),
    find=find,
    design=design,
    families=FAMILIES,
)
