"""The parameters of each family in fit.json, by their kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from predictor.models.fit_schema.parts import Count, Name, Numbers, StoredPart, aligned, check_scale


class StoredPooled(StoredPart):
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
    def _shape(self) -> StoredPooled:
        aligned(self, "features", "center", "scale", "low", "high", "coefficients")
        slopes_of = (self.level_slopes, self.domain_slopes, self.network_slopes)
        for slopes in (row for own in slopes_of for row in own.values()):
            if len(slopes) != len(self.features):
                raise ValueError(f"a slope has {len(slopes)} entries, there are {len(self.features)} features")
        check_scale(self.scale)
        return self


class Tree(StoredPart):
    """A regression tree as arrays of its nodes; a leaf has feature -1."""

    feature: list[int]
    threshold: Numbers
    left: list[int]
    right: list[int]
    value: Numbers

    @model_validator(mode="after")
    def _grows(self) -> Tree:
        aligned(self, "feature", "threshold", "left", "right", "value")
        for node, (feature, *children) in enumerate(zip(self.feature, self.left, self.right, strict=True)):
            if feature >= 0 and not all(node < child < len(self.feature) for child in children):
                raise ValueError(f"node {node} leads to {children}, of {len(self.feature)} nodes")
        if not self.feature:
            raise ValueError("has no node")
        return self


class StoredBoosted(StoredPart):
    """Trees that correct another model."""

    kind: Literal["boosted"]
    features: list[Name]
    tree_features: list[Name]
    start: float
    trees: list[Tree]
    base: Model

    @model_validator(mode="after")
    def _known(self) -> StoredBoosted:
        if any(max(tree.feature) >= len(self.tree_features) for tree in self.trees):
            raise ValueError(f"a tree asks for a feature that is not among the {len(self.tree_features)} stated")
        return self


class Term(StoredPart):
    """A term of an elastic net: one indicator, or a product of two."""

    of: Annotated[list[Count], Field(min_length=1, max_length=2)]
    flip: Annotated[list[bool], Field(min_length=1, max_length=2)]
    join: Literal["one", "both", "either"]


class ElasticNet(StoredPart):
    """A linear model in one weighted sum of terms."""

    kind: Literal["elastic_net"]
    features: list[Name]
    net_features: list[Name]
    low: Numbers
    high: Numbers
    terms: list[Term]
    weights: Numbers
    base: StoredPooled

    @model_validator(mode="after")
    def _shape(self) -> ElasticNet:
        aligned(self, "net_features", "low", "high")
        aligned(self, "terms", "weights")
        if any(low >= high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("a range of the net is empty")
        if any(len(term.of) != len(term.flip) or max(term.of) >= len(self.low) for term in self.terms):
            raise ValueError("a term names an indicator that the net has not")
        return self


class StoredProcess(StoredPart):
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
    def _shape(self) -> StoredProcess:
        aligned(self, "center", "scale", "lengths", "low", "high")
        aligned(self, "points", "weights", "level_of", "domain_of")
        n = len(self.gp_features) + 1  # and what the regression says
        if len(self.center) != n or any(len(point) != n for point in self.points):
            raise ValueError(f"the centre or a point has not {n} entries")
        if max(self.level_of, default=0) >= len(self.levels) or max(self.domain_of, default=0) >= len(self.domains):
            raise ValueError("a point belongs to a level or domain that is not among those stated")
        if missing := sorted(set(VARIANCES) - self.variances.keys()):
            raise ValueError(f"states no variance {missing[0]!r}")
        check_scale([*self.scale, *self.lengths])
        return self


class StoredLaw(StoredPart):
    """A law of learning curves in the last of its features."""

    kind: Literal["law"]
    features: Annotated[list[Name], Field(min_length=1)]
    unit: Annotated[float, Field(gt=0)]
    center: Numbers
    scale: Numbers
    low: Numbers
    high: Numbers
    curve: Annotated[Numbers, Field(min_length=3, max_length=3)]
    breaks: list[Annotated[Numbers, Field(min_length=3, max_length=3)]]
    lines: Numbers
    parabolas: Numbers
    apart: Numbers
    levels: dict[str, float]
    levels_apart: dict[str, float]

    @model_validator(mode="after")
    def _shape(self) -> StoredLaw:
        aligned(self, "features", "center", "scale", "low", "high")
        aligned(self, "lines", "apart")
        if len(self.lines) != len(self.features) - 1 or len(self.parabolas) not in (0, len(self.lines)):
            raise ValueError(f"shifts of {len(self.features) - 1} features are needed")
        if self.levels.keys() != self.levels_apart.keys():
            raise ValueError("levels and levels_apart name other levels")
        check_scale(self.scale)
        return self


class Average(StoredPart):
    """The weighted mean of several models."""

    kind: Literal["average"]
    features: list[Name]
    parts: Annotated[list[Model], Field(min_length=1)]
    weights: list[Annotated[float, Field(ge=0, le=1)]] = []

    @model_validator(mode="after")
    def _shape(self) -> Average:
        if self.weights:
            aligned(self, "parts", "weights")
        return self


class ByShift(StoredPart):
    """Robustness as the mean over shifts, each with a model of its own."""

    kind: Literal["by_shift"]
    features: list[Name]
    parts: Annotated[dict[Name, Model], Field(min_length=1)]
    tested: dict[Name, dict[str, list[Name]]]


class Nearest(StoredPart):
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
        aligned(self, "names", "owners", "points", "values")
        aligned(self, "features", "scale")
        if any(len(point) != len(self.features) for point in self.points):
            raise ValueError(f"a point has not {len(self.features)} entries")
        check_scale(self.scale)
        return self


class Own(StoredPart):
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
KINDS = (
    "linear", "classwise", "boosted", "elastic_net", "gaussian_process", "law", "average", "by_shift", "nearest",
)  # fmt: skip
Model = Annotated[
    Annotated[StoredPooled, Tag("linear")]
    | Annotated[StoredPooled, Tag("classwise")]
    | Annotated[StoredBoosted, Tag("boosted")]
    | Annotated[ElasticNet, Tag("elastic_net")]
    | Annotated[StoredProcess, Tag("gaussian_process")]
    | Annotated[StoredLaw, Tag("law")]
    | Annotated[Average, Tag("average")]
    | Annotated[ByShift, Tag("by_shift")]
    | Annotated[Nearest, Tag("nearest")]
    | Annotated[Own, Tag(OWN)],
    Discriminator(_kind),
]


for _part in (StoredBoosted, StoredProcess, Average):
    _part.model_rebuild()
