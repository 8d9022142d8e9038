"""Model families: rows -> parameters (plain data) that `predictor.inference` evaluates.

>>> from predictor.models import families
>>> sorted(families())
['classwise', 'linear', 'log_n', 'log_n_log_h', 'mean', 'nearest']
"""

from predictor.models import baselines, classwise, linear
from predictor.models.base import Family, Row, families, family

__all__ = ["Family", "Row", "baselines", "classwise", "families", "family", "linear"]
