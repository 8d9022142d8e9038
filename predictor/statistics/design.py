"""Statistics that use the design: which settings two configurations share, and in which one they differ.

settings : (A, n) one row an axis of the design, integer codes, one column a configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
NOISE_REACH = 1.959963984540054  # standard errors: a gap within the 95 % range of test-image noise is no gap
MOST_CELLS = 250_000  # of a conditioning set: settings of one configuration times settings of the other
HELD = 4_000_000  # pairs held at once: 32 MB


def codes(columns: Sequence[Sequence[object]]) -> Codes:
    """(A, n) integer codes of the settings of each axis; a missing setting is a setting of its own.

    >>> codes([["a", "b", "a"], [1.0, float("nan"), float("nan")]]).tolist()
    [[0, 1, 0], [0, 1, 1]]
    """
    coded = []
    for column in columns:
        names: dict[object, int] = {}
        coded.append([names.setdefault("missing" if value != value else (value,), len(names)) for value in column])
    return np.array(coded, dtype=np.int64).reshape(len(columns), len(columns[0]) if len(columns) else 0)


def strata_along(settings: Codes, axis: int) -> Codes:
    """(n,) strata inside which only this axis varies: the settings of all others.

    >>> strata_along(np.array([[0, 1, 0], [0, 0, 1]]), 0).tolist()
    [0, 0, 1]
    """
    others = np.delete(settings, axis, axis=0)
    if not len(others):
        return np.zeros(settings.shape[1], np.int64)
    return np.unique(others, axis=1, return_inverse=True)[1].reshape(-1).astype(np.int64)


@dataclass(frozen=True, kw_only=True)
class Granulated:
    """Psi (K, M) and psi of each axis (A, K, M); cells with two configurations or more, and those with a value."""

    value: Floats
    by_axis: Floats
    eligible: NDArray[np.int64]
    finite: NDArray[np.int64]


def granulated_kendall(x: Floats, y: Floats, settings: Codes) -> Granulated:
    """Mean over the axes of the mean Kendall correlation along each (Jiang et al. 2020, "Fantastic ...", section 2).

    psi_i = mean over the settings of all other axes of tau-b along axis i; Psi = mean over i. A cell in which the
    indicator or the outcome is constant has no value; it does not count as 0.

    eligible : (A,) cells; finite : (A, K, M)

    >>> found = granulated_kendall(np.array([[1.0, 2, 3, 4]]), np.array([[1.0, 2, 4, 3]]), np.array([[0, 1, 0, 1],
    ...                                                                                               [0, 0, 1, 1]]))
    >>> found.by_axis.ravel().tolist(), float(found.value[0, 0])
    ([0.0, 1.0], 0.5)
    """
    cells = _cells(settings)
    taus = cells.taus(x, y[:, None])[:, :, 0]
    psi = np.array([_mean(np.moveaxis(taus[..., cells.axis == a], -1, 0)) for a in range(len(settings))])
    psi = psi.reshape(-1, len(x), len(y))
    return Granulated(
        value=_mean(psi),
        by_axis=psi,
        eligible=np.array([(cells.axis == a).sum() for a in range(len(settings))]),
        finite=np.array([(~np.isnan(taus[..., cells.axis == a])).sum(-1) for a in range(len(settings))]),
    )


def permuted_granulated(x: Floats, y: Floats, settings: Codes, orders: Iterable[NDArray[np.int64]]) -> Iterator[Floats]:
    """Parts (p, K, M) of Psi for y taken in each order."""
    cells = _cells(settings)
    size = max(1, HELD // max(len(x) * len(y) * len(cells.i), 1))
    for block in orders:
        for first in range(0, len(block), size):
            taus = cells.taus(x, y[:, block[first : first + size]])
            psi = np.stack([_mean(np.moveaxis(taus[..., cells.axis == a], -1, 0)) for a in range(len(settings))])
            yield _mean(psi).transpose(2, 0, 1)


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """Pairs (i, j) of configurations that share a cell, cell after cell; first pair and axis of each cell."""

    i: Codes
    j: Codes
    first: Codes
    axis: Codes

    def taus(self, x: Floats, y: Floats) -> Floats:
        """(K, M, p, cells) tau-b in each cell; x (K, n), y (M, p, n)."""
        if not len(self.first):
            return np.empty((len(x), *y.shape[:2], 0))
        signs_x, signs_y = np.sign(x[:, self.i] - x[:, self.j]), np.sign(y[..., self.i] - y[..., self.j])
        net = np.add.reduceat(signs_x[:, None, None] * signs_y, self.first, axis=-1)
        untied_x, untied_y = (np.add.reduceat(np.abs(s), self.first, axis=-1) for s in (signs_x, signs_y))
        below = untied_x[:, None, None] * untied_y
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(below > 0, net / np.sqrt(below), np.nan)


def _cells(settings: Codes) -> _Cells:
    """Cells of every axis that hold two of its settings or more."""
    left, right, first, of = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [], []
    place = 0
    for axis in range(len(settings)):
        strata = strata_along(settings, axis)
        order = np.argsort(strata, kind="stable")
        for members in np.split(order, np.flatnonzero(np.diff(strata[order])) + 1):
            if len(set(settings[axis, members].tolist())) > 1:
                i, j = np.triu_indices(len(members), 1)
                left.append(members[i])
                right.append(members[j])
                first.append(place)
                of.append(axis)
                place += len(i)
    return _Cells(
        i=np.concatenate(left), j=np.concatenate(right), first=np.array(first, np.int64), axis=np.array(of, np.int64)
    )


@dataclass(frozen=True, kw_only=True)
class Information:
    """Conditional mutual information over conditional entropy, in [0, 1]; and the axes that give the least."""

    value: float
    axes: tuple[int, ...]


def conditional_mutual_information(x: Floats, y: Floats, settings: Codes, variant: str = "jiang") -> Information:
    """Least share of the outcome's sign that the indicator's sign explains, given the settings of few axes.

    V : sign of a pair's difference, U_S : both configurations' settings on the axes S; I(V_x; V_y | U_S) divided by
    H(V_y | U_S). It has no sign: a reversed indicator scores as well.
    variant : 'jiang' (Jiang et al. 2020: S of at most two axes, cells weighted by their pairs, ties a third sign) or
    'pgdl' (scorer of the NeurIPS 2020 competition: pairs of axes only, cells unweighted, 'greater or not' over all
    ordered pairs, each configuration with itself among them). Scores were published times 100.
    nan, without axes, where no set of axes leaves an outcome open.

    >>> x, settings = np.array([1.0, 2, 3, 4]), np.array([[0, 1, 0, 1], [0, 0, 1, 1]])
    >>> conditional_mutual_information(x, x, settings).value
    1.0
    """
    sizes = range(3) if variant == "jiang" else [2]
    best = Information(value=np.nan, axes=())
    for axes in (axes for size in sizes for axes in combinations(range(len(settings)), size)):
        chosen = settings[list(axes)]
        cell = np.unique(chosen, axis=1, return_inverse=True)[1].reshape(-1) if axes else np.zeros(len(x), int)
        if (cell.max() + 1) ** 2 > MOST_CELLS:
            continue
        share = _information_share(_sign_table(x, y, cell, variant), weighted=variant == "jiang")
        if not np.isnan(share) and not share >= best.value:
            best = Information(value=share, axes=axes)
    return best


@dataclass(frozen=True, kw_only=True)
class SignError:
    """Mean and worst wrong-sign rate over environments (K, M), and how many environments have a gap beyond noise."""

    mean: Floats
    worst: Floats
    environments: NDArray[np.int64]


def robust_sign_error(
    x: Floats, y: Floats, settings: Codes, noise: Floats, directions: Floats | None = None
) -> SignError:
    """How often the indicator orders two configurations wrongly (Dziugaite et al. 2020, "In search of ...").

    An environment is a change of one axis from one setting to another, all other axes held; inside it a pair weighs 1
    where its outcomes differ by more than their test-image noise (95 %), else 0. A tie of the indicator is half wrong.

    noise : (M, n) standard deviation of each outcome from its finite test images; nan: unknown, taken as 0
    directions : (K,) +1 where more of the indicator should mean a better outcome, -1 where less; None: +1
    """
    toward = np.ones(len(x)) if directions is None else np.asarray(directions, float)
    known = np.nan_to_num(noise)
    rates = []
    for axis in range(len(settings)):
        strata, level = strata_along(settings, axis), settings[axis]
        i, j = np.triu_indices(x.shape[1], 1)
        inside = (strata[i] == strata[j]) & (level[i] != level[j])
        i, j = i[inside], j[inside]
        low, high = np.minimum(level[i], level[j]), np.maximum(level[i], level[j])
        names, environment = np.unique(low * (level.max() + 1) + high, return_inverse=True)
        member = (environment[:, None] == np.arange(len(names))).astype(float)  # (pairs, environments)
        gap = y[:, i] - y[:, j]
        weight = (np.abs(gap) > NOISE_REACH * np.hypot(known[:, i], known[:, j])).astype(float)
        wrong = (1 - toward[:, None, None] * np.sign(x[:, i] - x[:, j])[:, None] * np.sign(gap)[None]) / 2
        of = weight @ member
        with np.errstate(invalid="ignore", divide="ignore"):
            rates.append(np.where(of > 0, (wrong * weight[None]) @ member / of, np.nan))
    rate = np.concatenate(rates, axis=2) if rates else np.empty((len(x), len(y), 0))
    worst = np.where(np.isnan(rate), -np.inf, rate).max(axis=2, initial=-np.inf)
    return SignError(
        mean=_mean(rate.transpose(2, 0, 1)),
        worst=np.where(np.isfinite(worst), worst, np.nan),
        environments=(~np.isnan(rate)).sum(2),
    )


def _sign_table(x: Floats, y: Floats, cell: Codes, variant: str) -> Floats:
    """(cells, signs of y, signs of x) number of ordered pairs, counted in chunks."""
    n, n_cells, signs = len(x), int(cell.max()) + 1, 3 if variant == "jiang" else 2
    table = np.zeros(n_cells**2 * signs**2)
    size = max(1, HELD // n)
    for first in range(0, n, size):
        rows = np.arange(first, min(first + size, n))
        if signs == 3:
            sx, sy = ((np.sign(v[rows, None] - v[None]) + 1).astype(np.int64) for v in (x, y))
        else:
            sx, sy = ((v[rows, None] > v[None]).astype(np.int64) for v in (x, y))
        place = ((cell[rows, None] * n_cells + cell[None]) * signs + sy) * signs + sx
        if signs == 3:
            place = place[rows[:, None] != np.arange(n)[None]]
        table += np.bincount(place.ravel(), minlength=len(table))
    return table.reshape(-1, signs, signs)


def _information_share(table: Floats, weighted: bool) -> float:
    table = table[table.sum((1, 2)) > 0]
    total = table.sum((1, 2))
    joint = table / total[:, None, None]
    of_y, of_x = joint.sum(2), joint.sum(1)
    information = _entropy(of_y) + _entropy(of_x) - _entropy(joint.reshape(len(joint), -1))
    weight = total if weighted else np.ones(len(total))
    left = float(weight @ _entropy(of_y))
    return min(1.0, max(0.0, float(weight @ information) / left)) if left > 1e-12 * weight.sum() else float("nan")


def _entropy(shares: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.where(shares > 0, shares * np.log2(shares), 0.0).sum(1)


def _mean(values: Floats) -> Floats:
    """Mean over the first axis of what is not nan; nan where nothing is."""
    known = ~np.isnan(values)
    return np.where(known.any(0), np.nan_to_num(values).sum(0) / np.maximum(known.sum(0), 1), np.nan)
