"""What the linear and the class-wise family share: standardising, levels of target sets and domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.models.base import Floats, finite, level_index, replicate_weights
from predictor.models.case import Case
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
    Deviations of a target set (and recipe) hold those of its domain, and where recipes are factors those of its recipe;
    a new target set of a known domain has the domain's, and a known recipe's.
    """
    if center is None or scale is None:
        center, scale = values.mean(axis=0), values.std(axis=0)
    owner = np.arange(len(rows)) if owner is None else owner
    levels, level = level_index(rows)
    domains, _, domain = Sample.of(rows).labelled("domain")
    where = tuple(names.index(name) for name in varying if name in names)
    groups = [Groups(level[owner], len(levels), where)]
    networks, _, network = Sample.of(rows).labelled("network")
    shared = {}  # {what levels share: its names, each row's, its place among the groups}
    for by, names_of, index in (("domain", domains, domain), ("network", networks, network)):
        if 1 < len(names_of) < len(levels):
            shared[by] = names_of, index, len(groups)
            groups.append(Groups(index[owner], len(names_of), where))
    fitted = fit_pooled(
        (values - center) / scale, groups, y, weight, chance=chance, shrink=shrink, trials=trials, within=within,
        n_runs=n_runs,
    )  # fmt: skip
    by_level = fitted.deviations[0]
    by_domain = (
        fitted.deviations[shared["domain"][2]] if "domain" in shared else np.zeros((len(domains), len(names) + 1))
    )
    for _, index, place in shared.values():
        home = dict(zip(level.tolist(), index.tolist(), strict=True))
        by_level = by_level + fitted.deviations[place][[home[i] for i in range(len(levels))]]
    own_network = {}
    if "network" in shared:
        by_network = fitted.deviations[shared["network"][2]]
        own_network = {
            "networks": dict(zip(networks, map(finite, by_network[:, 0]), strict=True)),
            "network_slopes": _slopes(networks, by_network),
        }
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
        **own_network,
        "level_sd": finite(float(np.sqrt(sum(sds[0] ** 2 for sds in fitted.sds)))),
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


@dataclass(frozen=True, eq=False)
class Pooled:
    """A partly pooled regression, ready to be evaluated.

    center, scale, low, high, coefficients : (p,) of the features
    levels, domains, networks : {target set and recipe, domain, recipe: what it adds to the intercept}
    level_slopes, domain_slopes, network_slopes : {the same: (p,) what it adds to the slopes}
    What a level adds holds what its domain and its recipe add.
    """

    features: tuple[str, ...]
    center: Floats
    scale: Floats
    low: Floats
    high: Floats
    coefficients: Floats
    intercept: float
    levels: Mapping[str, float]
    domains: Mapping[str, float]
    level_slopes: Mapping[str, Floats]
    domain_slopes: Mapping[str, Floats]
    networks: Mapping[str, float]
    network_slopes: Mapping[str, Floats]

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Pooled:
        """What `pooled_parameters` made, as arrays."""

        def array(name: str) -> Floats:
            return np.array(parameters[name], dtype=np.float64)

        def arrays(name: str) -> dict[str, Floats]:
            return {key: np.array(row, dtype=np.float64) for key, row in parameters.get(name, {}).items()}

        return cls(
            features=tuple(parameters["features"]), center=array("center"), scale=array("scale"), low=array("low"),
            high=array("high"), coefficients=array("coefficients"), intercept=float(parameters["intercept"]),
            levels=parameters["levels"], domains=parameters.get("domains", {}), level_slopes=arrays("level_slopes"),
            domain_slopes=arrays("domain_slopes"), networks=parameters.get("networks", {}),
            network_slopes=arrays("network_slopes"),
        )  # fmt: skip

    def own(self, cases: Sequence[Case]) -> tuple[Floats, Floats]:
        """(n,) intercept and (n, p) slopes of each case: its target set's where known, its domain's, or all's."""
        places = {(case.level, case.domain, case.network): 0 for case in cases}  # few, of many cases
        intercepts = np.full(len(places), self.intercept)
        slopes = np.tile(self.coefficients, (len(places), 1))
        for i, place in enumerate(places):
            places[place] = i
            level, domain, network = place
            parts = ((level, self.levels, self.level_slopes),)
            if level not in self.levels:
                parts = (
                    (domain, self.domains, self.domain_slopes),
                    (network, self.networks, self.network_slopes),
                )
            for name, added, changed in parts:
                if name in added:
                    intercepts[i] += added[name]
                    if changed:
                        slopes[i] += changed[name]
        index = np.array([places[case.level, case.domain, case.network] for case in cases], dtype=np.int64)
        return intercepts[index], slopes[index]

    def standardised(self, values: Floats, clip: bool) -> Floats:
        """(n, p) features in standard deviations from their mean."""
        if clip:
            values = np.clip(values, self.low, self.high)
        return (values - self.center) / self.scale
