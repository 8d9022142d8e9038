"""Which claims are tested: the paper's seven, and those that a user registers."""

from __future__ import annotations

from predictor.claims.base import Claim
from predictor.claims.paper import (
    c1_v_scaling,
    c2_h_scaling,
    c3_sources,
    c4_very_large,
    c5_imbalance,
    c6_tail_share,
    c7_truncation,
)
from predictor.claims.practice import (
    p1_class_weights,
    p2_oversampling,
    p3_hundred_to_one,
    p4_drop_small,
    p5_thousand_images,
    p6_background,
    p7_pretraining,
    p8_robustness,
)
from predictor.errors import PredictorError

PAPER = (
    c1_v_scaling.CLAIM, c2_h_scaling.CLAIM, c2_h_scaling.CLAIM_NONE, c3_sources.CLAIM, c4_very_large.CLAIM,
    c5_imbalance.CLAIM, c6_tail_share.CLAIM, c7_truncation.CLAIM,
)  # fmt: skip
PRACTICE = (
    p1_class_weights.CLAIM, p2_oversampling.CLAIM, p3_hundred_to_one.CLAIM, p4_drop_small.CLAIM,
    p5_thousand_images.CLAIM, p6_background.CLAIM, p7_pretraining.CLAIM, p8_robustness.CLAIM,
)  # fmt: skip
_CLAIMS: dict[str, Claim] = {claim.name: claim for claim in (*PAPER, *PRACTICE)}


def register(claim: Claim) -> Claim:
    """Add a claim to those that `predictor claims` tests. Raises PredictorError for a name that is taken.

    A file of your own holds `find`, which pairs configurations, and registers the claim; `predictor --load FILE claims
    RUNS` tests it beside the others:

        from predictor.claims import RAISES, Claim, Part, difference, register

        def find(group):  # configurations that share everything but data and schedule
            single = [c for c in group if c.single]
            for less in single:
                for more in single:
                    if more.data == less.data and more.image_steps == 2 * less.image_steps:
                        yield difference("twice the steps", less, more, less)

        register(Claim(name="steps", question="Do twice the steps raise accuracy?",
                       parts=(Part("twice the steps", RAISES),), find=find))
    """
    if claim.name in _CLAIMS:
        raise PredictorError(f"a claim {claim.name!r} exists already", remedy="give it another name")
    _CLAIMS[claim.name] = claim
    return claim


def registered() -> dict[str, Claim]:
    """{name: claim}, the paper's first, then what people repeat."""
    return dict(_CLAIMS)
