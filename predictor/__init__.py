"""Predict how accurate and how robust an image classifier will be, from the labels of its data set, before training.

>>> import predictor
>>> d = predictor.LabelDistribution.from_counts({"cat": 60, "dog": 20})
>>> predictor.compute(d, ["imbalance_ratio"])["imbalance_ratio"].value
3.0
>>> found = predictor.load_fit().predict({"mine": d})
>>> found.summary().splitlines()[-1][:4]
'fit:'
"""

from __future__ import annotations

TYPE_CHECKING = False  # as of `typing`, whose import is the longest part of `import predictor`

if TYPE_CHECKING:
    from predictor import claims, indicators
    from predictor.api import agreement, design, fit, judge_claims, load_fit, measure, report
    from predictor.distribution import LabelDistribution
    from predictor.errors import PredictorError
    from predictor.fitting import fit_registry
    from predictor.indicators import Undefined, compute, indicator
    from predictor.manifest import read_manifest
    from predictor.models.fit import find_fit
    from predictor.planning import advise
    from predictor.planning import plan_pilots as pilots
    from predictor.prediction import predict
    from predictor.records import frame, read_registry

    __version__: str

# name -> module that holds it, and its name there; imported when first asked for, so that `import predictor` costs
# nothing. No function bears the name of a subpackage: `predictor.claims` and `predictor.indicators` are these.
_PUBLIC = {
    "LabelDistribution": "predictor.distribution:LabelDistribution",
    "PredictorError": "predictor.errors:PredictorError",
    "Undefined": "predictor.indicators:Undefined",
    "advise": "predictor.planning:advise",
    "agreement": "predictor.api:agreement",
    "claims": "predictor.claims:",
    "compute": "predictor.indicators:compute",
    "design": "predictor.api:design",
    "find_fit": "predictor.models.fit:find_fit",
    "fit": "predictor.api:fit",
    "fit_registry": "predictor.fitting:fit_registry",
    "frame": "predictor.records:frame",
    "indicator": "predictor.indicators:indicator",
    "indicators": "predictor.indicators:",
    "load_fit": "predictor.api:load_fit",
    "measure": "predictor.api:measure",
    "pilots": "predictor.planning:plan_pilots",
    "predict": "predictor.prediction:predict",
    "read_manifest": "predictor.manifest:read_manifest",
    "read_registry": "predictor.records:read_registry",
    "report": "predictor.api:report",
    "judge_claims": "predictor.api:judge_claims",
}
__all__ = [
    "LabelDistribution",
    "PredictorError",
    "Undefined",
    "__version__",
    "advise",
    "agreement",
    "claims",
    "compute",
    "design",
    "find_fit",
    "fit",
    "fit_registry",
    "frame",
    "indicator",
    "indicators",
    "judge_claims",
    "load_fit",
    "measure",
    "pilots",
    "predict",
    "read_manifest",
    "read_registry",
    "report",
]  # fmt: skip


def __getattr__(name: str) -> object:
    if name == "__version__":
        from predictor.errors import package_version

        return package_version("predictor")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'predictor' has no attribute {name!r}")
    from importlib import import_module

    module, _, attribute = _PUBLIC[name].partition(":")
    found = import_module(module)
    value = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
