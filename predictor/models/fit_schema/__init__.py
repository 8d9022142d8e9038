"""The shape of fit.json: what every part must be before anything is computed from it.

A digest says that nobody edited the file after it was written; it does not say that it was written well. Keys that
stand here are what the evaluators and the renderers read; others may stand beside them, and so may the parameters of
families of your own.
"""

from predictor.models.fit_schema.families import KINDS
from predictor.models.fit_schema.whole import shape_faults

__all__ = ["KINDS", "shape_faults"]
