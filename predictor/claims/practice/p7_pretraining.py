"""P7: pretrained weights beat twice the data: n images a class with them against 2 n from scratch.

The runs from scratch are those of the same target set with the most image-steps. Networks and image sizes differ, as
they do for whoever chooses between the two; so do the images that the weights have seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from predictor.claims.alike import grouped, shape
from predictor.claims.base import RAISES, Claim, Contrast, Part
from predictor.claims.configurations import Configuration
from predictor.claims.practice.pairs import plain, unpaired
from predictor.recipes import FROZEN, SCRATCH, TUNED

PRETRAINED = "pretrained with n against scratch with 2 n"
DOUBLE = (1.6, 2.5)  # ratios of sizes that count as two


def find(group: Sequence[Configuration]) -> Iterable[Contrast]:
    """Each pretrained size against twice as many from scratch, trained longest."""
    single = plain(group)
    scratch = grouped((each for each in single if each.family == SCRATCH), shape)
    for arm in (each for each in single if each.family != SCRATCH and each.size):
        double = [each for each in scratch[shape(arm)] if DOUBLE[0] <= each.size / arm.size <= DOUBLE[1]]
        if double:
            longest = max(double, key=lambda each: (each.image_steps, -abs(each.size - 2 * arm.size), each.id))
            yield unpaired(PRETRAINED, arm, arm, longest)


CLAIM = Claim(
    name="P7",
    question="Do pretrained weights beat twice the data?",
    parts=(Part(PRETRAINED, RAISES),),
    find=find,
    across="recipes",
    families=(FROZEN, TUNED),
)
