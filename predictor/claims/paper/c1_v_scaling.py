"""C1: V-scaling (more images per class) raises accuracy and robustness.

Compared: two sizes of one data set in one stage: same source, profile (unedited: an edit names a size of its own),
blend and other classes. Each size is compared with the next larger one that is at least half as large again, once at
equal image-steps and once at equal epochs, so that more data is not confused with more steps. Effect: per doubling.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from predictor.claims.alike import Larger, grouped, shape
from predictor.claims.base import RAISES, Claim, Contrast, Part
from predictor.claims.configurations import EQUAL_EPOCHS, EQUAL_STEPS, Configuration, unedited
from predictor.claims.target_sets import Site

STEP = 1.5


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """Each size against the next larger one."""
    single = [c for c in group if c.single and unedited(c.data.profile)]
    alike = {key: Larger(own) for key, own in grouped(single, shape).items()}
    for base in single:
        for schedule in (EQUAL_STEPS, EQUAL_EPOCHS):
            more = alike[shape(base)].of(base, schedule, STEP * base.size)
            if more is not None:
                doublings = math.log2(more.size / base.size)
                yield Contrast(schedule, base, ((more, 1.0), (base, -1.0)), scale=1 / doublings)


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """One size and its double, at both schedules."""
    n, steps = site.samples_per_class, site.image_steps
    yield {"samples_per_class": n, "image_steps": steps}
    yield {"samples_per_class": 2 * n, "image_steps": steps}
    yield {"samples_per_class": 2 * n, "image_steps": 2 * steps}


CLAIM = Claim(
    name="C1",
    question="Does V-scaling raise accuracy and robustness?",
    parts=tuple(
        Part(schedule, RAISES, outcome)
        for outcome in ("accuracy", "robustness")
        for schedule in (EQUAL_STEPS, EQUAL_EPOCHS)
    ),
    find=find,
    design=design,
)
