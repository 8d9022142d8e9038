"""What to collect, and what to train next: advice on a manifest, pilots of it, the design of further runs.

>>> from predictor.planning import advise
"""

from predictor.planning.advice import Advice, Against, ClassChange, Plan, advise
from predictor.planning.reach import Reach

__all__ = ["Advice", "Against", "ClassChange", "Plan", "Reach", "advise"]
