"""How well does an indicator, known before training, rank what was measured after it?

The unit of evidence is a configuration: seeds are averaged first, resampling and permutation move whole
configurations. Each target set of each study is judged by itself: pooled over target sets, their different levels
would pass for agreement; together they are pooled as estimates.
"""

from predictor.agreements.compute import agreement
from predictor.agreements.request import ALL_STATISTICS, DEFAULT_STATISTICS
from predictor.agreements.table import Agreement, AgreementTable, Noise

__all__ = ["ALL_STATISTICS", "DEFAULT_STATISTICS", "Agreement", "AgreementTable", "Noise", "agreement"]
