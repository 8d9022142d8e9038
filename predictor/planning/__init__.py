"""What to collect, and what to train next: advice on a manifest, pilots of it, the design of further runs.

Each part is imported when it is first asked for: advice needs numpy alone, pilots and designs read run records.

>>> from predictor.planning import advise, design_registry, plan_pilots, predict_with_pilots
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from predictor.planning.advice.advise import advise
    from predictor.planning.advice.curve import Point
    from predictor.planning.advice.reach import Reach
    from predictor.planning.advice.results import Advice, Against, ClassChange, Plan
    from predictor.planning.design.choose import Choice, Design, design_registry
    from predictor.planning.pilots.plan import Pilot, PilotPlan, plan_pilots
    from predictor.planning.pilots.predict import predict_with_pilots
    from predictor.planning.scaling import ScaleCurve, ScalePoint, scale_curve

__all__ = [
    "Advice",
    "Against",
    "Choice",
    "ClassChange",
    "Design",
    "Pilot",
    "PilotPlan",
    "Plan",
    "Point",
    "Reach",
    "ScaleCurve",
    "ScalePoint",
    "advise",
    "design_registry",
    "plan_pilots",
    "predict_with_pilots",
    "scale_curve",
]

_PARTS = {
    "advice.advise": ("advise",),
    "advice.curve": ("Point",),
    "advice.results": ("Advice", "Against", "ClassChange", "Plan"),
    "advice.reach": ("Reach",),
    "design.choose": ("Choice", "Design", "design_registry"),
    "pilots.plan": ("Pilot", "PilotPlan", "plan_pilots"),
    "pilots.predict": ("predict_with_pilots",),
    "scaling": ("ScaleCurve", "ScalePoint", "scale_curve"),
}


def __getattr__(name: str) -> Any:
    for part, names in _PARTS.items():
        if name in names:
            return getattr(importlib.import_module(f"predictor.planning.{part}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
