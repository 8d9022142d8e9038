"""Effective robustness: accuracy under a shift beyond what clean accuracy predicts (Taori et al. 2020, section 2.3).

Over many models accuracy under a shift follows clean accuracy on a straight line of logits; what a model is above the
line of the others is what it does for robustness, not for accuracy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEWEST = 5  # other models that make a line


def effective_robustness(clean: ArrayLike, shifted: ArrayLike) -> NDArray[np.float64]:
    """(n,) accuracy under the shift minus the one that the line through all other models gives, in fractions.

    clean, shifted : (n,) accuracies strictly between 0 and 1 on the same classes, a model an entry
    NaN where fewer than 5 other models remain, all of one clean accuracy, or an accuracy is 0 or 1.

    >>> clean = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.7])
    >>> effective_robustness(clean, clean - 0.1 * clean * (1 - clean) * 4 + [0, 0, 0, 0, 0, 0.1])[5].round(2).item()
    0.1
    """
    x, y = np.asarray(clean, dtype=np.float64), np.asarray(shifted, dtype=np.float64)
    usable = (x > 0) & (x < 1) & (y > 0) & (y < 1)
    found = np.full(len(x), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = np.log(x / (1 - x)), np.log(y / (1 - y))
    for i in np.flatnonzero(usable):
        others = usable.copy()
        others[i] = False
        if others.sum() < FEWEST or np.ptp(a[others]) == 0:
            continue
        slope, start = np.polyfit(a[others], b[others], 1)
        found[i] = y[i] - 1 / (1 + np.exp(-(start + slope * a[i])))
    return found
