"""Predict how accurate and how robust an image classifier will be, from the labels of its data set, before training.

>>> import predictor
>>> d = predictor.LabelDistribution.from_counts({"cat": 60, "dog": 20})
>>> predictor.compute(d, ["imbalance_ratio"])["imbalance_ratio"].value
3.0
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# name -> module that holds it; imported when first asked for, so that `import predictor` costs nothing
_PUBLIC = {
    "LabelDistribution": "predictor.distribution",
    "PredictorError": "predictor.errors",
    "Undefined": "predictor.indicators",
    "agreement": "predictor.agreements",
    "compute": "predictor.indicators",
    "fit_registry": "predictor.fitting",
    "find_fit": "predictor.models.fit",
    "frame": "predictor.records",
    "indicator": "predictor.indicators",
    "load_fit": "predictor.models.fit",
    "predict": "predictor.prediction",
    "read_manifest": "predictor.manifest",
    "read_registry": "predictor.records",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'predictor' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value  # `agreement` is a function here although a module has the same name
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
