"""What a grid file may say, and what it becomes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WrapValidator, field_validator

from predictor.class_lists import class_list
from predictor.errors import SpecError
from predictor.grids.faults import near
from predictor.profiles import SharedPart
from predictor.spec import Model, Recipe, RunSpec, Seeds, TestSet, seeded
from predictor.text import MAX_NAME
from predictor.weights import KNOWN_WEIGHTS

STUDY_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")  # a folder name: no separator, and neither '.' nor '..'
SCHEDULES = ("image_steps", "epochs")
RECIPE_AXES = tuple(Recipe.model_fields)
DATA_AXES = ("samples_per_class", "profile", "blend", "others")
Name = Annotated[str, Field(max_length=MAX_NAME)]
AXES = ("target_set", "stages", *DATA_AXES, *SCHEDULES, *RECIPE_AXES)
STAGE_KEYS = ("share", "head", *DATA_AXES, *SCHEDULES, *RECIPE_AXES)  # what a stage of a plan may say of its own


class Rate(SharedPart):
    """A learning rate that depends smoothly on how long a stage trains: rate * (image_steps / at) ** power.

    In steps it would be confounded with size. The spec of a run holds the number, to 4 digits.

    >>> Rate(rate=0.03, at=15_000, power=-0.5).of(60_000)
    0.015
    """

    rate: float = Field(gt=0)
    at: int = Field(ge=1, le=10**15)
    power: float = Field(ge=-2, le=2)

    def of(self, image_steps: float) -> float:
        """The rate of a stage that shows so many images."""
        return float(f"{self.rate * (max(image_steps, 1) / self.at) ** self.power:.4g}")

    @property
    def label(self) -> str:
        """Short name for axes and tables."""
        return f"{self.rate:g}*(image_steps/{self.at})^{self.power:g}"


class SourceEntry(SharedPart):
    """Where a source's images are: a file or folder below the image folder, and the digest of its content."""

    digest: str = Field(pattern=r"^(sha256:[0-9a-f]{64}|named:.+|builtin:.+|fractals:.+)$")
    file: str | None = None


def _test_set(value: Any) -> Any:
    return {"source": value} if isinstance(value, str) else value


def _class_list(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return class_list(value)
    except SpecError as error:
        raise ValueError(f"{error.problem}; {error.remedy}, or list the classes") from None


class GridTargetSet(SharedPart):
    """A target set as a grid states it. `flip` overrides the recipe's: characters must not be mirrored.

    classes : their names, or the name of a list that ships (`predictor.class_lists`)
    ranks, short : see `spec.StageData`
    """

    domain: Name
    source: Name
    classes: Annotated[tuple[Name, ...], BeforeValidator(_class_list)]
    train_split: Name = "train"
    test_split: Name = "test"
    shifts: dict[Name, Annotated[TestSet, BeforeValidator(_test_set)]] = Field(default_factory=dict)
    flip: bool | None = None
    ranks: Literal["drawn", "source", "listed"] = "drawn"
    short: Literal["error", "take"] = "error"

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(classes) < 2:
            raise ValueError("a target set needs at least 2 classes")
        if twice := sorted(name for name, n in Counter(classes).items() if n > 1):
            raise ValueError(f"class {twice[0]!r} stands twice")
        return classes


WEIGHTS = "{file: FILE, digest: sha256:...}, or {timm: TAG, digest: sha256:...}; trainer weights FILE|TAG prints it"


def _weights(value: Any) -> Any:
    """What a grid says of weights, as a spec says it: a name and a digest."""
    if value is None:
        return None
    if isinstance(value, str):
        if value not in KNOWN_WEIGHTS:
            raise ValueError(f"unknown weights {value!r}{near(value, KNOWN_WEIGHTS)}; write {WEIGHTS}")
        return {"name": value, "digest": KNOWN_WEIGHTS[value].digest}
    if not isinstance(value, dict) or not {"digest"} < set(value) <= {"digest", "file", "timm", "name"}:
        raise ValueError(f"needs the name of known weights ({', '.join(KNOWN_WEIGHTS)}), or {WEIGHTS}")
    place = value.get("timm", value.get("file", value.get("name")))
    return {"name": value.get("name", place), "digest": value["digest"]}


def _model(value: Any) -> Any:
    if isinstance(value, dict) and "weights" in value:
        return {**value, "weights": _weights(value["weights"])}
    return value


def weights_place(model: Any) -> str | None:
    """Where a grid's weights lie: a file below the image folder, or 'timm:TAG'; None for known ones and for none.

    >>> weights_place({"name": "resnet18", "weights": {"timm": "resnet18.a1_in1k", "digest": "sha256:..."}})
    'timm:resnet18.a1_in1k'
    """
    weights = model.get("weights") if isinstance(model, dict) else None
    if not isinstance(weights, dict):
        return None
    return f"timm:{weights['timm']}" if "timm" in weights else weights.get("file")


def _seeds(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a seed is a whole number >= 0, or {data: NUMBER, training: NUMBER}")
    return {"data": value, "training": value}


MAX_DRAWN = 1_000  # replicates of a configuration


@dataclass(frozen=True)
class DrawnSeeds:
    """Seeds that each configuration draws for itself: no two configurations share their images by design.

    n : replicates of a configuration

    >>> DrawnSeeds(2).of("94c1") == DrawnSeeds(3).of("94c1")[:2]
    True
    """

    n: int

    def of(self, configuration_id: str) -> list[Seeds]:
        """The seeds of a configuration: they follow from its id alone, so more replicates keep those that there are."""
        drawn = seeded("seeds", configuration_id).choice(2**31, size=MAX_DRAWN, replace=False)
        return [Seeds(data=int(seed), training=int(seed)) for seed in drawn[: self.n]]


def _drawn_or_listed(value: Any, listed: Callable[[Any], list[Seeds]]) -> list[Seeds] | DrawnSeeds:
    if not isinstance(value, dict):
        return listed(value)
    n = value.get("n")
    whole = isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= MAX_DRAWN
    if set(value) != {"n", "drawn"} or value["drawn"] != "each" or not whole:
        found = ", ".join(f"{key}: {item}" for key, item in value.items())
        raise ValueError(
            f"needs a list of seeds, or {{n: NUMBER, drawn: each}} with 1 to {MAX_DRAWN:,} replicates "
            f"(found {{{found}}})"
        )
    return DrawnSeeds(n)


class GridFile(SharedPart):
    """The whole file. Blocks are read axis by axis later, so that each fault gets its own line.

    stage_plans : name -> stages, one after the other; each says what differs from its block, `share`, its part of
        the block's schedule, and `head`, kept (default) or fresh. The axis `stages` names plans.
    seeds : the same for all configurations, or {n: 3, drawn: each}: every configuration draws its own
    representative : the configurations are drawn as a user's would be; intervals are calibrated on such studies
    """

    study: Annotated[str, Field(max_length=200)]
    protocol: int = Field(ge=1)
    held_out: bool = False
    representative: bool = False
    sources: dict[Name, SourceEntry] = Field(min_length=1)
    target_sets: dict[Name, GridTargetSet] = Field(min_length=1)
    model: Annotated[Model, BeforeValidator(_model)]
    recipe: dict[str, Any]
    seeds: Annotated[
        Annotated[list[Annotated[Seeds, BeforeValidator(_seeds)]], Field(min_length=1)], WrapValidator(_drawn_or_listed)
    ]
    stage_plans: dict[str, Annotated[list[dict[str, Any]], Field(min_length=1)]] = Field(default_factory=dict)
    grid: list[dict[str, Any]] = Field(default_factory=list)
    random: list[dict[str, Any]] = Field(default_factory=list)

    @field_validator("study")
    @classmethod
    def _named(cls, study: str) -> str:
        if not STUDY_NAME.fullmatch(study):
            raise ValueError("is no study name; use a-z, 0-9, '.', '_' and '-', a letter or digit first")
        return study

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[Seeds] | DrawnSeeds) -> list[Seeds] | DrawnSeeds:
        if isinstance(seeds, list) and len(set(seeds)) < len(seeds):
            raise ValueError("a seed stands twice")
        return seeds

    def seeds_of(self, spec: RunSpec) -> list[Seeds]:
        """The seeds of a configuration, given with any seeds."""
        return self.seeds.of(spec.configuration_id) if isinstance(self.seeds, DrawnSeeds) else self.seeds


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One run of a grid: its spec, and its place in the design. turn : which of its configuration's seeds it has"""

    spec: RunSpec
    axes: dict[str, str | int | float]
    target_set: str
    domain: str
    turn: int = 0


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A study: its sources and every run in order, the seeds of a configuration one after the other."""

    study: str
    held_out: bool
    representative: bool
    protocol: int
    sources: dict[str, SourceEntry]
    domains: dict[str, str]
    weights: str | None  # where pretrained weights lie (`weights_place`)
    runs: list[PlannedRun]
