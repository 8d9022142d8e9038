"""What the linear and the class-wise family share: standardising, levels of target sets and domains, parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.models.base import Floats, finite, level_index, replicate_weights
from predictor.models.glm import Groups, fit_pooled
from predictor.models.rows import Row, Sample


def pooled_parameters(
    kind: str,
    names: Sequence[str],
    values: Floats,
    rows: Sequence[Row],
    y: Floats,
    weight: Floats,
    *,
    varying: Sequence[str] = (),
    owner: NDArray[np.int64] | None = None,
    chance: Floats | float = 0.0,
    shrink: bool,
    trials: Floats | None = None,
    center: Floats | None = None,
    scale: Floats | None = None,
    within: Floats | None = None,
    n_runs: int | None = None,
) -> dict[str, Any]:
    """Parameters of `kind`: a regression whose level, and whose slopes of `varying`, differ between target sets.

    values : (n, p) features of the observations, not yet standardised unless center and scale are given
    owner : (n,) row of each observation; None: one observation a row
    trials, within, n_runs : see `fit_pooled`
    Deviations of a target set (and recipe) hold those of its domain; a new target set of a known domain has the
    domain's alone.
    """
    if center is None or scale is None:
        center, scale = values.mean(axis=0), values.std(axis=0)
    owner = np.arange(len(rows)) if owner is None else owner
    levels, level = level_index(rows)
    domains, _, domain = Sample.of(rows).labelled("domain")
    where = tuple(names.index(name) for name in varying if name in names)
    groups = [Groups(level[owner], len(levels), where)]
    if 1 < len(domains) < len(levels):
        groups.append(Groups(domain[owner], len(domains), where))
    fitted = fit_pooled(
        (values - center) / scale, groups, y, weight, chance=chance, shrink=shrink, trials=trials, within=within,
        n_runs=n_runs,
    )  # fmt: skip
    by_level = fitted.deviations[0]
    by_domain = fitted.deviations[1] if len(groups) > 1 else np.zeros((len(domains), by_level.shape[1]))
    home = dict(zip(level.tolist(), domain.tolist(), strict=True))
    by_level = by_level + by_domain[[home[i] for i in range(len(levels))]]
    return {
        "kind": kind,
        "features": list(names),
        "center": center.tolist(),
        "scale": scale.tolist(),
        "low": values.min(axis=0).tolist() if names else [],
        "high": values.max(axis=0).tolist() if names else [],
        "coefficients": [finite(value) for value in fitted.slopes],
        "intercept": finite(fitted.intercept),
        "levels": dict(zip(levels, map(finite, by_level[:, 0]), strict=True)),
        "level_slopes": _slopes(levels, by_level),
        "domains": dict(zip(domains, map(finite, by_domain[:, 0]), strict=True)),
        "domain_slopes": _slopes(domains, by_domain),
        "level_sd": finite(float(np.hypot(*(sds[0] for sds in (fitted.sds * 2)[:2])) if len(groups) > 1
                                 else fitted.sds[0][0])),
    }  # fmt: skip


def pooled_runs(
    names: Sequence[str], values: Floats, rows: Sequence[Row], *, varying: Sequence[str] = (), shrink: bool
) -> dict[str, Any]:
    """Parameters of kind 'linear': a regression of the runs' accuracies, every configuration of equal weight.

    values : (n, p) features of the runs
    """
    rows = Sample.of(rows)
    # seeds that no feature tells apart become one observation: the same likelihood, faster
    first, index = rows.replicates()
    y, weight = np.clip(rows.values, 0.0, 1.0), replicate_weights(rows)
    total = np.bincount(index, weights=weight)
    mean = np.bincount(index, weights=weight * y) / total
    return pooled_parameters(
        "linear", names, values[first], rows, mean, total, varying=varying, owner=first, chance=rows.chance[first],
        shrink=shrink, center=values.mean(axis=0), scale=values.std(axis=0),
        within=np.bincount(index, weights=weight * (y - mean[index]) ** 2), n_runs=len(rows),
    )  # fmt: skip


def _slopes(names: Sequence[str], deviations: Floats) -> dict[str, list[float]]:
    """{name: (p,) deviations of the standardised slopes}; empty where no slope differs."""
    if not deviations[:, 1:].any():
        return {}
    return {name: [finite(value) for value in row] for name, row in zip(names, deviations[:, 1:], strict=True)}
