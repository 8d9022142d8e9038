"""Model families: rows -> parameters (plain data) that each family evaluates with numpy alone.

>>> from predictor.models import families
>>> sorted(name for name, item in families().items() if not item.baseline)
['average', 'boosting', 'classwise', 'elastic_net', 'gaussian_process', 'law', 'linear']
"""

from predictor.models import (
    average,
    baselines,
    boosting,
    by_shift,
    classwise,
    elastic_net,
    gaussian_process,
    law,
    linear,
    nearest,
)
from predictor.models.base import Family, families, family
from predictor.models.rows import Row

__all__ = [
    "Family", "Row", "average", "baselines", "boosting", "by_shift", "classwise", "elastic_net", "families",
    "family", "gaussian_process", "law", "linear", "nearest",
]  # fmt: skip
