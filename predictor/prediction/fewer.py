"""Where fewer images of every class are predicted to do better: that is said, with what the fit can say of why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.models.case import Case, base_of
from predictor.models.fit import Fit
from predictor.models.outcome import OutcomeFit
from predictor.prediction.request import PredictionRequest, make_case

SCALES = (0.97, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05)
WORTH = 1e-3  # of a share: a tenth of a point is the least that is shown, and classes of few images are rounded


def fewer_is_better(
    fit: Fit,
    name: str,
    distribution: LabelDistribution,
    request: PredictionRequest,
    shown: Sequence[tuple[OutcomeFit, float]],
    inside: Callable[[Case], bool],
    known: set[str],
) -> list[str]:
    """A line for each outcome that some fewer images of the same shape are predicted to raise, inside of the range.

    distribution : with its roles, inside of the range
    shown : outcomes and the shares that are predicted of them; known : names of the manifest's indicators
    """
    needed = {"n_samples", *fit.ranges, *(() if fit.joint is None else map(_base, fit.joint.features))}
    needed |= {_base(key) for fitted, _ in shown for key in fitted.families[_family(fitted, request)].features}
    smaller = _smaller(distribution)
    names = sorted(needed & known)
    cases = [make_case(item, request, names=names)[0] for item in smaller]
    kept = [(item, case) for item, case in zip(smaller, cases, strict=True) if inside(case)]
    lines = []
    for fitted, share in shown if kept else ():
        tested = fitted.tested.get(request.target_set)
        family = _family(fitted, request)
        values = fitted.families[family].evaluate([_of(case, tested) for _, case in kept])
        values = np.where(np.isfinite(values), values, -np.inf)
        best = int(np.argmax(values))
        if values[best] > share + WORTH:
            lines.append(_line(fit, name, distribution, kept[best][0], request, fitted, share, float(values[best])))
    return lines


def _line(
    fit: Fit,
    name: str,
    distribution: LabelDistribution,
    fewer: LabelDistribution,
    request: PredictionRequest,
    fitted: OutcomeFit,
    share: float,
    better: float,
) -> str:
    told = (
        f"{name}: {fitted.name} is predicted to be {_shown(fitted, better)} with {fewer.n_samples:,} images of the "
        f"same shape, not {_shown(fitted, share)} as with all {distribution.n_samples:,}"
    )
    steps = request.recipe["image_steps"]
    if steps:
        fair = round(steps * fewer.n_samples / distribution.n_samples)  # as many passes as the whole gets
        case = make_case(fewer, request.with_steps(max(fair, 1)))[0]
        same = fitted.families[_family(fitted, request)].evaluate([_of(case, fitted.tested.get(request.target_set))])[0]
        if not same > share + WORTH:
            often, seldom = steps / fewer.n_samples, steps / distribution.n_samples
            wanted = round(steps * distribution.n_samples / fewer.n_samples)
            most = fit.ranges.get("image_steps", (0, wanted))[1]
            beyond = "" if wanted <= most else f", of which the fit saw at most {most:,.0f}"
            return (
                f"{told}: {steps:,} image-steps show each image {seldom:.3g} times, but each of the fewer "
                f"{often:.3g} times; --image-steps {wanted} would show all as often{beyond}"
            )
    return (
        f"{told}: the number of images is not the reason, since the fit's runs of the two sizes differ in more than "
        "that; trust the intervals, not the difference"
    )


def _smaller(distribution: LabelDistribution) -> list[LabelDistribution]:
    """The same shape with fewer images, as long as each class keeps its share of whole images."""
    least = int(distribution.counts.min())
    found: list[LabelDistribution] = []
    for scale in SCALES:
        item = distribution.scaled(scale)
        if least * scale >= 1 and item.n_samples < (found[-1] if found else distribution).n_samples:
            found.append(item)
    return found


def _family(fitted: OutcomeFit, request: PredictionRequest) -> str:
    return fitted.candidates(request.basis)[0]


def _base(feature: str) -> str:
    return base_of(feature)


def _of(case: Case, tested: frozenset[str] | None) -> Case:
    return case if tested is None else replace(case, tested=tested)


def _shown(fitted: OutcomeFit, share: float) -> str:
    return f"{100 * share:.1f} %" if fitted.scale.is_share else f"{float(fitted.scale.values(share)):.4g}"
