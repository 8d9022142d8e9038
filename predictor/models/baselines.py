"""The regressions that are always shown as baselines: mean, log N, log N + log H.

They know the target set's level like the models do, so that skill over them is not skill at knowing the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from predictor.models.base import family
from predictor.models.linear import fit_linear
from predictor.models.rows import Row


@family("mean", baseline=True)
def mean(rows: Sequence[Row]) -> dict[str, Any]:
    """The mean of the target set."""
    return fit_linear(rows, (), shrink=False)


@family("log_n", baseline=True)
def log_n(rows: Sequence[Row]) -> dict[str, Any]:
    """Number of images alone."""
    return fit_linear(rows, ("log n_samples",), shrink=False, strict=True)


@family("log_n_log_h", baseline=True)
def log_n_log_h(rows: Sequence[Row]) -> dict[str, Any]:
    """Number of images and number of classes."""
    return fit_linear(rows, ("log n_samples", "log n_classes"), shrink=False, strict=True)
