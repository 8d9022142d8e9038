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
