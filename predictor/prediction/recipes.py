"""Which recipe a prediction is for: a name that the fit knows, or a grid; and what the others would reach beside it."""

from __future__ import annotations

import difflib
import importlib.resources
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from predictor.distribution import LabelDistribution
from predictor.errors import FitError
from predictor.models.fit import Fit, RecipeEvidence
from predictor.recipes import FROZEN, NONE, Action

IMAGENET = "ImageNet-1k"
GRIDS = (".yaml", ".yml")


@dataclass(frozen=True)
class Named:
    """A recipe resolved against a fit: the fit of its family, what `resolve` takes, and the evidence."""

    fit: Fit
    model: str | None = None
    image_size: int | None = None
    image_steps: int | None = None
    action: Action = NONE
    evidence: RecipeEvidence | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """What `resolve` takes of it."""
        return {"model": self.model, "image_size": self.image_size, "image_steps": self.image_steps,
                "action": self.action}  # fmt: skip


def named_recipe(
    fit: Fit,
    recipe: str | Path | Named | None = None,
    *,
    model: str | None = None,
    image_size: int | None = None,
    image_steps: int | None = None,
) -> Named:
    """The recipe that is asked for.

    recipe : a name of `predictor recipes`, with actions behind it ('frozen-lite0+class-weights'), the path of a grid,
        or what this function gave before
    model, image_size, image_steps : as in `predict`; a network of another family than the fit's main one leads there

    Raises FitError for a recipe or an action that the fit does not know, and where both name a network; SpecError for
    a grid that is none.
    """
    if isinstance(recipe, Named):
        return recipe
    if recipe is None:
        families = fit.recipe_families.values()
        known = {(item.model, item.image_size): own for own in families for item in own.recipes}
        by_name = {item.model: own for own in families for item in own.recipes if item.model}
        own = known.get((model, image_size), by_name.get(model, fit)) if model else fit
        _check_steps(own, image_steps)
        return Named(own, model, image_size, image_steps, NONE, _evidence(fit, model, image_size))
    if model is not None or image_size is not None:
        raise FitError("--recipe names network and image size", remedy="leave --model and --image-size out")
    path = Path(recipe)
    if path.suffix in GRIDS:
        return _of_grid(fit, path, image_steps)
    base, _, words = str(recipe).partition("+")
    evidence = next((item for item in fit.evidence if item.name == base), None)
    if evidence is None:
        names = [item.name for item in fit.evidence]
        near = difflib.get_close_matches(base, names, n=3) or names
        raise FitError(
            f"the fit knows no recipe {base!r}; near: {', '.join(near) or 'none'}",
            remedy="list them: predictor recipes; or name a grid file, *.yaml",
        )
    try:
        action = Action.parse(words or "none")
    except ValueError as fault:
        raise FitError(f"--recipe {recipe}: {fault}", remedy=f"{base} is known with: {_actions(evidence)}") from None
    return _named(fit, evidence, action, image_steps)


def _named(fit: Fit, evidence: RecipeEvidence, action: Action, image_steps: int | None) -> Named:
    if action.deferred and evidence.family == FROZEN:
        raise FitError(
            f"{evidence.name}: deferred needs steps; the head of a frozen network is solved for",
            remedy="leave deferred out",
        )
    if action.name not in evidence.actions:
        raise FitError(
            f"no run of {evidence.name} had {action.name}; runs had: {_actions(evidence)}",
            remedy="name one of them, or train such runs and fit again: predictor fit runs/ mine/",
        )
    own = fit.recipe_families[evidence.family]
    _check_steps(own, image_steps)
    return Named(own, evidence.model, evidence.image_size, image_steps, action, evidence)


def _actions(evidence: RecipeEvidence) -> str:
    return ", ".join(evidence.actions) or "none"


def _check_steps(fit: Fit, image_steps: int | None) -> None:
    if image_steps is not None and fit.recipe_family == FROZEN:
        raise FitError(
            "image-steps mean nothing to a frozen network: its head is solved for", remedy="leave --image-steps out"
        )


def _evidence(fit: Fit, model: str | None, image_size: int | None) -> RecipeEvidence | None:
    if model is None:
        return None
    found = [item for item in fit.evidence if item.model == model and image_size in (None, item.image_size)]
    return found[0] if found else None


def _of_grid(fit: Fit, path: Path, image_steps: int | None) -> Named:
    """The recipe of a grid's runs; a network that the fit does not know is asked of its family."""
    from predictor.grids import load_grid
    from predictor.recipes import family_of
    from predictor.spec import network_name

    specs = [run.spec for run in load_grid(path).runs]
    kinds = {(spec.model.model_dump_json(), spec.recipe.model_dump_json()): spec for spec in specs}
    if len(kinds) > 1:
        raise FitError(
            f"trains {len(kinds)} recipes", where=str(path), remedy="keep one network and one recipe in the grid"
        )
    spec = specs[0]
    model, action = spec.model.model_dump(mode="json"), Action.of(spec.recipe.model_dump())
    name, size, family = network_name(model), spec.model.image_size, family_of(model)
    evidence = next((item for item in fit.evidence if (item.model, item.image_size) == (name, size)), None)
    if family == FROZEN:
        _check_steps(fit.recipe_families.get(family, fit), image_steps)
    else:
        image_steps = image_steps or max(spec.stages[-1].image_steps for spec in specs)
    if evidence is not None:
        return _named(fit, evidence, action, image_steps)
    if family not in fit.recipe_families:
        raise FitError(
            f"the fit knows no {family} networks; it knows {', '.join(fit.recipe_families)}",
            where=str(path), remedy="train some and fit again: predictor fit runs/ mine/",
        )  # fmt: skip
    return Named(fit.recipe_families[family], name, size, image_steps, action)


def main_recipes(fit: Fit) -> list[RecipeEvidence]:
    """The recipe with the most configurations of every family but the fit's own."""
    first: dict[str, RecipeEvidence] = {}
    for item in fit.evidence:
        if item.family != fit.recipe_family:
            first.setdefault(item.family, item)
    return list(first.values())


def beside(fit: Fit, distribution: LabelDistribution, asked: Mapping[str, Any], predicted: Any) -> Iterator[Any]:
    """What the main recipes of the other families reach, each without an action and with the best that its runs had.

    asked : target_set and domain; predicted : (Named, target set, domain) -> a `RecipePrediction`
    """
    for evidence in main_recipes(fit):
        own = fit.recipe_families[evidence.family]
        target_set = asked["target_set"] if asked["target_set"] in own.target_sets else "new"
        domain = own.target_sets[target_set].domain if target_set != "new" else asked["domain"]
        domain = domain if domain in own.domains else "new"
        known = [Action.parse(name) for name in evidence.actions]
        counts = distribution.target_counts
        acting = [action for action in known if action.pushes(counts).any()]
        plain = Named(own, evidence.model, evidence.image_size, None, NONE, evidence)
        if NONE in known:
            yield predicted(plain, target_set, domain)
        found = [predicted(replace(plain, action=action), target_set, domain) for action in acting]
        found = [item for item in found if item.value is not None]
        if found:
            yield max(found, key=lambda item: item.value)


def weights_told(evidence: RecipeEvidence | None, targets: Iterable[str]) -> dict[str, Any] | None:
    """Name, licence and training set of a recipe's weights, and which classes of the manifest it has by name; or None.

    alike : target classes that are named as classes of ImageNet-1k, or as the kind of one; None where that is unknown
    """
    if evidence is None or evidence.weights is None:
        return None
    trained_on = evidence.weights.get("trained_on")
    alike = sorted(name for name in targets if in_imagenet(name)) if trained_on == IMAGENET else None
    return {**evidence.weights, "alike": alike}


def in_imagenet(name: str) -> bool:
    """Whether a class of ImageNet-1k, or the kind of one, has this name.

    >>> in_imagenet("Goldfish"), in_imagenet("bear"), in_imagenet("seven")
    (True, True, False)
    """
    plain = " ".join(name.lower().replace("_", " ").replace("-", " ").split())
    return plain in _imagenet()


@lru_cache(maxsize=1)
def _imagenet() -> frozenset[str]:
    """Every name, and the words at its end that say its kind: a manifest may ask for a million."""
    text = (importlib.resources.files("predictor") / "data" / "imagenet-1k.json").read_text(encoding="utf-8")
    names = {one.strip().lower().replace("-", " ") for line in json.loads(text) for one in line.split(",")}
    return frozenset(own[i + 1 :] for own in names for i in (-1, *(j for j, c in enumerate(own) if c == " ")) if own)
