"""What the claims that people repeat compare: configurations of one stage that differ in one thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from predictor.claims.alike import grouped
from predictor.claims.base import Claim, Contrast, Part
from predictor.claims.configurations import Configuration, close, schedules
from predictor.claims.target_sets import Site
from predictor.recipes import FAMILIES, FROZEN, NONE, Action

UNEVEN = {"shape": "step", "ratio": 10, "share": 0.5}  # half of the classes ten times larger


def unpaired(contrast: str, base: Configuration, more: Configuration, less: Configuration) -> Contrast:
    """outcome(more) - outcome(less), by means over seeds where no draw of the images is shared."""
    return Contrast(contrast, base, ((more, 1.0), (less, -1.0)), unpaired=True)


def plain(group: Sequence[Configuration]) -> list[Configuration]:
    """Those of one stage in which nothing is done about imbalance."""
    return [each for each in group if each.single and each.action == NONE]


def as_long(base: Configuration, arm: Configuration) -> bool:
    """Trained as long, in image-steps or in epochs; the head of a frozen network is solved for."""
    return base.family == FROZEN or bool(schedules(base, arm))


def acting(group: Sequence[Configuration], **action: str) -> Iterator[tuple[Configuration, Configuration]]:
    """(without, with) pairs on the same uneven classes: nothing done about imbalance, and this alone."""
    wanted = Action(**action)
    arms = grouped((each for each in group if each.single and each.action == wanted), lambda each: each.data)
    for base in plain(group):
        if base.counts and base.counts[0] > base.counts[-1]:
            for arm in arms[base.data]:
                if close(arm.image_steps, base.image_steps):
                    yield base, arm


def action_design(site: Site, **action: str) -> Iterable[Mapping[str, Any]]:
    """Uneven classes with nothing done about it, and with this action."""
    shared = {"samples_per_class": site.samples_per_class, "image_steps": site.image_steps, "profile": UNEVEN}
    yield shared
    yield {**shared, **action}


def action_claim(name: str, question: str, part: Part, **action: str) -> Claim:
    """What this action against imbalance does, on the same uneven classes, in every recipe family."""

    def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
        for base, arm in acting(group, **action):
            yield unpaired(part.contrast, base, arm, base)

    return Claim(
        name=name, question=question, parts=(part,), find=find, design=lambda site: action_design(site, **action),
        across="actions", families=FAMILIES,
    )  # fmt: skip
