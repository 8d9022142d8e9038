"""What probes of the images say of accuracies: learnt from target sets and domains that the models had not seen.

Five coefficients (`predictor.models.probed`; four for a new target set) are fitted to configurations of left-out
target sets, or of left-out domains, by weighted least squares with a prior that trusts the probe: level and growth
count once, nothing is added. Every target set of a domain weighs the same, and every domain. The coefficients that
predict a target set, or a domain, come from the others alone; its models as well, so that residuals are those of a new
one. (The models that the other domains are predicted with have seen it: that touches five coefficients, not a level.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor.fitting.calibration import DIGITS, LEVELS, Calibrated, spread
from predictor.fitting.configurations import Configurations
from predictor.grids.probes import spec_key
from predictor.images.methods import method_of
from predictor.images.results import METHOD, Probe
from predictor.models.base import Floats
from predictor.models.evaluate import ReadyModel
from predictor.models.links import expit, logit
from predictor.models.probed import Told, above_chance, at_reference, combined, from_above
from predictor.models.rows import Row, Sample
from predictor.records import RunRecord
from predictor.statistics.conformal import grouped_quantile

FEWEST_PROBED = 3  # target sets with a probe
NOISE = 0.3  # logits that a probe leaves of a level: how much the data count against the prior
NAMES = ("constant", "level", "growth", "stretch", "classes")
PRIOR = np.array([0.0, 1.0, 1.0, 0.0, 0.0])
PRIOR_SD = np.array([1.0, 0.3, 0.3, 1.0, 0.2])


@dataclass(frozen=True, eq=False)
class Pairs:
    """Configurations with a probe: what models without their target set (or domain) say, and what was measured.

    f, f20, y : (n,) above-chance logits: of the model, of the model at the reference, measured
    level, slope, centre : (n,) of the probe; mean level of the other target sets of the domain (nan: there is none)
    """

    f: Floats
    f20: Floats
    y: Floats
    level: Floats
    slope: Floats
    centre: Floats
    chance: Floats
    target_sets: NDArray[Any]
    domains: NDArray[Any]

    def take(self, chosen: NDArray[np.bool_]) -> Pairs:
        """Some of the configurations."""
        return Pairs(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def told_of(records: Iterable[RunRecord], probes: Mapping[str, Probe]) -> dict[str, Told]:
    """{target set: what the probe of its training images says}, of those that were probed.

    Of pretrained networks by their own features, where enough target sets were probed so.
    """
    specs = {record.target_set: record.spec for record in records if record.spec} if probes else {}
    told: dict[str, Told] = {}
    own = Counter(method_of(spec["model"]) for spec in specs.values())
    for method in [*dict(own.most_common(1)), METHOD]:
        keys = {name: spec_key(spec, method) for name, spec in sorted(specs.items())}
        found = {name: Told.of(probes[key]) for name, key in keys.items() if key in probes}
        told = {name: one for name, one in found.items() if one is not None}
        if len(told) >= FEWEST_PROBED:
            break
    return told


def probed(
    rows: Sequence[Row],
    configs: Configurations,
    across: Mapping[str, Calibrated],
    over_domains: Mapping[str, Calibrated],
    family: str,
    told: Mapping[str, Told],
    per_class: Mapping[str, Any],
) -> dict[str, Any] | None:
    """What fit.json holds of probes for one outcome; None where fewer than three target sets have one.

    across, over_domains : every family, with target sets and with domains left out
    told : {target set: what its probe says}
    per_class : what fit.json holds of classes
    """
    steps = Sample.of(rows).feature("image_steps")
    image_steps = float(np.median(steps[np.isfinite(steps)])) if np.isfinite(steps).any() else None
    blocks: dict[str, Any] = {}
    for basis, fits in (("new_target_set", across), ("new_domain", over_domains)):
        if family not in fits:
            continue
        new_domain = basis == "new_domain"
        pairs, there = pairs_of(rows, configs, fits[family], told, image_steps)
        if not new_domain:
            use = np.isfinite(pairs.centre)
            pairs, there = pairs.take(use), there[use]
        if len(np.unique(pairs.target_sets)) < FEWEST_PROBED:
            continue
        blocks[basis] = _block(pairs, there, fits[family], configs, image_steps, new_domain)
    if not blocks:
        return None
    return {
        "method": next(iter(told.values())).method,
        "family": family,
        "target_sets": {name: own.level for name, own in sorted(told.items())},
        "classes": class_weight(
            told, per_class.get("classes", {}), {row.case.level or "": row.target_set for row in rows}
        ),
        **blocks,
    }


def class_weight(
    told: Mapping[str, Told], classes: Mapping[str, Mapping[str, Sequence[float]]], target_sets: Mapping[str, str]
) -> list[float]:
    """[weight, correlation]: how much of a class's deviation in the probe the network has as well, by least squares.

    classes : {level: {class: what it deviates by in logits, ...}} of the fit; target_sets : {level: its target set}
    """
    x: list[float] = []
    y: list[float] = []
    for level, known in classes.items():
        own = told.get(target_sets[level])
        shared = sorted(known.keys() & own.classes.keys()) if own else []
        if len(shared) > 2 and own is not None:
            a = np.array([own.classes[name] for name in shared])
            b = np.array([known[name][0] for name in shared])
            x += (a - a.mean()).tolist()
            y += (b - b.mean()).tolist()
    if len(x) < 10:
        return [0.0, 0.0]
    a, b = np.array(x), np.array(y)
    return [float(a @ b / (a @ a + 1.0)), float(a @ b / np.sqrt((a @ a) * (b @ b) + 1e-12))]


def pairs_of(
    rows: Sequence[Row],
    configs: Configurations,
    held: Calibrated,
    told: Mapping[str, Told],
    image_steps: float | None,
) -> tuple[Pairs, NDArray[np.int64]]:
    """The configurations whose target set has a probe, and their numbers among those that were held out.

    held : a family with target sets, or domains, left out
    """
    recipes = [rows[i].recipe for i in configs.first.tolist()]
    usual = max(set(recipes), key=recipes.count)  # other networks have other levels
    known = [name in told and own == usual for name, own in zip(held.groups.tolist(), recipes, strict=True)]
    there = np.flatnonzero(known)
    cases = [rows[i].case for i in configs.first[there].tolist()]
    chance = np.array([case.chance for case in cases])
    f20 = np.full(len(there), np.nan)
    for k in np.unique(held.fold[there]).tolist():
        own = np.flatnonzero(held.fold[there] == k)
        model = ReadyModel(held.fold_parameters[k])
        f20[own] = at_reference(model, [cases[i] for i in own.tolist()], image_steps)
    names, domains = configs.target_sets[there], configs.domains[there]
    home = dict(zip(names.tolist(), domains.tolist(), strict=True))
    centres = {}
    for name, domain in home.items():
        others = [told[other].level for other, own in home.items() if own == domain and other != name]
        centres[name] = float(np.mean(others)) if others else np.nan
    slopes = [own for name in home if (own := told[name].slope) is not None]
    middle = float(np.mean(slopes)) if slopes else 0.0
    found = Pairs(
        f=above_chance(held.predicted[there], chance),
        f20=f20,
        y=above_chance(held.measured[there], chance),
        level=np.array([told[name].level for name in names]),
        slope=np.array([middle if (own := told[name].slope) is None else own for name in names]),
        centre=np.array([centres[name] for name in names]),
        chance=chance,
        target_sets=names,
        domains=domains,
    )
    use = np.isfinite(found.f) & np.isfinite(found.f20)
    return found.take(use), there[use]


def learn(pairs: Pairs, image_steps: float | None, *, new_domain: bool) -> dict[str, Any]:
    """The mapping of `predictor.models.probed`, by least squares with a prior."""
    _, first, index, sizes = np.unique(pairs.target_sets, return_index=True, return_inverse=True, return_counts=True)
    _, at, n_sets = np.unique(pairs.domains[first], return_inverse=True, return_counts=True)
    weight = (1 / sizes / (n_sets[at] if new_domain else 1.0))[index]
    slope, log_classes = float(pairs.slope[first].mean()), -np.log(pairs.chance)
    usual = float(log_classes[first].mean())
    growth = pairs.f - pairs.f20
    level = pairs.level if new_domain else pairs.level - pairs.centre
    more = log_classes - usual if new_domain else np.zeros(len(level))  # else the model knows what classes do
    design = np.column_stack([np.ones(len(level)), level, growth, (pairs.slope - slope) * growth, more])
    rest = pairs.y - (0.0 if new_domain else pairs.f20) - design @ PRIOR
    precision = (design * weight[:, None]).T @ design / NOISE**2 + np.diag(1 / PRIOR_SD**2)
    found = PRIOR + np.linalg.solve(precision, (design * weight[:, None]).T @ rest / NOISE**2)
    coefficients = dict(zip(NAMES, map(float, found), strict=True))
    return {**coefficients, "slope": slope, "n_classes": float(np.exp(usual)), "image_steps": image_steps}


def applied(mapping: Mapping[str, Any], pairs: Pairs, *, new_domain: bool) -> Floats:
    """(n,) accuracies that the mapping gives."""
    eta = np.empty(len(pairs.f))
    for name in np.unique(pairs.target_sets):
        own = np.flatnonzero(pairs.target_sets == name)
        first = own[0]
        told = Told(float(pairs.level[first]), float(pairs.slope[first]))
        centre = None if new_domain else float(pairs.centre[first])
        eta[own] = combined(mapping, told, centre, pairs.chance[own], pairs.f[own], pairs.f20[own])
    return from_above(eta, pairs.chance)


def left_out(pairs: Pairs, image_steps: float | None, *, new_domain: bool) -> Floats:
    """(n,) accuracies of every target set, or domain, by a mapping that was learnt from the others."""
    groups = pairs.domains if new_domain else pairs.target_sets
    predicted = np.empty(len(groups))
    for name in np.unique(groups):
        own = groups == name
        mapping = learn(pairs.take(~own), image_steps, new_domain=new_domain) if (~own).any() else None
        predicted[own] = applied(mapping or _prior(image_steps), pairs.take(own), new_domain=new_domain)
    return predicted


def _block(
    pairs: Pairs,
    there: NDArray[np.int64],
    held: Calibrated,
    configs: Configurations,
    image_steps: float | None,
    new_domain: bool,
) -> dict[str, Any]:
    """The mapping, the errors of left-out target sets (or domains), and how often their intervals hold."""
    groups = pairs.domains if new_domain else pairs.target_sets
    predicted = left_out(pairs, image_steps, new_domain=new_domain)
    residuals = configs.logits[there] - logit(predicted)
    own = held.part(there)
    calibrated = replace(
        own, predicted=predicted, residuals=residuals, doubt=np.zeros(len(there)), fold_parameters=(), new_draws=None
    )
    told = spread(calibrated, None, calibrated, len(np.unique(groups)))
    if new_domain:  # what left-out domains miss is all there is to know of another one
        told["new_domain"] = _spread(residuals, pairs)
    return {
        "mapping": learn(pairs, image_steps, new_domain=new_domain),
        **calibrated.stored(),
        "single": np.round(calibrated.single, DIGITS).tolist(),
        "groups": pairs.target_sets.tolist(),
        "fold": calibrated.fold.tolist(),
        "left_out": groups.tolist(),
        "covered": covered(residuals, groups),
        "spread": told,
        "mae": float(np.mean(np.abs(predicted - held.measured[there]))),
        "mae_without": float(np.mean(np.abs(held.predicted[there] - held.measured[there]))),
        "width": _mean_width(predicted, residuals, groups, 0.9),
    }


def _spread(residuals: Floats, pairs: Pairs) -> dict[str, Any]:
    """Of a new domain: mean square of the errors of target sets and of domains, the larger one, and what is inside."""
    means = {name: residuals[pairs.target_sets == name].mean() for name in np.unique(pairs.target_sets)}
    inside = residuals - np.array([means[name] for name in pairs.target_sets])
    domains = np.unique(pairs.domains)
    of_domains = [residuals[pairs.domains == name].mean() for name in domains]
    between = max(float(np.mean(np.square(of_domains))), float(np.mean(np.square(list(means.values())))))
    return {
        "sd": float(np.sqrt(between + np.mean(inside**2))),
        "df": float(len(domains)),
        "reason": f"{len(domains)} left-out domains with a probe; a 90 % interval needs 9",
    }


def _prior(image_steps: float | None) -> dict[str, Any]:
    return {**dict(zip(NAMES, PRIOR.tolist(), strict=True)), "slope": 0.0, "n_classes": 1.0, "image_steps": image_steps}


def covered(residuals: Floats, groups: NDArray[Any]) -> dict[str, list[int]]:
    """{level: [k, n]} configurations inside an interval made from the other groups, where these are enough."""
    found = {}
    for level in LEVELS:
        half = _half_widths(residuals, groups, level)
        if half is not None:
            found[f"{level:g}"] = [int((np.abs(residuals) <= half).sum()), len(residuals)]
    return found


def _half_widths(residuals: Floats, groups: NDArray[Any], level: float) -> Floats | None:
    """(n,) half the width in logits that the other groups give; None where these are too few for the level."""
    half = np.empty(len(residuals))
    for name in np.unique(groups):
        rest = groups != name
        own = grouped_quantile(residuals[rest], groups[rest].tolist(), level)
        if own is None:
            return None
        half[~rest] = own
    return half


def _mean_width(predicted: Floats, residuals: Floats, groups: NDArray[Any], level: float) -> float | None:
    """Mean width of these intervals, as a fraction."""
    half = _half_widths(residuals, groups, level)
    if half is None:
        return None
    centre = logit(predicted)
    return float(np.mean(expit(centre + half) - expit(centre - half)))
