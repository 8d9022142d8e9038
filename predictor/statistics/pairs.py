"""Statistics over pairs of configurations: concordant, discordant, tied.

Everything is a quadratic form in the weights of the configurations, so a bootstrap is one matrix product: a
configuration drawn twice forms a tied pair with itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PairCounts:
    """Pairs of configurations (scalars, or arrays over resamples).

    concordant, discordant : ordered alike, ordered against each other
    tied_x, tied_y, tied_both : tied in the indicator alone, the outcome alone, both
    """

    concordant: Floats
    discordant: Floats
    tied_x: Floats
    tied_y: Floats
    tied_both: Floats

    @property
    def tau_b(self) -> Floats:
        """Kendall's tau-b (Kendall 1945): (C - D) / sqrt((C + D + Tx)(C + D + Ty)); nan where all are tied."""
        untied = self.concordant + self.discordant
        return _ratio(self.concordant - self.discordant, np.sqrt((untied + self.tied_x) * (untied + self.tied_y)))

    @property
    def gamma(self) -> Floats:
        """Goodman and Kruskal's gamma (1954): (C - D) / (C + D); ignores ties; nan where every pair is tied."""
        return _ratio(self.concordant - self.discordant, self.concordant + self.discordant)

    @property
    def somers_d(self) -> Floats:
        """Somers' d (1962) of y given x, ties in x left out: (C - D) / (C + D + Ty)."""
        return _ratio(self.concordant - self.discordant, self.concordant + self.discordant + self.tied_y)

    @property
    def tied_share(self) -> Floats:
        """Share of the pairs that are tied in the indicator or the outcome."""
        tied = self.tied_x + self.tied_y + self.tied_both
        return _ratio(tied, tied + self.concordant + self.discordant)

    @property
    def decision_accuracy(self) -> Floats:
        """Share of the pairs with distinct outcomes that x orders right; a tie in x counts 1/2 (DataDecide 2025)."""
        return _ratio(self.concordant + 0.5 * self.tied_x, self.concordant + self.discordant + self.tied_x)


def pair_counts(x: Floats, y: Floats, weights: Floats | None = None) -> PairCounts:
    """Count the pairs of n configurations.

    x, y : (n,) finite
    weights : (B, n) how often each configuration is drawn; None: once

    >>> p = pair_counts(np.array([1.0, 2, 2, 3]), np.array([1.0, 3, 2, 2]))
    >>> int(p.concordant), int(p.discordant), int(p.tied_x), int(p.tied_y), float(p.gamma)
    (3, 1, 1, 1, 0.5)
    """
    sign_x, sign_y = _signs(x), _signs(y)
    product = sign_x * sign_y
    w = np.ones((1, len(x))) if weights is None else weights
    net, untied = _form(product, w), _form(np.abs(product), w)
    untied_x, untied_y = _form(np.abs(sign_x), w), _form(np.abs(sign_y), w)
    total = w.sum(1) * (w.sum(1) - 1) / 2
    counts = PairCounts(
        concordant=(untied + net) / 2,
        discordant=(untied - net) / 2,
        tied_x=untied_y - untied,
        tied_y=untied_x - untied,
        tied_both=total - untied_x - untied_y + untied,
    )
    if weights is None:
        return PairCounts(**{name: value[0] for name, value in vars(counts).items()})
    return counts


def permuted_pairs(x: Floats, y: Floats, orders: NDArray[np.int64]) -> PairCounts:
    """Pair counts for y taken in each of the (P, n) orders."""
    sign_x, sign_y = _signs(x), _signs(y)
    total = len(x) * (len(x) - 1) / 2
    net, untied = np.empty(len(orders)), np.empty(len(orders))
    chunk = max(1, 4_000_000 // len(x) ** 2)  # entries held at once: 32 MB
    for first in range(0, len(orders), chunk):
        part = orders[first : first + chunk]
        product = sign_x * sign_y[part[:, :, None], part[:, None, :]]
        net[first : first + chunk] = product.sum((1, 2)) / 2
        untied[first : first + chunk] = np.abs(product).sum((1, 2)) / 2
    untied_x, untied_y = np.abs(sign_x).sum() / 2, np.abs(sign_y).sum() / 2
    return PairCounts(
        concordant=(untied + net) / 2,
        discordant=(untied - net) / 2,
        tied_x=untied_y - untied,
        tied_y=untied_x - untied,
        tied_both=total - untied_x - untied_y + untied,
    )


def _signs(values: Floats) -> Floats:
    return np.sign(values[:, None] - values[None, :])


def _form(matrix: Floats, weights: Floats) -> Floats:
    return np.einsum("bi,bi->b", weights @ matrix, weights) / 2


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, above / below, np.nan)
