"""Scales of outcomes: which numbers each can hold, and whether more of it is better."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SHARES = ("accuracy", "logit")  # fractions: the logit is taken of the value itself
LOGS = ("log", "loss")  # positive numbers
KNOWN = (*SHARES, *LOGS, "identity")
BETTER_SMALL = ("loss",)


def impossible(scale: str, values: ArrayLike) -> NDArray[np.bool_]:
    """Which of the values the scale cannot hold; of a scale that is not known, those that are not finite.

    >>> impossible("accuracy", [0.5, 57.3]).tolist(), impossible("loss", [2.3, 0.0]).tolist()
    ([False, True], [False, True])
    """
    y = np.asarray(values, dtype=np.float64)
    bad = ~np.isfinite(y)
    if scale in SHARES:
        bad |= (y < 0) | (y > 1)
    if scale in LOGS:
        bad |= ~(y > 0)
    return bad


def needed(scale: str) -> str:
    """What the scale can hold, in words."""
    return "a fraction, 0 to 1" if scale in SHARES else "a positive number" if scale in LOGS else "a finite number"


def direction(scale: str) -> int:
    """+1 where more is better, -1 where less is."""
    return -1 if scale in BETTER_SMALL else 1
