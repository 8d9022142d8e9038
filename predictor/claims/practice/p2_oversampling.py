"""P2: drawing every class as often changes nothing (Buda, Maki & Mazurowski 2018 found that it does no harm).

A null claim: supported by two one-sided tests, never by "not significant".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictor.claims.base import NO_EFFECT, Claim, Contrast, Part
from predictor.claims.configurations import Configuration
from predictor.claims.practice.p1_class_weights import STEP
from predictor.claims.practice.pairs import acting, unpaired
from predictor.claims.target_sets import Site
from predictor.recipes import FAMILIES

SAMPLING = "balanced sampling against natural"


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """The same uneven classes, drawn as often as they have images, and each class as often."""
    for base, arm in acting(group, sampling="balanced"):
        yield unpaired(SAMPLING, base, arm, base)


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """Half of the classes ten times larger, both ways to draw."""
    shared = {"samples_per_class": site.samples_per_class, "image_steps": site.image_steps, "profile": STEP}
    yield shared
    yield {**shared, "sampling": "balanced"}


CLAIM = Claim(
    name="P2",
    question="Is oversampling small classes without effect?",
    parts=(Part(SAMPLING, NO_EFFECT),),
    find=find,
    design=design,
    across="actions",
    families=FAMILIES,
)
