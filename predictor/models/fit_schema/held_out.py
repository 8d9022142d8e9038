"""What fit.json holds of what was held out: errors of configurations, target sets, classes, and what probes bring."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, field_validator, model_validator

from predictor.models.fit_schema.parts import Count, Name, Numbers, Pair, StoredPart, aligned


class StoredSpread(StoredPart):
    """What is added to an interval where the level is unknown: degrees of freedom, standard deviation and why."""

    df: Annotated[float, Field(gt=0, le=1e9)]
    sd: Annotated[float, Field(ge=0, le=1e3)]
    reason: str


class Sizes(StoredPart):
    """How errors grow: see `predictor.statistics.error_scale`."""

    model_config = ConfigDict(extra="forbid")

    tail: float = 0.5
    doubt: float = 0.0
    haste: float = 0.0
    typical: Annotated[float, Field(ge=0)] = 0.0
    factors: dict[Name, Annotated[float, Field(gt=0)]] = {}


class StoredHeldOut(StoredPart):
    """What was predicted of configurations that a fit had not seen, and how far off it was (in logits)."""

    family: Name
    residuals: Numbers
    predicted: list[Annotated[float, Field(ge=0, le=1)]]
    groups: list[Name]
    fold: list[int] = []
    doubt: list[Annotated[float, Field(ge=0)]] = []
    haste: list[Annotated[float, Field(ge=0)]] = []
    domains: list[Name] = []
    calibrates: list[bool] | None = None
    scale: Sizes = Field(default_factory=lambda: Sizes())
    inflation: Annotated[float, Field(ge=1)] = 1.0
    single: Numbers = []
    sets: list[Name] = []
    covered: dict[str, Pair]
    covered_on: list[Name] = []

    @model_validator(mode="after")
    def _shape(self) -> StoredHeldOut:
        names = ("fold", "doubt", "haste", "domains", "calibrates", "single", "sets")
        stated = (name for name in names if getattr(self, name))
        aligned(self, "residuals", "predicted", "groups", *stated)
        return self


class OfConfigurations(StoredHeldOut):
    """Left-out configurations, with their ids."""

    configurations: list[Name]
    measured: Numbers = []

    @model_validator(mode="after")
    def _named(self) -> OfConfigurations:
        aligned(self, "configurations", "residuals", *(["measured"] if self.measured else []))
        return self


class OfTargetSets(StoredHeldOut):
    """Left-out target sets."""

    spread: Annotated[dict[str, StoredSpread], Field(min_length=1)]

    @field_validator("spread")
    @classmethod
    def _whole(cls, spread: dict[str, StoredSpread]) -> dict[str, StoredSpread]:
        if missing := {"new_target_set", "new_domain"} - spread.keys():
            raise ValueError(f"has no {min(missing)}")
        return spread


class ProbeMapping(StoredPart):
    """How level and slope of a probe become accuracies: see `predictor.models.probed`."""

    constant: float
    level: float
    growth: float
    stretch: float
    classes: float = 0.0  # fits made before know no such part
    slope: float
    n_classes: Annotated[float, Field(gt=0)] = 1.0
    image_steps: Annotated[float, Field(gt=0)] | None


class ProbeBlock(StoredPart):
    """What probes bring to left-out target sets, or domains."""

    mapping: ProbeMapping
    residuals: Numbers
    predicted: list[Annotated[float, Field(ge=0, le=1)]]
    groups: list[Name]
    left_out: list[Name]
    fold: list[int]
    doubt: list[Annotated[float, Field(ge=0)]]
    haste: list[Annotated[float, Field(ge=0)]] = []
    domains: list[Name] = []
    calibrates: list[bool] | None = None
    scale: Sizes = Field(default_factory=lambda: Sizes())
    inflation: Annotated[float, Field(ge=1)] = 1.0
    covered: dict[str, Pair | None]
    spread: dict[str, StoredSpread]
    mae: float
    mae_without: float
    width: float | None

    @model_validator(mode="after")
    def _shape(self) -> ProbeBlock:
        aligned(self, "residuals", "predicted", "groups", "left_out", "fold", "doubt")
        if missing := {"new_target_set", "new_domain"} - self.spread.keys():
            raise ValueError(f"spread has no {min(missing)}")
        return self


class StoredProbed(StoredPart):
    """What a fit learnt from probes of images. target_sets : {name: level}; classes : weight and correlation"""

    method: Name
    family: Name
    target_sets: dict[str, float]
    classes: Annotated[Numbers, Field(min_length=2, max_length=2)]
    new_target_set: ProbeBlock | None = None
    new_domain: ProbeBlock | None = None


class Quantiles(StoredPart):
    """Errors of single classes: the quantile at each level, None where there were too few."""

    levels: Numbers
    quantiles: list[float | None]
    covered: dict[str, Pair | None]
    coverage: dict[str, float | None] = {}
    coverage_low: dict[str, float | None] = {}
    coverage_high: dict[str, float | None] = {}
    width: dict[str, float | None] = {}
    mae: float | None = None
    mae_of_mean: float | None = None
    n_classes: Count = 0
    n_configurations: Count = 0
    n_target_sets: Count = 0

    @model_validator(mode="after")
    def _shape(self) -> Quantiles:
        aligned(self, "levels", "quantiles")
        if sorted(self.levels) != self.levels:
            raise ValueError("the levels do not ascend")
        return self


class PerClass(StoredPart):
    """How the classes of a target set depart from the curve: deviation, its standard deviation, test images."""

    class_sd: Annotated[float, Field(ge=0)]
    sd: Annotated[float, Field(ge=0)]
    tail: float
    tested: Annotated[float, Field(gt=0)]
    classes: dict[str, dict[str, Annotated[list[float], Field(min_length=3, max_length=3)]]]
    configuration: Quantiles | None
    target_set: Quantiles | None


class NoClasses(StoredPart):
    """Why nothing can be said of classes."""

    reason: str
