"""P2: drawing every class as often changes nothing (Buda, Maki & Mazurowski 2018 found that it does no harm).

A null claim: supported by two one-sided tests, never by "not significant".
"""

from __future__ import annotations

from predictor.claims.base import NO_EFFECT, Part
from predictor.claims.practice.pairs import action_claim

CLAIM = action_claim(
    "P2",
    "Is oversampling small classes without effect?",
    Part("balanced sampling against natural", NO_EFFECT),
    sampling="balanced",
)
