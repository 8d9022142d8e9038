"""The file as a whole: outcomes, target sets, recipes, and what is wrong with the shape of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from predictor import spec
from predictor.models.fit_schema.families import Model, StoredPooled
from predictor.models.fit_schema.held_out import (
    NoClasses,
    OfConfigurations,
    OfTargetSets,
    PerClass,
    StoredHeldOut,
    StoredProbed,
)
from predictor.models.fit_schema.parts import Count, Name, Numbers, Range, StoredPart, aligned, check_scale
from predictor.text import MAX_NAME


class Unit(StoredPart):
    """The scale of an outcome and the unit of its logits."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    center: float = 0.0
    spread: Annotated[float, Field(gt=0)] = 1.0


def _classes_kind(value: Any) -> str:
    return "reason" if isinstance(value, Mapping) and "reason" in value else "per_class"


class StoredOutcome(StoredPart):
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
    extrapolation: StoredHeldOut | None
    domain: StoredHeldOut | None = None
    usual_steps: Annotated[float, Field(gt=0)] | None = None
    per_class: (
        Annotated[
            Annotated[PerClass, Tag("per_class")] | Annotated[NoClasses, Tag("reason")], Discriminator(_classes_kind)
        ]
        | None
    ) = None
    probed: StoredProbed | None = None

    @model_validator(mode="after")
    def _named(self) -> StoredOutcome:
        used = {self.configuration.family, self.target_set.family, *self.models}
        used |= {self.probed.family} if self.probed else set()
        used |= {self.extrapolation.family} if self.extrapolation else set()
        if missing := sorted(used - self.families.keys()):
            raise ValueError(f"names the family {missing[0]!r}, of which it holds no parameters")
        if isinstance(self.per_class, PerClass) and not isinstance(self.families.get("classwise"), StoredPooled):
            raise ValueError("speaks of classes and holds no classwise curve")
        return self


class StoredRecipe(StoredPart):
    """How most runs were trained; None where nobody says."""

    model: Name | None
    image_size: Annotated[int, Field(ge=0, le=10**6)] | None
    image_steps: Annotated[int, Field(ge=0, le=10**15)] | None


class StoredNetwork(StoredPart):
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
    def _whole(self) -> StoredNetwork:
        stated = {"n_configurations", "n_runs", "n_target_sets", "n_domains", "actions", "weights"}
        if self.name and (missing := sorted(stated - self.model_fields_set)):
            raise ValueError(f"{self.name} states no {missing[0]}")
        return self


class StoredTrained(StoredPart):
    """How most runs of a network and resolution were trained, as a grid states it."""

    network: Name | None
    image_size: Annotated[int, Field(ge=0, le=10**6)] | None
    protocol: Annotated[int, Field(ge=1)]
    model: dict[Name, Any]
    recipe: dict[Name, Any]
    n_runs: Count

    @model_validator(mode="after")
    def _as_a_spec_states_it(self) -> StoredTrained:
        spec.Model.model_validate(self.model, strict=True)
        spec.Recipe.model_validate(self.recipe, strict=True)
        return self


class StoredTargetSet(StoredPart):
    """A target set that the fit knows."""

    domain: Name
    classes: list[Name]
    shifts: list[Name]
    n_configurations: Count
    recipe: StoredRecipe
    shift_sources: dict[Name, Name] = {}


class StoredJoint(StoredPart):
    """The cloud of the runs' features: centre, scale, inverse covariance, largest squared distance."""

    features: list[Name]
    center: Numbers
    scale: Numbers
    precision: list[Numbers]
    largest: float

    @model_validator(mode="after")
    def _shape(self) -> StoredJoint:
        aligned(self, "features", "center", "scale", "precision")
        if any(len(row) != len(self.features) for row in self.precision):
            raise ValueError("precision is not square")
        check_scale(self.scale)
        return self


class Study(StoredPart):
    """Where runs came from."""

    n_runs: Count
    provenance: Name
    held_out: bool


class StoredTraining(StoredPart):
    """What the fit was made of."""

    digest: Name
    n_runs: Count
    n_configurations: Count
    studies: dict[str, Study]
    named: list[Name]


class FitFile(StoredPart):
    """The whole file, without its digest."""

    kind: Literal["predictor-fit"]
    schema_version: int
    versions: dict[str, Name]
    training: StoredTraining
    target_sets: Annotated[dict[str, StoredTargetSet], Field(min_length=1)]
    levels: list[Name]
    recipe: StoredRecipe
    recipes: list[StoredNetwork]
    trained: list[StoredTrained] = []
    ranges: dict[str, Range]
    joint: StoredJoint | None
    left_out: list[str]
    outcomes: Annotated[dict[str, StoredOutcome], Field(min_length=1)]
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


FitFile.model_rebuild()
