"""C2: H-scaling (more classes) raises accuracy more per added sample than V-scaling, and raises it at all.

Two questions, each with a verdict of its own: `C2`, H against V, and `C2-none`, H against nothing.

Compared, all in one stage from one base without other classes: H, the base with other classes of natural images, each
of the base's class size; V, the base with larger classes that hold as many added samples as H's. H against V has the
same number of samples, hence of image-steps and of epochs; both schedules are those against the base. The comparison of
the two needs three base sizes in a target set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from predictor.claims.alike import Close, grouped, place
from predictor.claims.base import RAISES, Claim, Contrast, Part, difference
from predictor.claims.configurations import EQUAL_EPOCHS, EQUAL_STEPS, Configuration, schedules, unedited
from predictor.claims.target_sets import Site

AGAINST_V, AGAINST_NONE = "H against V", "H against none"
CLASS_SIZE = 0.1  # H keeps the class size constant, up to this


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """H against V and against the base."""
    single = [c for c in group if c.single and unedited(c.data.profile) and not c.data.blend]
    alone = grouped((c for c in single if not c.others), lambda c: c.data.profile)
    larger = {profile: Close(own, attrgetter("n_samples")) for profile, own in alone.items()}
    natural = grouped(filter(_natural, single), place)
    for base in (c for c in single if not c.others):
        for h in natural[place(base)]:
            for schedule in sorted(schedules(base, h)):
                yield difference(f"{AGAINST_NONE}, {schedule}", base, h, base)
                for v in larger[base.data.profile].near(h.n_samples):
                    if v.size > base.size and schedule in schedules(base, v):
                        yield difference(f"{AGAINST_V}, {schedule}", base, h, v)


def _natural(c: Configuration) -> bool:
    sizes = all(abs(other.samples_per_class - c.size) <= CLASS_SIZE * c.size for other in c.others)
    return bool(c.others) and sizes and c.kind() in ("same", "other")


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """As many other classes as targets, against twice the size, from three sizes, at both schedules."""
    for n in (max(site.samples_per_class // 2, 1), site.samples_per_class, 2 * site.samples_per_class):
        yield {"samples_per_class": n, "image_steps": site.image_steps}
        for steps in (site.image_steps, 2 * site.image_steps):
            yield {"samples_per_class": 2 * n, "image_steps": steps}
            yield {
                "samples_per_class": n,
                "image_steps": steps,
                "others": site.others(("same", "other"), site.n_classes, n, keep_shifts=True),
            }


CLAIM = Claim(
    name="C2",
    question="Does H-scaling raise accuracy more than V-scaling per added sample?",
    parts=tuple(Part(f"{AGAINST_V}, {schedule}", RAISES, sizes=3) for schedule in (EQUAL_STEPS, EQUAL_EPOCHS)),
    find=find,
    design=design,
)
CLAIM_NONE = Claim(
    name="C2-none",
    question="Does H-scaling raise accuracy and robustness, against no other classes?",
    parts=tuple(
        Part(f"{AGAINST_NONE}, {schedule}", RAISES, outcome)
        for outcome in ("accuracy", "robustness")
        for schedule in (EQUAL_STEPS, EQUAL_EPOCHS)
    ),
    find=find,
    design=design,
)
