"""What would help a manifest most, of what is quickly tried: a few images for its smallest or its weakest classes.

Both are predicted beside the manifest as it is; what is predicted to gain nothing, or lies outside of what the fit saw,
is not told. `predictor advise` searches further, at any budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import PredictorError
from predictor.images.results import Probe
from predictor.models.fit import Fit
from predictor.planning.advice.allocation import Counts, smallest_first
from predictor.planning.objective import Targets, growth_of, named_targets
from predictor.prediction import Predictions, predict
from predictor.prediction.recipes import named_recipe
from predictor.prediction.request import resolve, with_roles
from predictor.prediction.results import NextStep, Prediction
from predictor.statistics.shares import shared_out

SHARE = 5  # one image more for so many that there are
NOW = "now"
RECIPE = ("model", "image_size", "image_steps")


def with_next_step(
    fit: Fit,
    manifests: Mapping[str, LabelDistribution],
    found: Predictions,
    *,
    level: float = 0.9,
    probe: Probe | None = None,
    **asked: Any,
) -> Predictions:
    """The predictions with what would help the best manifest most; as they are where nothing can be said of it.

    The others as in `predictor.predict`.
    """
    best = found.predictions[0]
    own = best.outcomes[0]
    if own.value is None or not own.backed or best.outside or best.unknown or best.pilots or own.scale != "accuracy":
        return found
    named = named_recipe(fit, asked.get("recipe"), **{name: asked.get(name) for name in RECIPE})
    request = resolve(named.fit, asked.get("target_set", "new"), asked.get("domain", "new"), **named.asked)
    try:
        now = named_targets(with_roles(best.manifest, manifests[best.manifest], request))
    except PredictorError:  # images with several labels cannot be planned class by class
        return found
    targets, counts = Targets(now), now.target_counts
    tried = {str(i): item for i, item in enumerate(_tried(best, now, counts))}
    plans = {name: targets.with_counts(item) for name, item in tried.items()}
    fixed = asked.get("image_steps") or named.image_steps
    growth = None if fixed else growth_of(named.fit, now, request.recipe["image_steps"])
    steps = {} if growth is None else {name: growth.steps(item.n_samples) for name, item in plans.items()}
    places = {name: asked.get(name, "new") for name in ("target_set", "domain")}
    told = predict(
        fit, {NOW: now, **plans}, **places, recipe=named, level=level, steps=steps, outcomes=[own.outcome],
        explain=False, against=[NOW], probe=probe,
    )  # fmt: skip
    for item in told.predictions:  # best first
        after, row = item.outcome(own.outcome), told.compared(item.manifest, NOW, own.outcome)
        if item.manifest == NOW:
            break
        if item.outside or row is None or row.points_low is None or row.points_high is None:
            continue
        more = tried[item.manifest] - counts
        images = {name: int(n) for name, n in zip(now.target_names, more, strict=True) if n}
        step = NextStep(
            manifest=best.manifest, outcome=own.outcome, value=after.value or 0.0, gain=row.points or 0.0,
            images=dict(sorted(images.items(), key=lambda pair: (-pair[1], pair[0]))),
            low=row.points_low, high=row.points_high, level=level, p_better=row.p_a_better,
        )  # fmt: skip
        return replace(found, next_step=step)
    return found


def _tried(best: Prediction, now: LabelDistribution, counts: Counts) -> Iterator[Counts]:
    """Counts with a fifth more images: the smallest classes first, or spread over those that are predicted worst."""
    n = max(1, int(counts.sum()) // SHARE)
    yield smallest_first(counts, n)
    weak = {one.name for own in best.classes[:1] for one in own.worst[:3]}
    if weak:
        yield counts + shared_out(np.array([float(name in weak) for name in now.target_names]), n)
