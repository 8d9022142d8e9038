"""Claims about training data, tested on a registry: one claim a file, verdicts with the runs behind them."""

from predictor.claims.base import LOWERS, NO_EFFECT, NOT_WORSE, RAISES, Claim, Contrast, Hypothesis, Part, difference
from predictor.claims.configurations import Configuration
from predictor.claims.registry import register, registered
from predictor.claims.results import ClaimResult, ClaimsReport, claims

__all__ = [
    "LOWERS",
    "NOT_WORSE",
    "NO_EFFECT",
    "RAISES",
    "Claim",
    "ClaimResult",
    "ClaimsReport",
    "Configuration",
    "Contrast",
    "Hypothesis",
    "Part",
    "claims",
    "difference",
    "register",
    "registered",
]
