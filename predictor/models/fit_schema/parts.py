"""What every part of fit.json is made of: strict numbers, names of a bounded length, lists of one length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from predictor.text import MAX_NAME

Name = Annotated[str, Field(max_length=MAX_NAME)]
Numbers = list[float]
Count = Annotated[int, Field(ge=0, le=2**62)]


class StoredPart(BaseModel):
    """A part of a fit: no number written as text or as true, none that is not finite."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


def aligned(part: StoredPart, *names: str) -> None:
    """Refuse lists of these names that differ in length. Raises ValueError."""
    lengths = {name: len(getattr(part, name)) for name in names}
    if len(set(lengths.values())) > 1:
        raise ValueError("; ".join(f"{name} has {n} entries" for name, n in lengths.items()))


Pair = Annotated[list[Count], Field(min_length=2, max_length=2)]
Range = Annotated[list[float], Field(min_length=2, max_length=2)]


def check_scale(scale: Sequence[float]) -> None:
    """Refuse a scale that is 0 or less. Raises ValueError."""
    if not all(value > 0 for value in scale):
        raise ValueError("a scale is not above 0")
