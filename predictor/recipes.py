"""Recipes in words and numbers: what of a network is trained, from which weights, and what is done about imbalance.

A **recipe family** is how a network begins and how much of it is trained: from scratch, frozen below a new head, or
fine-tuned. Families are fitted apart: their levels and slopes differ. Inside one, networks are factors, and so are
actions against imbalance, which enter as what they push each class by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SCRATCH, FROZEN, TUNED = "scratch", "frozen", "fine-tuned"
FAMILIES = (SCRATCH, FROZEN, TUNED)
ACTION_FIELDS = ("class_weights", "sampling", "logit_adjustment", "logit_adjustment_at", "deferred")
PUSHES = ("class_weights", "sampling", "adjusted", "adjusted_at_test")
POWERS = {"natural": 0.0, "sqrt": 0.5, "balanced": 1.0}  # of the class size, by which drawing rare classes is raised
DUST = 1e-9  # of a push: what rounding leaves where all classes are as large
_NAMES = (
    (re.compile(r"class-weights"), lambda m: {"class_weights": "inverse"}),
    (re.compile(r"class-weights:(effective:0?\.[0-9]+)"), lambda m: {"class_weights": m[1]}),
    (re.compile(r"(balanced|sqrt)-sampling"), lambda m: {"sampling": m[1]}),
    (re.compile(r"logit-adjustment(-at-test)?(?::([0-9.]+))?"), lambda m: {
        "logit_adjustment": float(m[2] or 1), "logit_adjustment_at": "test" if m[1] else "loss"}),
    (re.compile(r"deferred:(0?\.[0-9]+)"), lambda m: {"deferred": float(m[1])}),
)  # fmt: skip


@dataclass(frozen=True)
class Action:
    """What training does about imbalance: the words of `predictor.spec.Recipe`; none of it where left out.

    >>> Action.of({"class_weights": "inverse", "momentum": 0.9}).name, Action().name
    ('class-weights', 'none')
    """

    class_weights: str = "none"
    sampling: str = "natural"
    logit_adjustment: float = 0.0
    logit_adjustment_at: str = "loss"
    deferred: float = 0.0

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> Action:
        """The action of a recipe as a spec writes it."""
        return cls(**{name: recipe[name] for name in ACTION_FIELDS if name in recipe})

    @classmethod
    def parse(cls, name: str) -> Action:
        """The action of this name. Raises ValueError for a word that is none.

        >>> Action.parse("class-weights+logit-adjustment-at-test:0.5").logit_adjustment
        0.5
        """
        found: dict[str, Any] = {}
        for word in name.split("+"):
            if word == "none":
                continue
            own = next((make(match) for form, make in _NAMES if (match := form.fullmatch(word))), None)
            if own is None:
                raise ValueError(f"{word!r} is no action")
            found |= own
        return cls(**found)

    @property
    def name(self) -> str:
        """In words, as `--recipe NAME+ACTION` takes them."""
        words = []
        if self.class_weights != "none":
            words.append("class-weights" + ("" if self.class_weights == "inverse" else f":{self.class_weights}"))
        if self.sampling != "natural":
            words.append(f"{self.sampling}-sampling")
        if self.logit_adjustment:
            place = "-at-test" if self.logit_adjustment_at == "test" else ""
            words.append(f"logit-adjustment{place}" + (f":{self.logit_adjustment:g}" * (self.logit_adjustment != 1)))
        if self.deferred:
            words.append(f"deferred:{self.deferred:g}")
        return "+".join(words) or "none"

    def pushes(self, counts: NDArray[np.int64]) -> Floats:
        """(4, C) what the action adds to the logit of each class in favour of rare ones, by PUSHES; their means are 0.

        counts : (C,) images of the target classes. A weight, a rate of drawing and an adjusted logit of a class are
        each a power of its size, so that each is -power * log(n), less its mean.

        >>> Action("inverse").pushes(np.array([80, 20]))[0].round(2).tolist()
        [-0.69, 0.69]
        """
        made = np.zeros((len(PUSHES), len(counts)))
        if self == NONE or not len(counts):
            return made
        size = np.log(np.maximum(counts, 1))
        if self.class_weights == "inverse":
            made[0] = -size
        elif self.class_weights != "none":
            made[0] = -np.log(effective_number(np.maximum(counts, 1), float(self.class_weights.partition(":")[2])))
        made[1] = -POWERS[self.sampling] * size
        made[3 if self.logit_adjustment_at == "test" else 2] = -self.logit_adjustment * size
        made -= made.mean(axis=1, keepdims=True)
        return np.where(np.abs(made) < DUST, 0.0, made)


NONE = Action()


def effective_number(counts: NDArray[Any], beta: float) -> Floats:
    """(C,) effective number of samples (1 - beta^n) / (1 - beta): Cui et al. 2019, equation 2.

    >>> effective_number(np.array([1, 2]), 0.5).tolist()
    [1.0, 1.5]
    """
    return np.asarray((1 - beta**counts) / (1 - beta), dtype=np.float64)


def family_of(model: Mapping[str, Any]) -> str:
    """The recipe family of a network as a spec writes it.

    >>> family_of({"name": "resnet18"}), family_of({"name": "r", "weights": {"name": "a1"}, "train": "head"})
    ('scratch', 'frozen')
    """
    if not model.get("weights"):
        return SCRATCH
    return FROZEN if model.get("train") == "head" else TUNED


def short_name(model: Mapping[str, Any]) -> str:
    """Family, and the weights or the network: what `--recipe` names.

    >>> short_name({"name": "resnet18"}), short_name({"name": "r", "weights": {"name": "a1"}, "train": "last:2"})
    ('scratch-resnet18', 'fine-tuned-a1-last:2')
    """
    family = family_of(model)
    if family == SCRATCH:
        return f"{family}-{model['name']}"
    train = model.get("train", "all")
    return f"{family}-{model['weights']['name']}" + (f"-{train}" if train.startswith("last") else "")
