"""Where pretrained weights come from, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMED = 3  # classes that weights have seen


def weights_text(weights: Mapping[str, Any]) -> str:
    """Pretrained weights in words: training set, licence, and which classes they have seen by name.

    >>> weights_text({"name": "lite0", "licence": "Apache-2.0", "trained_on": "ImageNet-1k", "alike": ["bee"]})
    'lite0, Apache-2.0, trained on ImageNet-1k, which has 1 of these classes by name (bee), so it has seen them'
    >>> weights_text({"name": "mine.pth", "licence": None, "trained_on": None, "alike": None})
    'mine.pth: licence and training set are not known; it may have seen these classes'
    """
    if weights["trained_on"] is None:
        rest = "licence and training set are not known; it may have seen these classes"
        return f"{weights['name']}: {rest}"
    told = f"{weights['name']}, {weights['licence']}, trained on {weights['trained_on']}"
    alike = weights["alike"]
    if alike:
        more = f", and {len(alike) - NAMED} more" if len(alike) > NAMED else ""
        names = f"{', '.join(alike[:NAMED])}{more}"
        return f"{told}, which has {len(alike)} of these classes by name ({names}), so it has seen them"
    return f"{told}, which has none of these classes by name"
