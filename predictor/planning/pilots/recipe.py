"""How pilots are trained: in everything as the runs behind the fit, or as a grid of one's own says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from predictor.errors import FitError
from predictor.grids.compose import recipe_of
from predictor.models.fit import Fit
from predictor.recipes import family_of
from predictor.records.schema import RunRecord
from predictor.spec import Model, RunSpec, network_name

DEFAULT_IMAGE_SIZE = Model.model_fields["image_size"].default
OWN = "name a grid YAML whose recipe is yours: --recipe GRID.yaml"


@dataclass(frozen=True, kw_only=True)
class GridRecipe:
    """A network, recipe and protocol as a grid states them.

    flip : whether images may be mirrored; None: nobody said, as it goes by the images
    image_steps : of the longest run; None: not stated
    where : whose recipe it is, in words
    """

    model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    protocol: int
    where: str
    flip: bool | None = None
    image_steps: int | None = None

    def fit_of(self, fit: Fit) -> Fit:
        """The part of a fit that is of the recipe's family; the fit itself where it has none."""
        return fit.recipe_families.get(family_of(self.model), fit)

    @property
    def network(self) -> str:
        """The network in words, as a fit knows it."""
        return network_name(self.model)

    @property
    def image_size(self) -> int:
        """Its resolution."""
        return int(self.model.get("image_size", DEFAULT_IMAGE_SIZE))

    def with_head(self, n_classes: int) -> dict[str, Any]:
        """The network with a classifier that is wide enough.

        >>> GridRecipe(model={"name": "a", "head": 8}, recipe={}, protocol=3, where="").with_head(20)["head"]
        20
        """
        return {**self.model, "head": max(int(self.model.get("head", 0)), n_classes, 2)}


def trained_like(fit: Fit, model: str | None, image_size: int | None) -> GridRecipe:
    """As most runs of the fit that have this network and resolution.

    Raises FitError where the fit does not say how they were trained.
    """
    found = fit.trained_as(model, image_size)
    if found is None:
        known = "; ".join(f"{own.model} {own.image_size} px" for own in fit.recipes)
        raise FitError(
            f"the fit does not say how runs of {model} at {image_size} px were trained (it knows {known})",
            where=fit.where, remedy=OWN,
        )  # fmt: skip
    whole = {"image_size": image_size, **found.model}
    return GridRecipe(
        model=whole, recipe=found.recipe, protocol=found.protocol, where=f"as {found.n_runs:,} runs of the fit"
    )


def trained_as_in(path: Path) -> GridRecipe:
    """As the first run of a grid. Raises SpecError where the file is none."""
    from predictor.grids import load_grid

    specs = [run.spec for run in load_grid(path).runs]
    steps = max(spec.stages[-1].image_steps for spec in specs)
    return replace(_stated(specs[0], f"that of {path}"), image_steps=steps or None)


def trained_as_before(records: Iterable[RunRecord], target_set: str) -> GridRecipe | None:
    """As the pilots of a target set that there are; None where their records do not say how."""
    spec = next((one.spec for one in records if one.target_set == target_set and one.spec is not None), None)
    return None if spec is None else _stated(RunSpec.model_validate(spec), "that of the pilots that there are")


def _stated(spec: RunSpec, where: str) -> GridRecipe:
    return GridRecipe(
        model=spec.model.model_dump(mode="json", exclude_defaults=True),
        recipe=recipe_of(spec),
        protocol=spec.protocol,
        where=where,
        flip=spec.recipe.flip,
    )
