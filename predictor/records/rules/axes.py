"""The axes of a record against what its spec says. The grid of a study says more: see `check`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from predictor.errors import PredictorError
from predictor.grids.expand import named_axes
from predictor.spec import RunSpec, planned_counts

if TYPE_CHECKING:
    from predictor.records.schema import Scalar


def axes_of(spec: RunSpec) -> dict[str, Scalar]:
    """Every axis whose level a spec tells; {} for several stages, where an axis holds what the stages depart from."""
    if len(spec.stages) > 1:
        return {}
    (stage,) = spec.stages
    data = stage.data
    return named_axes(
        {
            "samples_per_class": data.samples_per_class,
            "profile": data.profile,
            "others": data.others,
            "blend": [data.blend] if data.blend else [],
            "image_steps": stage.image_steps,
            **spec.recipe.model_dump(),
        }
    )


def axis_faults(axes: Mapping[str, Scalar], told: Mapping[str, Scalar], spec: RunSpec) -> list[str]:
    """Levels that the spec contradicts. A record may name only some axes, and axes of its own.

    told : `axes_of(spec)`
    """
    if not told or "stages" in axes:  # a plan of stages may change any level
        return []
    faults = []
    for name, level in axes.items():
        if name == "learning_rate" and isinstance(level, str):  # a function of image-steps
            continue
        if name in told and level != told[name]:
            faults.append(f"axis {name} is {level!r}; the spec says {told[name]!r}")
        elif name == "blend" and name not in told:
            faults.append(f"axis blend is {level!r}; the spec has no blend")
        elif name == "epochs":
            faults += _epoch_faults(level, spec)
    return faults


def _epoch_faults(level: Scalar, spec: RunSpec) -> list[str]:
    steps = spec.stages[0].image_steps
    try:
        n_samples = planned_counts(spec, 0).n_samples
    except (ValueError, PredictorError):  # `counts` names it
        return []
    if isinstance(level, int | float) and round(level * n_samples) == steps:
        return []
    return [f"axis epochs is {level!r}; {steps} image_steps over {n_samples} images are {steps / n_samples:g}"]
