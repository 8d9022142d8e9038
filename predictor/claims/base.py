"""What a claim is made of: a question, paired comparisons that speak to it, and what each of them should show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from predictor.claims.configurations import Configuration
from predictor.statistics.equivalence import MeanTest

if TYPE_CHECKING:
    from predictor.claims.target_sets import Site

MARGIN = 0.01  # one point of accuracy: less than that is no effect
TARGET_SETS = 6  # fewer give no verdict


@dataclass(frozen=True)
class Hypothesis:
    """What a part of a claim says about its effect, and the tests for and against it.

    supports, contradicts : (test of the mean effect, margin) -> p, small where the effects speak for or against it
    level : of the interval that belongs to the tests: 95 % for a difference from 0, 90 % for a margin's two one-sided
    """

    name: str
    supports: Callable[[MeanTest, float], float]
    contradicts: Callable[[MeanTest, float], float]
    level: float


RAISES = Hypothesis(  # an effect that is surely below one point is none, even where it differs from 0
    "raises", lambda t, m: min(1.0, 2 * t.p_above(0)), lambda t, m: t.p_below(m), 0.95
)
LOWERS = Hypothesis("lowers", lambda t, m: min(1.0, 2 * t.p_below(0)), lambda t, m: t.p_above(-m), 0.95)
NO_EFFECT = Hypothesis("no effect", lambda t, m: t.p_equivalent(m), lambda t, m: t.p_beyond(m), 0.90)
NOT_WORSE = Hypothesis("not worse", lambda t, m: t.p_above(-m), lambda t, m: t.p_below(-m), 0.90)


@dataclass(frozen=True)
class Part:
    """One thing that a claim says. A claim holds where all its parts do.

    contrast : name of the comparisons that speak to it
    outcome : accuracy or robustness
    sizes : so many different per-class sizes of the base are needed in a target set before it counts
    """

    contrast: str
    expects: Hypothesis
    outcome: str = "accuracy"
    sizes: int = 1

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.contrast}: {self.outcome}"


@dataclass(frozen=True)
class Contrast:
    """Configurations of one target set that differ in nothing but what a claim is about.

    base : the configuration that it starts from; comparisons of one base are averaged, not counted
    arms : (configuration, weight); the weights add up to 0, and the effect is the weighted sum of the outcomes
    scale : the effect is multiplied by it, e.g. to read per doubling
    unpaired : means over seeds may be compared where the arms share no draw of the images
    """

    contrast: str
    base: Configuration
    arms: tuple[tuple[Configuration, float], ...]
    scale: float = 1.0
    unpaired: bool = False


def difference(contrast: str, base: Configuration, more: Configuration, less: Configuration) -> Contrast:
    """The plain comparison of two configurations: outcome(more) - outcome(less)."""
    return Contrast(contrast, base, ((more, 1.0), (less, -1.0)))


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim about training data that runs can support or contradict. One file each, with `CLAIM` in it.

    name : unique, as in the output
    question : one sentence
    parts : what must hold, the one that the claim is about first; its effect stands in the table
    find : configurations that share everything but data and schedule -> comparisons
    design : a target set -> levels of a grid's axes, a configuration each, that would test the claim there
    margin : an effect below it is no effect
    describe : {part name: {target set: effect}} -> a sentence to print beside the verdict, or None
    across : what configurations that `find` is given may differ in beside data and schedule: '' nothing, 'actions'
        against imbalance, or 'recipes': network, weights and recipe
    families : recipe families that it has a verdict for, each its own; (): none, it is about networks
        from scratch, as the paper's are, or about all runs where there are none
    """

    name: str
    question: str
    parts: tuple[Part, ...]
    find: Callable[[Sequence[Configuration]], Iterable[Contrast]]
    design: Callable[[Site], Iterable[Mapping[str, Any]]] | None = None
    margin: float = MARGIN
    describe: Callable[[Mapping[str, Mapping[str, float]]], str | None] | None = None
    across: str = ""
    families: tuple[str, ...] = ()
