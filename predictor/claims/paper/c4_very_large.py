"""C4: with very large label sets naive H-scaling fails, and pretrain-then-fine-tune works, in either direction.

Compared at equal image-steps in all (summed over the stages): few (the targets alone, one stage), naive (the targets
and at least ten other classes a target, one stage), many-then-few (a stage with those other classes, with or without
the targets, then the targets alone) and few-then-many. The target images and the other classes are the same in all of
them. A later stage may have a recipe of its own and begins with a fresh head, as fine-tuning does: with a kept one the
logits of classes that the first stage never saw are so far off that learning them destroys the network. Naive fails
where it lowers accuracy against few; two stages work where they raise it against naive and are not worse than few. The
claim is about the clean accuracy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from predictor.claims.alike import grouped
from predictor.claims.base import LOWERS, NOT_WORSE, RAISES, Claim, Contrast, Part, difference
from predictor.claims.configurations import Configuration, close
from predictor.claims.target_sets import Site
from predictor.spec import StageData

MANY = 10  # other classes a target class
DIRECTIONS = ("many-then-few", "few-then-many")


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """One stage with many classes and two stages in both directions, against few."""
    possible = grouped(((few, c) for c in group for few in _possible(c)), itemgetter(0))
    for few in (c for c in group if c.single and not c.others):
        arms: dict[str, dict[Any, list[Configuration]]] = {name: {} for name in ("naive", *DIRECTIONS)}
        for _, c in (*possible[few.data], *possible[None]):
            found = _arm(c, few)
            if found and close(c.image_steps, few.image_steps):
                arms[found[0]].setdefault(found[1], []).append(c)
        for others, naives in arms["naive"].items():
            for naive in naives:
                yield difference("naive against few", few, naive, few)
                for direction in DIRECTIONS:
                    for c in arms[direction].get(others, []):
                        yield difference(f"{direction} against naive", few, c, naive)
        for direction in DIRECTIONS:
            for c in (c for found in arms[direction].values() for c in found):
                yield difference(f"{direction} against few", few, c, few)


def _possible(c: Configuration) -> set[StageData | None]:
    """What `few` may train on where a configuration is an arm against it: a stage's data, with or without others.

    None: on anything, beside a configuration that trains none of the targets.
    """
    data = [stage.data for stage in c.spec.stages]
    if c.single and not c.size:
        return {None}
    return {*data, *(each.model_copy(update={"others": ()}) for each in data)}


def _arm(c: Configuration, few: Configuration) -> tuple[str, Any] | None:
    """Which arm a configuration is against `few`, and its other classes."""
    stages = [stage.data for stage in c.spec.stages]
    parts = [_part(data, few.data, len(c.spec.target.classes)) for data in stages]
    if c.single and parts == ["many"]:
        return "naive", stages[0].others
    if len(parts) != 2 or c.spec.stages[1].head != "fresh":
        return None
    if set(parts) == {"many", "few"} and stages[-1].samples_per_class:
        name = "many-then-few" if parts[0] == "many" else "few-then-many"
        return name, stages[parts.index("many")].others
    return None


def _part(data: StageData, few: StageData, n_classes: int) -> str | None:
    if data == few:
        return "few"
    targets = data.samples_per_class == 0 or data.model_copy(update={"others": ()}) == few
    return "many" if targets and sum(other.n_classes for other in data.others) >= MANY * n_classes else None


def design(site: Site) -> Iterable[Mapping[str, Any]]:
    """The four arms."""
    n, steps = site.samples_per_class, site.image_steps
    yield {"samples_per_class": n, "image_steps": steps}
    many = site.others(("other", "same"), MANY * site.n_classes, n, together=True)
    yield {"samples_per_class": n, "image_steps": steps, "others": many}
    for direction in DIRECTIONS:
        yield {"samples_per_class": n, "image_steps": steps, "others": many, "stages": direction}


CLAIM = Claim(
    name="C4",
    question="Do very large label sets fail in one stage and work in two, in either direction?",
    parts=(
        Part("naive against few", LOWERS),
        *(Part(f"{direction} against naive", RAISES) for direction in DIRECTIONS),
        *(Part(f"{direction} against few", NOT_WORSE) for direction in DIRECTIONS),
    ),
    find=find,
    design=design,
)
