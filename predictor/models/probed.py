"""What a probe of the images says of a new target set: a model's level is replaced, or moved, and its growth stretched.

A model that never saw a target set knows how accuracy changes with the counts, but not its level; a probe
(`predictor.images`) knows the level of 20 images a class and how fast it grows. In logits of the share above chance

    new domain        eta = a + c q + e log(C / C0) + (b + d (g - g0)) (f - f20)
    new target set    eta = f20 + a + c (q - q0) + (b + d (g - g0)) (f - f20)

f : the model for the manifest, f20 : the same for 20 images of each class and nothing else; q, g : level and slope of
the probe; C : number of classes, since at 20 images of each a network sees more images in all, which the probe's fixed
features make nothing of; q0 : mean level of the known target sets of the domain; a, b, c, d, e learnt from left-out
target sets (`predictor.fitting.probes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import PredictorError
from predictor.images.results import METHOD, Probe
from predictor.indicators import compute
from predictor.indicators.registry import known
from predictor.models.case import CLASS_FEATURES, RECIPE, Case, Floats, base_of
from predictor.models.evaluate import Parameters, ReadyModel, evaluator
from predictor.models.links import expit, logit

KIND = "probed"
REFERENCE = 20  # images of each class
CLASS_EDGE = 0.02  # of a class's share: few images tell no more
LOWEST, HIGHEST = 0.03, 0.995  # shares above chance beyond have logits that tell nothing of growth: a model that knows
# no level of two classes may put them below chance


@dataclass(frozen=True)
class Told:
    """What a probe says of a target set.

    level : logit above chance at 20 images a class; slope : its growth with their logarithm; None: one size only
    classes : {class: how far its logit lies above the mean of them}; method : of the probe
    """

    level: float
    slope: float | None
    classes: Mapping[str, float] = field(default_factory=dict)
    method: str = METHOD

    @classmethod
    def of(cls, probe: Probe) -> Told | None:
        """None where the images were too few for any size."""
        level = probe.level(REFERENCE)
        if level is None:
            return None
        return cls(level, probe.slope, _difficulty(probe), probe.method)


def _difficulty(probe: Probe) -> dict[str, float]:
    """Logit of each class at the largest number of images that all of them have, from their mean."""
    for size in reversed(probe.sizes):
        n = size.samples_per_class
        own = {one.name: one.accuracy[n] for one in probe.classes if n in one.accuracy}
        if len(own) == len(probe.classes):
            logits = {name: float(logit(min(max(share, CLASS_EDGE), 1 - CLASS_EDGE))) for name, share in own.items()}
            mean = sum(logits.values()) / len(logits)
            return {name: value - mean for name, value in logits.items()}
    return {}


def above_chance(accuracy: Floats, chance: Floats | float) -> Floats:
    """Logit of the share above chance.

    >>> (above_chance(np.array([0.6, 0.05]), 0.2).round(2) + 0).tolist()
    [0.0, -3.48]
    """
    share = np.clip((accuracy - chance) / (1 - np.asarray(chance)), LOWEST, HIGHEST)
    return np.log(share / (1 - share))


def from_above(eta: Floats, chance: Floats | float) -> Floats:
    """The accuracy whose `above_chance` is eta.

    >>> from_above(np.array([0.0]), 0.2).round(6).tolist()
    [0.6]
    """
    return np.asarray(chance) + (1 - np.asarray(chance)) * expit(eta)


def at_reference(model: ReadyModel, cases: Sequence[Case], image_steps: float | None) -> Floats:
    """(n,) above-chance logits of the model for 20 images of each target class, no others, at these image-steps."""
    made: dict[tuple[int, str | None, str | None], Case] = {}
    for case in cases:
        n = round(1 / case.chance)
        made.setdefault((n, case.domain, case.level), _reference(case, n, model.features, image_steps))
    values = dict(zip(made, model.evaluate(list(made.values())).tolist(), strict=True))
    chance = np.array([case.chance for case in cases])
    return above_chance(np.array([values[round(1 / c.chance), c.domain, c.level] for c in cases]), chance)


def _reference(case: Case, n_classes: int, features: Sequence[str], image_steps: float | None) -> Case:
    counts = {f"class {i}": REFERENCE for i in range(n_classes)}
    distribution = LabelDistribution.from_counts(counts, targets=list(counts))
    values = {name: item.value for name, item in compute(distribution, _indicators(features)).items()}
    return replace(
        case,
        distribution=distribution,
        indicators={name: value for name, value in values.items() if value is not None},
        recipe={"image_steps": image_steps} if image_steps else {},
        tested=None,
        _known={},
    )


def _indicators(features: Sequence[str]) -> list[str] | None:
    """The indicators that these features need; None: all of them."""
    bases = {base_of(name) for name in features} - {*CLASS_FEATURES, *RECIPE}
    try:
        for name in bases:
            known(name)
    except PredictorError:
        return None
    return sorted({"n_samples", *bases})


def parameters(base: Parameters, mapping: Mapping[str, Any], told: Told, centre: float | None) -> dict[str, Any]:
    """Parameters of kind 'probed'.

    mapping : constant, level, growth, stretch, classes (a, c, b, d, e), slope, n_classes (g0, C0) and image_steps, as
        fit.json keeps them
    centre : q0 of the known domain; None: a new domain
    """
    return {
        "kind": KIND,
        "features": list(base["features"]),
        "base": base,
        "mapping": dict(mapping),
        "told": [told.level, mapping["slope"] if told.slope is None else told.slope],
        "centre": centre,
    }


def combined(
    mapping: Mapping[str, Any], told: Told, centre: float | None, chance: Floats, f: Floats, f20: Floats
) -> Floats:
    """(n,) the formula of this module."""
    stretch = mapping["growth"] + mapping["stretch"] * (told.slope - mapping["slope"])
    level = told.level if centre is None else told.level - centre
    more = -mapping.get("classes", 0.0) * np.log(chance * mapping.get("n_classes", 1.0))  # fits made before have none
    start = f20 if centre is not None else more
    return start + mapping["constant"] + mapping["level"] * level + max(stretch, 0.0) * (f - f20)


def _ready(stored: Parameters) -> tuple[ReadyModel, Mapping[str, Any], Told, float | None]:
    return ReadyModel(stored["base"]), stored["mapping"], Told(*stored["told"]), stored["centre"]


@evaluator(KIND, ready=_ready)
def evaluate_probed(ready: Any, cases: Sequence[Case], clip: bool) -> Floats:
    """A model with the level and the growth that a probe says; nan where the model cannot be evaluated."""
    model, mapping, told, centre = ready
    chance = np.array([case.chance for case in cases])
    f = above_chance(model.evaluate(cases, clip=clip), chance)
    f20 = at_reference(model, cases, mapping["image_steps"])
    return from_above(combined(mapping, told, centre, chance, f, f20), chance)
