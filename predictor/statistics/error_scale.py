"""How large the error of a prediction is expected to be, up to a factor, before anything is trained; numpy alone.

log s = - tail/2 log(4 p (1 - p)) + doubt log((d + 0.03) / (typical + 0.03)) + haste h + log factor of the domain

p : predicted accuracy; tail 0: errors in logits are the same everywhere, 1: they grow like binomial noise
d : how far the models disagree, in logits: far from the runs they were fitted to, each goes on in its own way (query by
    committee, Seung, Opper & Sompolinsky 1992)
h : how much shorter than usual the training is, log(usual / image-steps), 0 where it is not: some short trainings take
    off and some do not
factor : mean error of the domain against all, pulled towards 1 as by fifteen errors of usual size

The exponents are those under which errors with a double exponential tail are most likely, in steps of a tenth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
GRID = tuple(step / 10 for step in range(11))
FEW = 20  # errors: fewer cannot tell how they grow
LEAST = 0.03  # logits: models that agree are not certain
PULL = 15  # errors
GAIN = 1e-6
EDGE = 0.01  # accuracies beyond have errors as there


@dataclass(frozen=True, eq=False)
class Signs:
    """What tells, before training, how large errors are likely to be; one value, or one of each prediction.

    doubt : how far the models disagree, in logits
    haste : how much shorter than usual the training is, see `haste`
    domains : of each prediction; None: not said
    """

    doubt: Floats | float = 0.0
    haste: Floats | float = 0.0
    domains: Sequence[str | None] | NDArray[Any] | None = None

    def part(self, chosen: NDArray[Any]) -> Signs:
        """Those of some of the predictions."""
        n = len(chosen)
        return Signs(
            np.broadcast_to(self.doubt, n)[chosen],
            np.broadcast_to(self.haste, n)[chosen],
            None if self.domains is None else np.asarray(self.domains)[chosen],
        )


NOTHING = Signs()  # is said of the predictions


def haste(steps: Floats | float, usual: float | None) -> Floats:
    """How much shorter than usual a training is, in logarithms of its image-steps; 0 where it is not, or not known.

    >>> haste(np.array([7500.0, 30000.0]), 15000.0).round(2).tolist()
    [0.69, 0.0]
    """
    own = np.asarray(steps, dtype=np.float64)
    if usual is None:
        return np.zeros_like(own)
    return np.maximum(np.log(usual / np.where(np.isfinite(own) & (own > 0), own, usual)), 0.0)


@dataclass(frozen=True)
class ErrorScale:
    """Expected size of an error, up to a factor.

    >>> scale = ErrorScale(tail=1.0, factors={"cifar": 2.0})
    >>> scale(np.array([0.5, 0.9])).round(2).tolist(), scale(0.5, Signs(domains=["cifar"])).tolist()
    ([1.0, 1.67], [2.0])
    """

    tail: float = 0.5
    doubt: float = 0.0
    haste: float = 0.0
    typical: float = 0.0
    factors: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, p: Floats | float, signs: Signs = NOTHING) -> Floats:
        """(n,) expected sizes; of a domain that is not known: as of all."""
        inside = np.clip(np.asarray(p, dtype=np.float64), EDGE, 1 - EDGE)
        size = (4 * inside * (1 - inside)) ** (-self.tail / 2) * np.exp(self.haste * np.asarray(signs.haste))
        if self.doubt:
            size = size * ((np.asarray(signs.doubt) + LEAST) / (self.typical + LEAST)) ** self.doubt
        if signs.domains is not None and self.factors:
            size = size * np.array([self.factors.get(name or "", 1.0) for name in signs.domains])
        return np.asarray(size)

    @classmethod
    def fitted(cls, errors: Floats, p: Floats, signs: Signs) -> ErrorScale:
        """The scale under which the errors of held-out predictions are most likely; of fewer than FEW: the default.

        >>> signs = Signs(np.tile([0.0, 0.3], 50), domains=["a"] * 100)
        >>> found = ErrorScale.fitted(0.1 * (signs.doubt + 0.03), np.full(100, 0.5), signs)
        >>> found.doubt, found.factors
        (1.0, {'a': 1.0})
        """
        if len(errors) < FEW:
            return cls()
        size = np.abs(errors)
        start = cls(tail=0.5, typical=float(np.median(signs.doubt)))
        alone = replace(signs, domains=None)

        known: dict[tuple[float, float, float], float] = {}  # the descent comes back to where it was

        def loss(scale: ErrorScale) -> float:
            at = (scale.tail, scale.doubt, scale.haste)
            if at not in known:
                expected = scale(p, alone)
                penalty = (scale.tail**2 + scale.doubt**2 + scale.haste**2) / len(errors)
                known[at] = float(np.log(np.mean(size / expected) + 1e-12) + np.mean(np.log(expected))) + penalty
            return known[at]

        grows = [name for name in ("doubt", "haste") if np.any(np.asarray(getattr(signs, name)) > 0)]
        found = _descended(start, ["tail", *grows], loss)
        relative = size / found(p, alone)
        usual, factors = float(relative.mean()), {}
        for name in [] if signs.domains is None or not usual > 0 else sorted(set(map(str, signs.domains))):
            own = relative[np.asarray(signs.domains) == name]
            factors[name] = (float(own.sum()) + PULL * usual) / (len(own) + PULL) / usual
        return replace(found, factors=factors if len(factors) > 1 else dict.fromkeys(factors, 1.0))

    @classmethod
    def stored(cls, plain: Mapping[str, Any]) -> ErrorScale:
        """The scale that a fit holds."""
        return cls(**plain)

    def plain(self) -> dict[str, Any]:
        """Plain data for a fit."""
        return {**asdict(self), "factors": dict(self.factors)}


def _descended(start: ErrorScale, names: Sequence[str], loss: Callable[[ErrorScale], float]) -> ErrorScale:
    """One exponent after the other, each the best on the grid while the others stay, until none moves."""
    found, best = start, loss(start)
    for _ in range(5):
        before = found
        for name in names:
            for value in GRID:
                candidate = replace(found, **{name: value})
                reached = loss(candidate)
                if reached < best - GAIN:
                    found, best = candidate, reached
        if found == before:
            break
    return found


DEFAULT = ErrorScale()  # where nothing was fitted
