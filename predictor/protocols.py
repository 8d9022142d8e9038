"""Runs of several protocols: which give the same numbers, and may be compared."""

from __future__ import annotations

from collections.abc import Collection

from predictor.spec import PROTOCOLS, RunSpec, last_alone


def protocols_of(spec: RunSpec) -> frozenset[int]:
    """The protocols under which a run gives the same numbers as under the one that it states.

    Protocol 3 orders the images of each stage anew (protocol 2 repeats the order of the first), spreads label smoothing
    over the classes that a stage trains (protocol 2: over all logits of the head), and joins a last batch of one image
    to the batch before. What has none of these is trained alike by both.
    """
    recipes = [spec.recipe_of(number) for number in range(len(spec.stages))]
    changed = (
        len(spec.stages) > 1
        or any(recipe.label_smoothing for recipe in recipes)
        or any(last_alone(s.image_steps, r.batch_size) for s, r in zip(spec.stages, recipes, strict=True))
    )
    return frozenset(PROTOCOLS) if spec.protocol in PROTOCOLS and not changed else frozenset([spec.protocol])


def comparable(specs: Collection[RunSpec]) -> bool:
    """Whether runs may be compared: one protocol gives the numbers of all of them."""
    return not specs or bool(frozenset.intersection(*map(protocols_of, specs)))


def protocol_beside(specs: Collection[RunSpec]) -> int:
    """The protocol of what is trained beside comparable runs: the newest that one of them states and that gives the
    numbers of all."""
    common = frozenset.intersection(*map(protocols_of, specs))
    return max({spec.protocol for spec in specs} & common or common)


def compared_as(specs: Collection[RunSpec]) -> list[int]:
    """For each run the protocol among whose runs it is compared: those of one protocol are comparable with each other.

    A run that several protocols train alike joins those that only one of them trains so; where there are such of
    several protocols, those of its own.
    """
    possible = [protocols_of(spec) for spec in specs]
    bound = {protocol for own in possible if len(own) == 1 for protocol in own}
    found = []
    for spec, own in zip(specs, possible, strict=True):
        join = own & bound
        found.append(next(iter(join)) if len(join) == 1 else spec.protocol if join else min(own))
    return found
