"""C3: other classes from another natural source do as well as same-source ones or better; synthetic ones do worse than
natural ones and better than none.

Compared, all in one stage from one base without other classes: the base with other classes of one kind, equal in their
number and size, hence in added samples. Kinds: `same` (their images have the origin of the target images), `other`
(another natural origin), `synthetic` (drawn, as FractalDB's); other classes of several kinds at once are not used. Both
schedules are those against the base. No shift is counted whose images share their origin with added classes
(`predictor.claims.origins`); the clean test images do share it with same-source classes, which can only make
`not worse than same-source` harder to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from predictor.claims.alike import grouped, place
from predictor.claims.base import NOT_WORSE, RAISES, Claim, Contrast, Part, difference
from predictor.claims.configurations import EQUAL_EPOCHS, EQUAL_STEPS, Configuration, schedules
from predictor.claims.target_sets import Site

OTHER_SAME, NATURAL_SYNTHETIC, SYNTHETIC_NONE = (
    "other source against same",
    "natural against synthetic",
    "synthetic against none",
)


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """Kinds of other classes against each other and against none."""
    single = [c for c in group if c.single]
    of_a_kind = grouped((c for c in single if c.kind()), place)
    for base in (c for c in single if not c.others):
        arms = of_a_kind[place(base)]
        for arm in arms:
            for schedule in sorted(schedules(base, arm)):
                if arm.kind() == "synthetic":
                    yield difference(f"{SYNTHETIC_NONE}, {schedule}", base, arm, base)
                for second in arms:
                    if schedule in schedules(base, second) and _shape(second) == _shape(arm):
                        if (arm.kind(), second.kind()) == ("other", "same"):
                            yield difference(f"{OTHER_SAME}, {schedule}", base, arm, second)
                        elif arm.kind() != "synthetic" and second.kind() == "synthetic":
                            yield difference(f"{NATURAL_SYNTHETIC}, {schedule}", base, arm, second)


def _shape(c: Configuration) -> tuple[int, int]:
    return sum(other.n_classes for other in c.others), c.added


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """As many other classes as targets of each kind, at both schedules."""
    n = site.samples_per_class
    yield {"samples_per_class": n, "image_steps": site.image_steps}
    for steps, kind in product((site.image_steps, 2 * site.image_steps), ("same", "other", "synthetic")):
        yield {"samples_per_class": n, "image_steps": steps, "others": site.others((kind,), site.n_classes, n)}


CLAIM = Claim(
    name="C3",
    question="Are other classes of another natural source as good as same-source ones, and synthetic ones in between?",
    parts=tuple(
        Part(f"{contrast}, {schedule}", expects, outcome)
        for contrast, expects in ((OTHER_SAME, NOT_WORSE), (NATURAL_SYNTHETIC, RAISES), (SYNTHETIC_NONE, RAISES))
        for outcome in ("accuracy", "robustness")
        for schedule in (EQUAL_STEPS, EQUAL_EPOCHS)
    ),
    find=find,
    design=design,
)
