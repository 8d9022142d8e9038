"""What decides every pixel of a FractalDB, and how a grid's digest states it."""

from __future__ import annotations

import dataclasses
import difflib
import math
from dataclasses import dataclass
from typing import Any, Literal

from predictor.errors import DataError
from predictor.indicators.sources import SYNTHETIC

MAX_IMAGES = 20_000_000
_RANGES = {
    "classes": (1, 1_000_000),
    "instances": (1, 1_000_000),
    "seed": (0, 2**32 - 1),
    "step": (0.0, 0.45),
    "points": (100, 100_000),
}
_CHOICES = {"draw": ("patches", "points"), "palette": ("grey", "colour")}


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Classes and instances are numbered: those of a smaller database are the first of a larger one.

    step : one parameter of all maps is multiplied by 1 - 2 step, 1 - step, 1 + step or 1 + 2 step in 24 of 25 instances
    points : of the orbit that is drawn; draw : a point as a pattern of 3 x 3 pixels or as one pixel
    """

    classes: int
    instances: int
    seed: int = 0
    step: float = 0.1
    points: int = 100_000
    draw: Literal["patches", "points"] = "patches"
    palette: Literal["grey", "colour"] = "grey"

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:  # also not for nan
                raise DataError(f"{name} is {value:,}; needed {least:,} to {most:,}", where="fractals")
        for name, known in _CHOICES.items():
            if (value := getattr(self, name)) not in known:
                raise DataError(f"{name} is {value!r}; needed {' or '.join(known)}", where="fractals")
        if (n := self.classes * self.instances) > MAX_IMAGES:
            raise DataError(f"{n:,} images, more than {MAX_IMAGES:,}", where="fractals", remedy="ask for fewer")

    @property
    def digest(self) -> str:
        """As a grid states it: what differs from the defaults, and always classes, instances and seed.

        >>> Parameters(classes=1000, instances=50, points=10_000).digest
        'fractals:classes=1000,instances=50,seed=0,points=10000'
        """
        stated = [
            f"{field.name}={getattr(self, field.name)}"
            for field in dataclasses.fields(self)
            if field.name in ("classes", "instances", "seed") or getattr(self, field.name) != field.default
        ]
        return SYNTHETIC + ",".join(stated)


def read_digest(digest: str, *, where: str) -> Parameters:
    """The parameters that a digest states. where : the source's name, for errors

    Raises DataError for an unknown, missing or impossible one, and for any other spelling than `Parameters.digest`:
    one database has one digest.

    >>> read_digest("fractals:classes=10,instances=5,seed=3", where="dots").seed
    3
    """
    kinds = {"step": float, "draw": str, "palette": str}
    known = [field.name for field in dataclasses.fields(Parameters)]
    example = "write it as fractals:classes=1000,instances=50,seed=0"
    values: dict[str, Any] = {}
    for part in digest.removeprefix(SYNTHETIC).split(","):
        name, _, text = part.partition("=")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
            raise DataError(f"digest {digest!r}: unknown parameter {name!r}{hint}", where=where, remedy=example)
        try:
            values[name] = kinds.get(name, int)(text)
            if isinstance(values[name], float) and not math.isfinite(values[name]):
                raise ValueError
        except ValueError:
            raise DataError(f"digest {digest!r}: {name} is {text!r}, no number", where=where, remedy=example) from None
    if missing := [name for name in ("classes", "instances") if name not in values]:
        raise DataError(f"digest {digest!r}: lacks {' and '.join(missing)}", where=where, remedy=example)
    try:
        parameters = Parameters(**values)
    except DataError as error:
        raise DataError(f"digest {digest!r}: {error.problem}", where=where, remedy=error.remedy) from None
    if parameters.digest != digest:
        raise DataError(f"digest {digest!r} is spelt otherwise", where=where, remedy=f"write {parameters.digest!r}")
    return parameters
