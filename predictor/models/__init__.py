"""Model families: rows -> parameters (plain data) that `predictor.inference` evaluates.

>>> from predictor.models import families
>>> sorted(families())
['average', 'boosting', 'classwise', 'elastic_net', 'gaussian_process', 'linear', 'log_n', 'log_n_log_h', 'mean', 'nearest']
"""

from predictor.models import average, baselines, boosting, classwise, elastic_net, gaussian_process, linear
from predictor.models.base import Family, Row, families, family

__all__ = [
    "Family", "Row", "average", "baselines", "boosting", "classwise", "elastic_net", "families", "family", "gaussian_process",
    "linear",
]  # fmt: skip
