"""Two fits of the same records, compared."""

from __future__ import annotations

import json
from typing import Any

import pytest

SIX_DIGITS = 1e-6
NOT_COMPARED = {"versions"}


def assert_same_fit(one: Any, other: Any) -> None:
    """Of two fits, or of parts of them, every number is the same to six digits, everything else is equal."""
    _same(json.loads(json.dumps(one)), json.loads(json.dumps(other)), "fit")


def of_outcome(content: dict[str, Any], outcome: str) -> dict[str, Any]:
    """The part of a fit that another one of the same records, of this outcome alone, has as well."""
    families = {name: own for name, own in content.get("recipe_families", {}).items() if outcome in own["outcomes"]}
    return {
        **{key: content[key] for key in ("training", "target_sets", "levels", "recipes", "trained")},
        "outcomes": {outcome: content["outcomes"][outcome]},
        "validation": [row for row in content["validation"] if row["outcome"] == outcome],
        **({"recipe_families": {name: of_outcome(own, outcome) for name, own in families.items()}} if families else {}),
    }


def _same(a: Any, b: Any, where: str) -> None:
    if isinstance(a, dict):
        assert a.keys() - NOT_COMPARED == b.keys() - NOT_COMPARED, where
        for key in a.keys() - NOT_COMPARED:
            _same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            _same(x, y, f"{where}[{i}]")
    elif isinstance(a, float) and isinstance(b, float):
        assert a == pytest.approx(b, rel=SIX_DIGITS, abs=SIX_DIGITS), where
    else:
        assert a == b, where
