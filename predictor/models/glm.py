"""Quasi-binomial regression with chance-corrected link, partly pooled intercepts and slopes, and shrunken slopes.

p = chance + (1 - chance) sigmoid(eta),  eta = mu + x.beta + sum over nested groups (a[group] + x.b[group]),
a ~ N(0, tau^2),  b_j ~ N(0, tau_j^2),  beta ~ N(0, s^2) if shrunken.

Fisher scoring on the penalised likelihood; the variances by the fixed point on the Laplace approximation (MacKay
1992, Bayesian interpolation; Schall 1991, Estimation in generalized linear models with random effects), the likelihood
divided by the Pearson dispersion, so that replicates of one class do not count as independent evidence twice. Where the
number of trials is known, they are correlated as in a beta-binomial: var(y) = p (1 - p) (1 + (n - 1) rho) / n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from predictor.models.base import Floats

ROUNDS = 60
TOLERANCE = 1e-3  # of a step, in logits, and of the logs of the variances: far below what they are known to
LOWEST, HIGHEST = 1e-4, 25.0  # variances on the logit scale are kept in here
FREE = 1e4  # variance of what is not shrunken
RIDGE = 1e-9  # of the information, so that it can be inverted


@dataclass(frozen=True, eq=False)
class Groups:
    """A way to group the rows: index (n,) of each row's group, their number, and the features whose slopes differ."""

    index: NDArray[np.int64]
    n: int
    varying: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class PooledFit:
    """mu, slopes; for each way of grouping (n, 1 + p) deviations of intercept and slopes; their standard deviations.

    dispersion : Pearson, beside the correlation `rho` of the trials of one row
    """

    intercept: float
    slopes: Floats
    deviations: list[Floats]
    sds: list[Floats]
    dispersion: float
    rho: float


def fit_pooled(
    x: Floats,
    groups: Sequence[Groups],
    y: Floats,
    weight: Floats,
    *,
    chance: Floats | float = 0.0,
    shrink: bool,
    trials: Floats | None = None,
    within: Floats | None = None,
    n_runs: int | None = None,
) -> PooledFit:
    """Fit by penalised maximum likelihood.

    x : (n, p) standardised features
    groups : ways of grouping; one with a single group adds nothing
    y : (n,) share of successes
    weight : (n,) relative weight (the dispersion takes up the rest)
    trials : (n,) images behind each of the `weight` measurements that y is the mean of; None: weights alone
    within, n_runs : runs with equal features may enter as their weighted mean y and the sum of their weights: then the
        (n,) weighted squares of the runs' distances from it, and how many runs there are; None: n, and no distances
    """
    n, p = x.shape
    terms = [(g, term) for g, own in enumerate(groups) if own.n > 1 for term in (-1, *own.varying)]
    edges = 1 + p + np.cumsum([0, *(groups[g].n for g, _ in terms)])
    columns = [groups[g].index + edges[k] for k, (g, _) in enumerate(terms)]
    design, order = _design(x, columns, [term for _, term in terms], int(edges[-1]))
    chance = np.broadcast_to(np.asarray(chance, dtype=np.float64), (n,))[order]
    y, weight = y[order], weight[order]
    trials = None if trials is None else trials[order]
    # columns that share a variance; a slope that differs between groups is itself as free as the intercept
    varying = {term for _, term in terms}
    rest = np.array([1 + j for j in range(p) if j not in varying] if shrink else [], dtype=np.int64)
    block = np.full(int(edges[-1]), -1)
    block[rest] = len(terms)
    block[1 + p :] = np.repeat(np.arange(len(terms)), np.diff(edges))
    shared, owner = np.flatnonzero(block >= 0), block[block >= 0]
    sizes = np.bincount(owner)
    variance = np.where(block < 0, FREE, 1.0)
    count = n if n_runs is None else n_runs
    relative = weight * (count / weight.sum())
    apart = 0.0 if within is None else within[order] * (count / weight.sum())
    y_mean, guess = np.average(y, weights=weight), np.average(chance, weights=weight)
    start = np.clip((y_mean - guess) / (1 - guess), 0.02, 0.98)
    theta = np.zeros(len(variance))
    theta[0] = np.log(start / (1 - start))
    dispersion, rho = 0.05, 0.05
    for _ in range(ROUNDS):
        if trials is not None:
            relative = weight / (1 / trials + (1 - 1 / trials) * rho)
            relative = relative / relative.mean()
        penalty = dispersion / variance
        new, inverse, mean = _step(design, y, relative, chance, theta, penalty)
        change = float(np.abs(new - theta).max())
        theta = new
        own = inverse.diagonal()
        known = sizes - np.bincount(owner, weights=dispersion * own[shared] / variance[shared])
        binomial = mean * (1 - mean)
        squared = (y - mean) ** 2 / binomial
        # trace of inverse times information, which is the inverse's inverse without the penalty
        effective = len(theta) - float(own @ (penalty + RIDGE))
        before = np.append(variance, dispersion)
        dispersion = max(float((relative * squared + apart / binomial).sum()) / max(count - effective, 1.0), 1e-6)
        if trials is not None:
            excess = float(np.sum(weight * squared - 1 / trials) / np.sum(1 - 1 / trials))
            rho = float(np.clip(excess, 0.0, 0.9)) if (trials > 1).any() else 0.0
        squares = np.bincount(owner, weights=theta[shared] ** 2)
        variance[shared] = np.clip(squares / np.maximum(known, 0.05 * sizes), LOWEST, HIGHEST)[owner]
        moved = np.abs(np.log(np.append(variance, dispersion) / before)).max()
        if change < TOLERANCE and moved < 20 * TOLERANCE:
            break
    deviations = [np.zeros((own.n, 1 + p)) for own in groups]
    sds = [np.zeros(1 + p) for _ in groups]
    for begin, end, (g, term) in zip(edges[:-1], edges[1:], terms, strict=True):
        deviations[g][:, 1 + term] = theta[begin:end]
        sds[g][1 + term] = np.sqrt(variance[begin])
    return PooledFit(float(theta[0]), theta[1 : 1 + p], deviations, sds, dispersion, rho)


@dataclass(frozen=True, eq=False)
class _Design:
    """The design matrix (n, k), of which each row holds few columns that are not 0: the same ones within a cell.

    x : (n, q) those columns, cell after cell
    cell, cells : (n,) cell of each row; where each cell begins and ends
    columns : (cells, q) where the columns of x stand in the design matrix
    pairs : (cells * q * q,) where their products stand in the flat (k, k) information
    """

    x: Floats
    cell: NDArray[np.int64]
    cells: list[slice]
    columns: NDArray[np.int64]
    pairs: NDArray[np.int64]

    def times(self, theta: Floats) -> Floats:
        """(n,) design matrix times theta."""
        return np.einsum("ij,ij->i", self.x, theta[self.columns][self.cell])

    def transposed_times(self, values: Floats, k: int) -> Floats:
        """(k,) the transposed design matrix times (n,) values."""
        sums = np.add.reduceat(self.x * values[:, None], [own.start for own in self.cells], axis=0)
        return np.bincount(self.columns.ravel(), weights=sums.ravel(), minlength=k)

    def information(self, root: Floats, k: int) -> Floats:
        """(k, k) transposed design matrix times itself, rows multiplied by (n,) `root`."""
        x = self.x * root[:, None]
        own = np.array([x[rows].T @ x[rows] for rows in self.cells])
        return np.bincount(self.pairs, weights=own.ravel(), minlength=k * k).reshape(k, k)


def _design(
    x: Floats, columns: Sequence[NDArray[np.int64]], terms: Sequence[int], k: int
) -> tuple[_Design, NDArray[np.int64]]:
    """(design matrix of k columns, order of its rows): a constant, x, for each term a 1 or a feature in its column."""
    n, p = x.shape
    where = np.column_stack([np.tile(np.arange(1 + p), (n, 1)), *columns])
    own = np.column_stack([np.ones(n), x, *(np.ones(n) if term < 0 else x[:, term] for term in terms)])
    code = np.zeros(n, dtype=np.int64)
    for column, term in zip(columns, terms, strict=True):
        code = code * k + column if term < 0 else code  # one term of a grouping tells its groups apart
    _, first, cell = np.unique(code, return_index=True, return_inverse=True)
    order = np.argsort(cell, kind="stable")
    edges = np.append(0, np.cumsum(np.bincount(cell))).tolist()
    cells = [slice(begin, end) for begin, end in pairwise(edges)]
    found = where[first]
    pairs = found[:, :, None] * k + found[:, None, :]
    return _Design(own[order], cell[order], cells, found, pairs.ravel()), order


def _step(
    design: _Design, y: Floats, weight: Floats, chance: Floats, theta: Floats, penalty: Floats
) -> tuple[Floats, Floats, Floats]:
    """One step of Fisher scoring, halved until the penalised likelihood does not fall.

    Gives where it leads, and where it starts the inverse of the penalised information and the (n,) means.
    """
    k = len(theta)
    mean, slope = _mean(design.times(theta), chance)
    variance = mean * (1 - mean)
    information = design.information(slope * np.sqrt(weight / variance), k)
    information.flat[:: k + 1] += penalty + RIDGE
    inverse = np.linalg.inv(information)
    gradient = design.transposed_times(weight * (y - mean) * slope / variance, k) - penalty * theta
    direction = inverse @ gradient
    here = _objective(mean, y, weight, theta, penalty)
    scale = min(1.0, 5.0 / max(float(np.abs(direction).max()), 1e-12))
    for _ in range(20):
        candidate = theta + scale * direction
        there = _objective(_mean(design.times(candidate), chance)[0], y, weight, candidate, penalty)
        if there >= here - 1e-12 * abs(here):
            break
        scale /= 2
    else:
        candidate = theta
    return candidate, inverse, mean


def _mean(eta: Floats, chance: Floats) -> tuple[Floats, Floats]:
    share = 0.5 * (1 + np.tanh(0.5 * np.clip(eta, -30, 30)))
    reach = (1 - chance) * share
    return np.clip(chance + reach, 1e-9, 1 - 1e-9), reach * (1 - share)


def _objective(mean: Floats, y: Floats, weight: Floats, theta: Floats, penalty: Floats) -> float:
    likelihood = float((weight * (y * np.log(mean) + (1 - y) * np.log1p(-mean))).sum())
    return likelihood - 0.5 * float((penalty * theta**2).sum())
