"""Statistics that use the design: which settings two configurations share, and in which one they differ.

settings : (A, n) one row an axis of the design, integer codes, one column a configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from predictor.statistics.pairs import pairs_inside
from predictor.statistics.ties import tied

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
NOISE_REACH = 1.959963984540054  # standard errors: a gap within the 95 % range of test-image noise is no gap
MOST_SETTINGS = 500  # of a conditioning set; beyond it nearly every pair has a cell of its own
MOST_COUNTS = 4_000_000  # cells whose counts are held at once: 288 MB
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
    psi, finite = cells.psi(tied(x), tied(y)[:, None])
    return Granulated(
        value=_mean(psi[:, 0]), by_axis=psi[:, 0], eligible=cells.eligible, finite=finite[:, 0].astype(np.int64)
    )


def permuted_granulated(x: Floats, y: Floats, settings: Codes, orders: Iterable[NDArray[np.int64]]) -> Iterator[Floats]:
    """Parts (p, K, M) of Psi for y taken in each order."""
    x, y, cells = tied(x), tied(y), _cells(settings)
    size = max(1, HELD // max(len(y) * len(cells.i), 1))
    for block in orders:
        for first in range(0, len(block), size):
            yield _mean(cells.psi(x, y[:, block[first : first + size]])[0])


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """Pairs (i, j) of configurations that share a cell, cell after cell and axis after axis.

    first : of the pairs of each cell; size : pairs of each cell; eligible : cells of each axis
    """

    i: Codes
    j: Codes
    first: Codes
    size: Codes
    eligible: Codes

    def psi(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """(axes, p, K, M) mean tau-b over the finite cells of each axis, and their number; x (K, n), y (M, p, n).

        tau-b is a product of signs scaled by their number in the cell: its sum over cells is one matrix product.
        """
        a, known_a = self._scaled(np.sign(x[:, self.i] - x[:, self.j]))
        b, known_b = self._scaled(np.sign(y[..., self.i] - y[..., self.j]))
        values, numbers, cell, pair = [], [], 0, 0
        for n_cells in self.eligible.tolist():
            n_pairs = int(self.size[cell : cell + n_cells].sum())
            pairs, cells = slice(pair, pair + n_pairs), slice(cell, cell + n_cells)
            total = (b[..., pairs] @ a[:, pairs].T).transpose(1, 2, 0)  # (M, p, K) -> (p, K, M)
            number = (known_b[..., cells] @ known_a[:, cells].T).transpose(1, 2, 0)
            values.append(np.where(number > 0, total / np.maximum(number, 1), np.nan))
            numbers.append(number)
            cell, pair = cell + n_cells, pair + n_pairs
        shape = (len(self.eligible), y.shape[1], len(x), len(y))
        return np.array(values).reshape(shape), np.array(numbers).reshape(shape)

    def _scaled(self, signs: Floats) -> tuple[Floats, Floats]:
        """Signs over the root of their number in the cell, and which cells have one."""
        if not len(self.first):
            return signs, np.empty((*signs.shape[:-1], 0))
        untied = np.add.reduceat(np.abs(signs), self.first, axis=-1)
        scale = 1 / np.sqrt(np.maximum(untied, 1))
        return signs * np.repeat(scale, self.size, axis=-1), (untied > 0).astype(float)


def _cells(settings: Codes) -> _Cells:
    """Cells of every axis that hold two of its settings or more."""
    left, right, sizes, eligible = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [], []
    for axis in range(len(settings)):
        strata, level = strata_along(settings, axis), settings[axis]
        lowest, highest = np.full(strata.max() + 1, level.max()), np.zeros(strata.max() + 1, np.int64)
        np.minimum.at(lowest, strata, level)
        np.maximum.at(highest, strata, level)
        i, j = pairs_inside(strata)
        varies = (highest > lowest)[strata[i]]
        left.append(i[varies])
        right.append(j[varies])
        per_cell = np.bincount(strata[i[varies]], minlength=1)
        sizes += per_cell[per_cell > 0].tolist()
        eligible.append(int((per_cell > 0).sum()))
    size = np.array(sizes, np.int64)
    return _Cells(
        i=np.concatenate(left), j=np.concatenate(right), first=np.cumsum(size) - size, size=size,
        eligible=np.array(eligible, np.int64),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Information:
    """Conditional mutual information over conditional entropy (K, M), in [0, 1]; and the axes that give the least."""

    value: Floats
    axes: list[list[tuple[int, ...]]]


def conditional_mutual_information(x: Floats, y: Floats, settings: Codes) -> dict[str, Information]:
    """Least share of the outcome's sign that the indicator's sign explains, given the settings of few axes.

    V : sign of a pair's difference, U_S : both configurations' settings on the axes S; I(V_x; V_y | U_S) divided by
    H(V_y | U_S). It has no sign: a reversed indicator scores as well. Two variants, by name:
    'jiang' (Jiang et al. 2020: S of at most two axes, cells weighted by their pairs, ties a third sign) and
    'pgdl' (scorer of the NeurIPS 2020 competition: pairs of axes only, cells unweighted, 'greater or not' over all
    ordered pairs, each configuration with itself among them). Scores were published times 100.
    nan, without axes, where no set of axes leaves an outcome open; sets with more than 500 settings are not tried.

    >>> x, settings = np.array([[1.0, 2, 3, 4]]), np.array([[0, 1, 0, 1], [0, 0, 1, 1]])
    >>> found = conditional_mutual_information(x, x, settings)
    >>> float(found["jiang"].value[0, 0]), float(found["pgdl"].value[0, 0])
    (1.0, nan)
    """
    x, y, shape = tied(x), tied(y), (len(x), len(y))
    found = {
        name: Information(value=np.full(shape, np.nan), axes=[[() for _ in y] for _ in x]) for name in ("jiang", "pgdl")
    }
    for axes in (axes for size in range(3) for axes in combinations(range(len(settings)), size)):
        cell = np.unique(settings[list(axes)], axis=1, return_inverse=True)[1].reshape(-1) if axes else None
        cell = np.zeros(x.shape[1], np.int64) if cell is None else cell
        if cell.max() + 1 > MOST_SETTINGS:
            continue
        for k, m, table in _sign_tables(x, y, cell):
            shares = {"jiang": _information_share(table.reshape(-1, 3, 3), weighted=True)}
            if len(axes) == 2:
                shares["pgdl"] = _information_share(_greater_or_not(table, cell), weighted=False)
            for name, share in shares.items():
                if not np.isnan(share) and not share >= found[name].value[k, m]:
                    found[name].value[k, m], found[name].axes[k][m] = share, axes
    return found


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
    x, y = tied(x), tied(y)
    toward = np.ones(len(x)) if directions is None else np.asarray(directions, float)
    known = np.nan_to_num(noise)
    rates = []
    for axis in range(len(settings)):
        strata, level = strata_along(settings, axis), settings[axis]
        i, j = pairs_inside(strata)
        low, high = np.minimum(level[i], level[j]), np.maximum(level[i], level[j])
        change = low * (level.max() + 1) + high
        order = np.argsort(change, kind="stable")
        order = order[(low < high)[order]]
        if not len(order):
            continue
        i, j, change = i[order], j[order], change[order]
        first = np.concatenate([[0], np.flatnonzero(np.diff(change)) + 1])
        gap = y[:, i] - y[:, j]
        weight = (np.abs(gap) > NOISE_REACH * np.hypot(known[:, i], known[:, j])).astype(float)
        wrong = (1 - toward[:, None, None] * np.sign(x[:, i] - x[:, j])[:, None] * np.sign(gap)[None]) / 2
        of = np.add.reduceat(weight, first, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            rates.append(np.where(of > 0, np.add.reduceat(wrong * weight[None], first, axis=2) / of, np.nan))
    rate = np.concatenate(rates, axis=2) if rates else np.empty((len(x), len(y), 0))
    worst = np.where(np.isnan(rate), -np.inf, rate).max(axis=2, initial=-np.inf)
    return SignError(
        mean=_mean(rate.transpose(2, 0, 1)),
        worst=np.where(np.isfinite(worst), worst, np.nan),
        environments=(~np.isnan(rate)).sum(2),
    )


def _sign_tables(x: Floats, y: Floats, cell: Codes) -> Iterator[tuple[int, int, Floats]]:
    """(k, m, (cells, cells, signs of y, signs of x)): number of ordered pairs, counted in chunks of rows."""
    n, n_cells = x.shape[1], int(cell.max()) + 1
    group = max(1, MOST_COUNTS // n_cells**2)
    pairs = [(k, m) for m in range(len(y)) for k in range(len(x))]
    for start in range(0, len(pairs), group):
        part = pairs[start : start + group]
        counts = np.zeros((len(part), n_cells**2 * 9))
        size = max(1, HELD // n)
        for first in range(0, n, size):
            rows = np.arange(first, min(first + size, n))
            later = rows[:, None] < np.arange(n)[None]  # each pair once; its mirror is added below
            i, j = rows[np.nonzero(later)[0]], np.nonzero(later)[1]
            place = (cell[i] * n_cells + cell[j]) * 9
            ks, ms = {k for k, _ in part}, {m for _, m in part}
            sx = {k: (np.sign(x[k, i] - x[k, j]) + 1).astype(np.int8) for k in ks}
            sy = {m: 3 * (np.sign(y[m, i] - y[m, j]) + 1).astype(np.int8) for m in ms}
            for row, (k, m) in enumerate(part):
                counts[row] += np.bincount(place + (sy[m] + sx[k]), minlength=counts.shape[1])
        for row, (k, m) in enumerate(part):
            once = counts[row].reshape(n_cells, n_cells, 3, 3)
            yield k, m, once + once.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]


def _greater_or_not(table: Floats, cell: Codes) -> Floats:
    """(cells, 2, 2) from signs to 'greater or not', each configuration paired with itself as well."""
    greater = np.stack([table[:, :, :2].sum(2), table[:, :, 2]], axis=2)
    greater = np.stack([greater[..., :2].sum(3), greater[..., 2]], axis=3)
    own = np.arange(len(table))
    greater[own, own, 0, 0] += np.bincount(cell)
    return greater.reshape(-1, 2, 2)


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
