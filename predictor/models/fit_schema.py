"""The shape of fit.json: what every part must be before anything is computed from it.

A digest says that nobody edited the file after it was written; it does not say that it was written well. Keys that
stand here are what the evaluators and the renderers read; others may stand beside them, and so may the parameters of
families of your own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from predictor.text import MAX_NAME

Name = Annotated[str, Field(max_length=MAX_NAME)]
Numbers = list[float]
Count = Annotated[int, Field(ge=0, le=2**62)]


class Part(BaseModel):
    """A part of a fit: no number written as text or as true, none that is not finite."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


def _aligned(part: Part, *names: str) -> None:
    lengths = {name: len(getattr(part, name)) for name in names}
    if len(set(lengths.values())) > 1:
        raise ValueError("; ".join(f"{name} has {n} entries" for name, n in lengths.items()))


class Pooled(Part):
    """A curve of every target set: kinds `linear` and `classwise`."""

    kind: Literal["linear", "classwise"]
    features: list[Name]
    center: Numbers
    scale: Numbers
    low: Numbers
    high: Numbers
    coefficients: Numbers
    intercept: float
    levels: dict[str, float]
    domains: dict[str, float] = {}
    level_slopes: dict[str, Numbers] = {}
    domain_slopes: dict[str, Numbers] = {}
    networks: dict[str, float] = {}
    network_slopes: dict[str, Numbers] = {}
    level_sd: float | None = None

    @model_validator(mode="after")
    def _shape(self) -> Pooled:
        _aligned(self, "features", "center", "scale", "low", "high", "coefficients")
        slopes_of = (self.level_slopes, self.domain_slopes, self.network_slopes)
        for slopes in (row for own in slopes_of for row in own.values()):
            if len(slopes) != len(self.features):
                raise ValueError(f"a slope has {len(slopes)} entries, there are {len(self.features)} features")
        _check_scale(self.scale)
        return self


class Tree(Part):
    """A regression tree as arrays of its nodes; a leaf has feature -1."""

    feature: list[int]
    threshold: Numbers
    left: list[int]
    right: list[int]
    value: Numbers

    @model_validator(mode="after")
    def _grows(self) -> Tree:
        _aligned(self, "feature", "threshold", "left", "right", "value")
        for node, (feature, *children) in enumerate(zip(self.feature, self.left, self.right, strict=True)):
            if feature >= 0 and not all(node < child < len(self.feature) for child in children):
                raise ValueError(f"node {node} leads to {children}, of {len(self.feature)} nodes")
        if not self.feature:
            raise ValueError("has no node")
        return self


class Boosted(Part):
    """Trees that correct another model."""

    kind: Literal["boosted"]
    features: list[Name]
    tree_features: list[Name]
    start: float
    trees: list[Tree]
    base: Model

    @model_validator(mode="after")
    def _known(self) -> Boosted:
        if any(max(tree.feature) >= len(self.tree_features) for tree in self.trees):
            raise ValueError(f"a tree asks for a feature that is not among the {len(self.tree_features)} stated")
        return self


class Term(Part):
    """A term of an elastic net: one indicator, or a product of two."""

    of: Annotated[list[Count], Field(min_length=1, max_length=2)]
    flip: Annotated[list[bool], Field(min_length=1, max_length=2)]
    join: Literal["one", "both", "either"]


class ElasticNet(Part):
    """A linear model in one weighted sum of terms."""

    kind: Literal["elastic_net"]
    features: list[Name]
    net_features: list[Name]
    low: Numbers
    high: Numbers
    terms: list[Term]
    weights: Numbers
    base: Pooled

    @model_validator(mode="after")
    def _shape(self) -> ElasticNet:
        _aligned(self, "net_features", "low", "high")
        _aligned(self, "terms", "weights")
        if any(low >= high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("a range of the net is empty")
        if any(len(term.of) != len(term.flip) or max(term.of) >= len(self.low) for term in self.terms):
            raise ValueError("a term names an indicator that the net has not")
        return self


class Process(Part):
    """A Gaussian process that corrects another model."""

    kind: Literal["gaussian_process"]
    features: list[Name]
    gp_features: list[Name]
    center: Numbers
    scale: Numbers
    lengths: Numbers
    points: list[Numbers]
    weights: Numbers
    low: Numbers
    high: Numbers
    variances: dict[str, Annotated[float, Field(ge=0)]]
    levels: list[Name]
    level_of: list[Count]
    domains: list[Name]
    domain_of: list[Count]
    base: Model

    @model_validator(mode="after")
    def _shape(self) -> Process:
        _aligned(self, "center", "scale", "lengths", "low", "high")
        _aligned(self, "points", "weights", "level_of", "domain_of")
        n = len(self.gp_features) + 1  # and what the regression says
        if len(self.center) != n or any(len(point) != n for point in self.points):
            raise ValueError(f"the centre or a point has not {n} entries")
        if max(self.level_of, default=0) >= len(self.levels) or max(self.domain_of, default=0) >= len(self.domains):
            raise ValueError("a point belongs to a level or domain that is not among those stated")
        if missing := sorted(set(VARIANCES) - self.variances.keys()):
            raise ValueError(f"states no variance {missing[0]!r}")
        _check_scale([*self.scale, *self.lengths])
        return self


class Average(Part):
    """The weighted mean of several models."""

    kind: Literal["average"]
    features: list[Name]
    parts: Annotated[list[Model], Field(min_length=1)]
    weights: list[Annotated[float, Field(ge=0, le=1)]] = []

    @model_validator(mode="after")
    def _shape(self) -> Average:
        if self.weights:
            _aligned(self, "parts", "weights")
        return self


class ByShift(Part):
    """Robustness as the mean over shifts, each with a model of its own."""

    kind: Literal["by_shift"]
    features: list[Name]
    parts: Annotated[dict[Name, Model], Field(min_length=1)]
    tested: dict[Name, dict[str, list[Name]]]


class Nearest(Part):
    """The accuracy of the nearest configuration."""

    kind: Literal["nearest"]
    features: list[Name]
    names: list[Name]
    owners: list[Name]
    points: list[Numbers]
    scale: Numbers
    values: Numbers

    @model_validator(mode="after")
    def _shape(self) -> Nearest:
        _aligned(self, "names", "owners", "points", "values")
        _aligned(self, "features", "scale")
        if any(len(point) != len(self.features) for point in self.points):
            raise ValueError(f"a point has not {len(self.features)} entries")
        _check_scale(self.scale)
        return self


class Own(Part):
    """Parameters of a family that somebody registers; only that family knows their shape."""

    kind: Name
    features: list[Name]

    @field_validator("kind")
    @classmethod
    def _not_ours(cls, kind: str) -> str:
        if kind in KINDS:
            raise ValueError("is a kind of this package, in another shape")
        return kind


def _kind(value: Any) -> str:
    """Which of the shapes parameters must have, so that a fault names the key and not eight possible shapes."""
    kind = value.get("kind") if isinstance(value, Mapping) else None
    return kind if isinstance(kind, str) and kind in KINDS else OWN


OWN = "own"
VARIANCES = ("shared", "target_set", "domain", "target_set_level", "domain_level")  # of a Gaussian process
KINDS = ("linear", "classwise", "boosted", "elastic_net", "gaussian_process", "average", "by_shift", "nearest")
Model = Annotated[
    Annotated[Pooled, Tag("linear")]
    | Annotated[Pooled, Tag("classwise")]
    | Annotated[Boosted, Tag("boosted")]
    | Annotated[ElasticNet, Tag("elastic_net")]
    | Annotated[Process, Tag("gaussian_process")]
    | Annotated[Average, Tag("average")]
    | Annotated[ByShift, Tag("by_shift")]
    | Annotated[Nearest, Tag("nearest")]
    | Annotated[Own, Tag(OWN)],
    Discriminator(_kind),
]
Pair = Annotated[list[Count], Field(min_length=2, max_length=2)]
Range = Annotated[list[float], Field(min_length=2, max_length=2)]


class Spread(Part):
    """What is added to an interval where the level is unknown: degrees of freedom, standard deviation and why."""

    df: Annotated[float, Field(gt=0, le=1e9)]
    sd: Annotated[float, Field(ge=0, le=1e3)]
    reason: str


class Sizes(Part):
    """How errors grow: see `predictor.statistics.error_scale`."""

    model_config = ConfigDict(extra="forbid")

    tail: float = 0.5
    doubt: float = 0.0
    haste: float = 0.0
    typical: Annotated[float, Field(ge=0)] = 0.0
    factors: dict[Name, Annotated[float, Field(gt=0)]] = {}


class HeldOut(Part):
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
    covered: dict[str, Pair]
    covered_on: list[Name] = []

    @model_validator(mode="after")
    def _shape(self) -> HeldOut:
        stated = (name for name in ("fold", "doubt", "haste", "domains", "calibrates") if getattr(self, name))
        _aligned(self, "residuals", "predicted", "groups", *stated)
        return self


class OfConfigurations(HeldOut):
    """Left-out configurations, with their ids."""

    configurations: list[Name]
    measured: Numbers = []

    @model_validator(mode="after")
    def _named(self) -> OfConfigurations:
        _aligned(self, "configurations", "residuals", *(["measured"] if self.measured else []))
        return self


class OfTargetSets(HeldOut):
    """Left-out target sets."""

    spread: Annotated[dict[str, Spread], Field(min_length=1)]

    @field_validator("spread")
    @classmethod
    def _whole(cls, spread: dict[str, Spread]) -> dict[str, Spread]:
        if missing := {"new_target_set", "new_domain"} - spread.keys():
            raise ValueError(f"has no {min(missing)}")
        return spread


class ProbeMapping(Part):
    """How level and slope of a probe become accuracies: see `predictor.models.probed`."""

    constant: float
    level: float
    growth: float
    stretch: float
    slope: float
    image_steps: Annotated[float, Field(gt=0)] | None


class ProbeBlock(Part):
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
    spread: dict[str, Spread]
    mae: float
    mae_without: float
    width: float | None

    @model_validator(mode="after")
    def _shape(self) -> ProbeBlock:
        _aligned(self, "residuals", "predicted", "groups", "left_out", "fold", "doubt")
        if missing := {"new_target_set", "new_domain"} - self.spread.keys():
            raise ValueError(f"spread has no {min(missing)}")
        return self


class Probed(Part):
    """What a fit learnt from probes of images. target_sets : {name: level}; classes : weight and correlation"""

    method: Name
    family: Name
    target_sets: dict[str, float]
    classes: Annotated[Numbers, Field(min_length=2, max_length=2)]
    new_target_set: ProbeBlock | None = None
    new_domain: ProbeBlock | None = None


class Quantiles(Part):
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
        _aligned(self, "levels", "quantiles")
        if sorted(self.levels) != self.levels:
            raise ValueError("the levels do not ascend")
        return self


class PerClass(Part):
    """How the classes of a target set depart from the curve: deviation, its standard deviation, test images."""

    class_sd: Annotated[float, Field(ge=0)]
    sd: Annotated[float, Field(ge=0)]
    tail: float
    tested: Annotated[float, Field(gt=0)]
    classes: dict[str, dict[str, Annotated[list[float], Field(min_length=3, max_length=3)]]]
    configuration: Quantiles | None
    target_set: Quantiles | None


class NoClasses(Part):
    """Why nothing can be said of classes."""

    reason: str


class Unit(Part):
    """The scale of an outcome and the unit of its logits."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    center: float = 0.0
    spread: Annotated[float, Field(gt=0)] = 1.0


def _classes_kind(value: Any) -> str:
    return "reason" if isinstance(value, Mapping) and "reason" in value else "per_class"


class Outcome(Part):
    """An outcome: its models, what they missed by, and on which target sets it was measured."""

    scale: Unit | None = None
    target_sets: list[Name]
    domains: list[Name]
    tested: dict[str, list[Name]]
    families: Annotated[dict[str, Model], Field(min_length=1)]
    models: list[Name] = []
    n_tested: dict[str, Annotated[float, Field(gt=0)]] = {}
    configuration: OfConfigurations
    target_set: OfTargetSets
    extrapolation: HeldOut | None
    domain: HeldOut | None = None
    usual_steps: Annotated[float, Field(gt=0)] | None = None
    per_class: (
        Annotated[
            Annotated[PerClass, Tag("per_class")] | Annotated[NoClasses, Tag("reason")], Discriminator(_classes_kind)
        ]
        | None
    ) = None
    probed: Probed | None = None

    @model_validator(mode="after")
    def _named(self) -> Outcome:
        used = {self.configuration.family, self.target_set.family, *self.models}
        used |= {self.probed.family} if self.probed else set()
        used |= {self.extrapolation.family} if self.extrapolation else set()
        if missing := sorted(used - self.families.keys()):
            raise ValueError(f"names the family {missing[0]!r}, of which it holds no parameters")
        if isinstance(self.per_class, PerClass) and not isinstance(self.families.get("classwise"), Pooled):
            raise ValueError("speaks of classes and holds no classwise curve")
        return self


class Recipe(Part):
    """How most runs were trained; None where nobody says."""

    model: Name | None
    image_size: Annotated[int, Field(ge=0, le=10**6)] | None
    image_steps: Annotated[int, Field(ge=0, le=10**15)] | None


class Network(Part):
    """A network and its resolution."""

    model: Name | None
    image_size: Annotated[int, Field(ge=0, le=10**6)] | None
    name: Name = ""  # of a fit that says what its recipes rest on
    n_configurations: Count = 0
    n_runs: Count = 0
    n_target_sets: Count = 0
    n_domains: Count = 0
    actions: dict[Name, Count] = {}
    weights: dict[Name, Name | None] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Network:
        stated = {"n_configurations", "n_runs", "n_target_sets", "n_domains", "actions", "weights"}
        if self.name and (missing := sorted(stated - self.model_fields_set)):
            raise ValueError(f"{self.name} states no {missing[0]}")
        return self


class TargetSet(Part):
    """A target set that the fit knows."""

    domain: Name
    classes: list[Name]
    shifts: list[Name]
    n_configurations: Count
    recipe: Recipe
    shift_sources: dict[Name, Name] = {}


class Joint(Part):
    """The cloud of the runs' features: centre, scale, inverse covariance, largest squared distance."""

    features: list[Name]
    center: Numbers
    scale: Numbers
    precision: list[Numbers]
    largest: float

    @model_validator(mode="after")
    def _shape(self) -> Joint:
        _aligned(self, "features", "center", "scale", "precision")
        if any(len(row) != len(self.features) for row in self.precision):
            raise ValueError("precision is not square")
        _check_scale(self.scale)
        return self


class Study(Part):
    """Where runs came from."""

    n_runs: Count
    provenance: Name
    held_out: bool


class Training(Part):
    """What the fit was made of."""

    digest: Name
    n_runs: Count
    n_configurations: Count
    studies: dict[str, Study]
    named: list[Name]


class FitFile(Part):
    """The whole file, without its digest."""

    kind: Literal["predictor-fit"]
    schema_version: int
    versions: dict[str, Name]
    training: Training
    target_sets: Annotated[dict[str, TargetSet], Field(min_length=1)]
    levels: list[Name]
    recipe: Recipe
    recipes: list[Network]
    ranges: dict[str, Range]
    joint: Joint | None
    left_out: list[str]
    outcomes: Annotated[dict[str, Outcome], Field(min_length=1)]
    validation: list[dict[str, Any]]
    recipe_family: Name = "scratch"
    recipe_families: dict[Name, FitFile] = {}
    own_runs: list[dict[str, Any]] = []

    @model_validator(mode="after")
    def _names(self) -> FitFile:
        for name in (*self.target_sets, *self.outcomes, *self.levels):
            if len(name) > MAX_NAME:
                raise ValueError(f"a name has {len(name):,} characters; at most {MAX_NAME:,} are read")
        return self


def _check_scale(scale: Sequence[float]) -> None:
    if not all(value > 0 for value in scale):
        raise ValueError("a scale is not above 0")


def shape_faults(content: Mapping[str, Any]) -> list[str]:
    """What is wrong with the shape of a fit, each with its place; [] where nothing is.

    >>> shape_faults({"kind": "predictor-fit"})[0]
    'schema_version: Field required'
    """
    try:
        FitFile.model_validate(content)
    except ValidationError as error:
        return [_fault(fault) for fault in error.errors(include_url=False)]
    return []


def _fault(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"])
    found = fault.get("input")
    shown = f" (found {str(found)[:40]!r})" if isinstance(found, str | int | float | bool | None) else ""
    text = fault["msg"].removeprefix("Value error, ")
    return f"{place or 'the fit'}: {text}" + ("" if fault["type"] == "missing" else shown)


for _part in (Boosted, Process, Average, FitFile):
    _part.model_rebuild()
