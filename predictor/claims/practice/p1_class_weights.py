"""P1: weighing classes by the inverse of their size raises class-balanced accuracy where classes are uneven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictor.claims.base import RAISES, Claim, Contrast, Part
from predictor.claims.configurations import Configuration
from predictor.claims.practice.pairs import acting, unpaired
from predictor.claims.target_sets import Site
from predictor.recipes import FAMILIES

WEIGHTS = "class weights against none"
STEP = {"shape": "step", "ratio": 10, "share": 0.5}


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """The same uneven classes with and without weights."""
    for base, arm in acting(group, class_weights="inverse"):
        yield unpaired(WEIGHTS, base, arm, base)


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """Half of the classes ten times larger, with and without weights."""
    shared = {"samples_per_class": site.samples_per_class, "image_steps": site.image_steps, "profile": STEP}
    yield shared
    yield {**shared, "class_weights": "inverse"}


CLAIM = Claim(
    name="P1",
    question="Do class weights help?",
    parts=(Part(WEIGHTS, RAISES),),
    find=find,
    design=design,
    across="actions",
    families=FAMILIES,
)
