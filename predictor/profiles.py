"""Imbalance profiles: a shape, a mean class size and edits give the counts of the target classes. Pure."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from predictor.statistics.shares import apportion

Counts = NDArray[np.int64]
Images = Annotated[int, Field(ge=1, le=10**9)]  # of one class; far below what floats and 64 bits hold exactly
Shape = Literal["balanced", "exponential", "step", "zipf", "natural", "explicit"]

COUNTS = (
    "; write {shape: ..., counts: [320, 75, 8]}: the class counts of a real list, one for each target class, as in the "
    "column count of a table label,count"
)
PARAMETERS: dict[str, tuple[str, ...]] = {
    "balanced": (),
    "exponential": ("ratio",),
    "step": ("ratio", "share"),
    "zipf": ("exponent",),
    "natural": ("counts",),
    "explicit": ("counts",),
}


class SharedPart(BaseModel):
    """Base of everything a spec is made of: frozen, no unknown key, no NaN, no number written as text or as true.

    pydantic alone reads '10' and true as numbers; in a grid each of them is a slip of the pen.

    >>> Edit.model_validate({"truncate_head": "50"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    pydantic_core._pydantic_core.ValidationError: 1 validation error for Edit
    truncate_head
      Value error, needs a number ...
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _number(cls, value: Any, info: ValidationInfo) -> Any:
        if _numeric(cls, str(info.field_name)):
            for item in value if isinstance(value, list | tuple) else (value,):
                if isinstance(item, bool | str):
                    raise ValueError("needs a number")
        return value


@cache
def _numeric(part: type[SharedPart], name: str) -> bool:
    return _leaves(part.model_fields[name].annotation) <= {int, float, type(None)}


def _leaves(annotation: Any) -> set[Any]:
    if hasattr(annotation, "__metadata__"):
        return _leaves(annotation.__origin__)
    arguments = [a for a in get_args(annotation) if a is not Ellipsis]
    return set().union(*map(_leaves, arguments)) if arguments else {annotation}


class Edit(SharedPart):
    """One change to the counts of a shape; exactly one field is set.

    truncate_head : no class keeps more than this many images
    rebalance_tail : classes below are filled up to this many
    rebalance_middle : [low, high]: classes with low or more but fewer than high are filled up to high
    delete_proportionally : delete as many samples as truncate_head at the same k would, from all classes in proportion

    >>> Edit(truncate_head=50).label
    'truncate_head=50'
    """

    truncate_head: Images | None = None
    rebalance_tail: Images | None = None
    rebalance_middle: tuple[Images, Images] | None = None
    delete_proportionally: Images | None = None

    @model_validator(mode="after")
    def _one(self) -> Edit:
        if sum(value is not None for value in self.model_dump().values()) != 1:
            raise ValueError("an edit names exactly one of " + ", ".join(type(self).model_fields))
        if self.rebalance_middle and self.rebalance_middle[0] >= self.rebalance_middle[1]:
            raise ValueError("rebalance_middle needs [low, high], low below high")
        return self

    @property
    def label(self) -> str:
        """Short name for axes and tables."""
        ((name, value),) = self.model_dump(exclude_none=True).items()
        return f"{name}=" + ("..".join(map(str, value)) if isinstance(value, tuple) else str(value))


class Profile(SharedPart):
    """How the images are spread over the target classes, largest class first.

    ratio : largest over smallest class (exponential), large over small classes (step)
    share : share of the classes that are small (step)
    exponent : of the rank in 1/rank^exponent (zipf)
    counts : class counts of a real list, scaled to the mean size (natural) or taken as they are (explicit)
    edits : applied in order
    keep_total : after the edits, rescale to the number of samples that the shape had

    >>> Profile(shape="step", ratio=10, share=0.5).label
    'step(ratio=10,share=0.5)'
    """

    shape: Shape = "balanced"
    ratio: Annotated[float, Field(ge=1, le=1e9)] | None = None
    share: Annotated[float, Field(gt=0, lt=1)] | None = None
    exponent: Annotated[float, Field(ge=0, le=50)] | None = None
    counts: tuple[Images, ...] | None = None
    edits: tuple[Edit, ...] = ()
    keep_total: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Profile:
        given = {n for n in ("ratio", "share", "exponent", "counts") if getattr(self, n) is not None}
        wanted = set(PARAMETERS[self.shape])
        if given != wanted:
            need = ", ".join(PARAMETERS[self.shape]) or "no parameter"
            hint = COUNTS if "counts" in wanted - given else ""
            raise ValueError(f"shape {self.shape} takes {need}; found {', '.join(sorted(given)) or 'none'}{hint}")
        return self

    @property
    def label(self) -> str:
        """Short name for axes and tables."""
        parts = []
        for name in PARAMETERS[self.shape]:
            value = getattr(self, name)
            parts.append(f"{name}={value:g}" if name != "counts" else "..".join(map(str, (max(value), min(value)))))
        text = f"{self.shape}({','.join(parts)})" if parts else self.shape
        for edit in self.edits:
            text += f"|{edit.label}"
        return text + ("|keep_total" if self.keep_total else "")


def profile_counts(profile: Profile, n_classes: int, samples_per_class: float) -> Counts:
    """Images per class, largest first.

    n_classes : number of target classes, >= 1
    samples_per_class : mean class size before the edits, >= 1 (ignored by `explicit`)
    Returns (n_classes,) ints, every one >= 1; before edits they sum to round(n_classes * samples_per_class).
    Raises ValueError where `counts` does not have n_classes entries.

    >>> profile_counts(Profile(shape="exponential", ratio=4), 3, 70).tolist()
    [120, 60, 30]
    """
    total = round(n_classes * samples_per_class)
    counts = _shape(profile, n_classes, total)
    before = int(counts.sum())
    for edit in profile.edits:
        counts = _edited(counts, edit)
    return apportion(counts.astype(float), before) if profile.keep_total else counts


def _shape(profile: Profile, n_classes: int, total: int) -> Counts:
    rank = np.arange(n_classes)
    if profile.counts is not None:
        if len(profile.counts) != n_classes:
            raise ValueError(f"profile {profile.shape} names {len(profile.counts)} counts for {n_classes} classes")
        counts = np.sort(np.array(profile.counts, dtype=np.int64))[::-1]
        return counts.copy() if profile.shape == "explicit" else apportion(counts.astype(float), total)
    if profile.shape == "exponential":
        weights = profile.ratio ** (-rank / max(n_classes - 1, 1))
    elif profile.shape == "step":
        n_small = min(max(round(profile.share * n_classes), 1), n_classes - 1) if n_classes > 1 else 0
        weights = np.where(rank < n_classes - n_small, profile.ratio, 1.0)
    elif profile.shape == "zipf":
        weights = (rank + 1.0) ** -profile.exponent
    else:
        weights = np.ones(n_classes)
    return apportion(np.asarray(weights, dtype=float), total)


def _edited(counts: Counts, edit: Edit) -> Counts:
    if edit.truncate_head is not None:
        return np.minimum(counts, edit.truncate_head)
    if edit.rebalance_tail is not None:
        return np.maximum(counts, edit.rebalance_tail)
    if edit.rebalance_middle is not None:
        low, high = edit.rebalance_middle
        return np.where((counts >= low) & (counts < high), high, counts)
    kept = int(np.minimum(counts, edit.delete_proportionally).sum())
    return apportion(counts.astype(float), kept)
