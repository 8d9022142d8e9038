"""Choosing a family, validating it, calibrating its intervals: run records -> Fit.

>>> from predictor.fitting import fit_registry
"""

from predictor.fitting.fit import fit_registry
from predictor.fitting.rows import Selection, rows_for, select
from predictor.fitting.scoring import score_held_out

__all__ = ["Selection", "fit_registry", "rows_for", "score_held_out", "select"]
