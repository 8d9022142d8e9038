"""P8: what helps accuracy helps robustness: more images, and weights of classes where these are uneven.

The pairs are chosen by what was changed, not by what was measured: choosing those whose accuracy rose would let chance
choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from predictor.claims.alike import Larger, grouped, shape
from predictor.claims.base import RAISES, Claim, Contrast, Part
from predictor.claims.configurations import Configuration, unedited
from predictor.claims.practice.pairs import acting, action_design, plain, unpaired
from predictor.claims.target_sets import Site
from predictor.recipes import FAMILIES, FROZEN

MORE, WEIGHTS = "more images", "class weights"
STEP = 1.5


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """Each size against the next larger one; the same uneven classes with and without weights."""
    single = [each for each in plain(group) if unedited(each.data.profile)]
    alike = {key: Larger(own, attrgetter("id")) for key, own in grouped(single, shape).items()}
    for base in single:
        larger = alike[shape(base)].as_long(base, STEP * base.size, whatever=base.family == FROZEN)
        if larger is not None:
            yield unpaired(MORE, base, larger, base)
    for base, arm in acting(group, class_weights="inverse"):
        yield unpaired(WEIGHTS, base, arm, base)


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """One size and its double; uneven classes with and without weights."""
    for size in (site.samples_per_class, 2 * site.samples_per_class):
        yield {"samples_per_class": size, "image_steps": site.image_steps}
    yield from action_design(site, class_weights="inverse")


CLAIM = Claim(
    name="P8",
    question="Does what helps accuracy help robustness?",
    parts=(
        Part(MORE, RAISES, "robustness"),
        Part(WEIGHTS, RAISES, "robustness"),
        Part(MORE, RAISES),
        Part(WEIGHTS, RAISES),
    ),
    find=find,
    design=design,
    across="actions",
    families=FAMILIES,
)
