"""What is asked: which target set, domain and recipe; and what the fit knows of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from predictor.distribution import LabelDistribution
from predictor.errors import FitError, listed, with_near
from predictor.indicators import compute
from predictor.models.case import Case, level_key, recipe_name
from predictor.models.fit import Fit
from predictor.recipes import NONE, Action

NEW = "new"


@dataclass(frozen=True, kw_only=True)
class PredictionRequest:
    """A target set, domain and recipe, resolved against a fit.

    basis : in_domain | new_target_set | new_domain
    level : key of the level, None where the fit does not know it
    only : outcomes that are wanted; (): all
    unknown : what no run had, so that nothing says how far off a level is: a network or an image size; None
    shifts : {outcome of a shift that the target set was tested on: source of its test images, '' where not known}
    """

    basis: str
    target_set: str
    domain: str
    recipe: dict[str, Any]
    level: str | None
    classes: tuple[str, ...]
    warnings: tuple[str, ...]
    only: tuple[str, ...] = ()
    unknown: str | None = None
    shifts: Mapping[str, str] = field(default_factory=dict)

    @property
    def recipe_name(self) -> str:
        """Network and resolution in words."""
        return _named(self.recipe)

    def tested_shifts(self, distribution: LabelDistribution) -> tuple[str, ...]:
        """The shifts that remain a test: those whose source gives no training image."""
        used = set(distribution.sources)
        return tuple(sorted(name for name, source in self.shifts.items() if not source or source not in used))

    def with_steps(self, image_steps: int | None) -> PredictionRequest:
        """The same question of a run of so many image-steps; None: as it is."""
        return self if image_steps is None else replace(self, recipe={**self.recipe, "image_steps": image_steps})


def resolve(
    fit: Fit,
    target_set: str,
    domain: str,
    model: str | None,
    image_size: int | None,
    image_steps: int | None,
    action: Action = NONE,
) -> PredictionRequest:
    """Resolve names against the fit.

    Raises FitError for a target set or domain that the fit does not know, with near matches, and for a recipe that is
    none: a network without a name, sizes and steps that are no whole numbers from 1.
    """
    if model is not None and not (isinstance(model, str) and model.strip()):
        raise FitError(f"model {model!r}; needed: the name of a network", remedy="use --model NAME, or leave it out")
    whole_number("image_size", image_size, remedy="use e.g. --image-size 32, or leave it out")
    whole_number("image_steps", image_steps, remedy="use e.g. --image-steps 30000, or leave it out")
    known = fit.target_sets
    _check_name("target set", target_set, known)
    if target_set != NEW:
        own = known[target_set].domain
        if domain not in (NEW, own):
            raise FitError(
                f"target set {target_set!r} belongs to domain {own!r}, not {domain!r}", remedy="leave --domain out"
            )
        domain = own
    _check_name("domain", domain, fit.domains)
    default = known[target_set].recipe if target_set != NEW else fit.recipe
    recipe = {
        "model": model or default.model,
        "image_size": image_size or default.image_size,
        "image_steps": image_steps or default.image_steps,
        "assumed": model is None and image_size is None and image_steps is None,
        "action": action.name,
    }
    warnings: list[str] = []
    unknown = None
    level = level_key(target_set, recipe["model"], recipe["image_size"]) if target_set != NEW else None
    seen = [(item.model, item.image_size) for item in fit.recipes]
    if (recipe["model"], recipe["image_size"]) not in seen:
        shown = ", ".join(f"{name} {size} px" for name, size in seen)
        asked = _named(recipe)
        warnings.append(f"recipe {asked} is new; the fit saw {shown}; the level is a guess; runs with it fix that")
        unknown = f"recipe {asked} (fit saw {shown})"
    basis = "in_domain" if level else "new_target_set" if domain != NEW else "new_domain"
    if level is not None and level not in fit.levels:
        basis, level = "new_target_set", None
    classes = known[target_set].classes if target_set != NEW else ()
    return PredictionRequest(
        basis=basis, target_set=target_set, domain=domain, recipe=recipe, level=level, classes=classes,
        warnings=tuple(warnings), unknown=unknown, shifts=_shifts(fit, target_set),
    )  # fmt: skip


def _named(recipe: Mapping[str, Any]) -> str:
    model, size = recipe["model"], recipe["image_size"]
    return recipe_name(model, size) if model else f"of {size} px"


def _shifts(fit: Fit, target_set: str) -> dict[str, str]:
    """Outcomes of the shifts that a known target set was tested on, and the sources of their test images."""
    if target_set == NEW:
        return {}
    known = fit.target_sets[target_set]
    return {f"shift:{name}": known.shift_sources.get(name, "") for name in known.shifts}


def whole_number(name: str, value: Any, *, remedy: str, least: int = 1) -> None:
    """Refuse an argument that is neither None nor a whole number from `least`.

    >>> whole_number("image_steps", float("nan"), remedy="use e.g. 30000")
    Traceback (most recent call last):
        ...
    predictor.errors.FitError: image_steps nan; needed: a whole number from 1. use e.g. 30000
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if value is not None and not (whole and value >= least):
        raise FitError(f"{name} {value!r}; needed: a whole number from {least}", remedy=remedy)


def share_between(name: str, value: Any, *, remedy: str) -> None:
    """Refuse an argument that is no number inside (0, 1).

    >>> share_between("level", 90, remedy="use e.g. 0.9")
    Traceback (most recent call last):
        ...
    predictor.errors.FitError: level 90; needed: a number between 0 and 1. use e.g. 0.9
    """
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (number and 0 < value < 1):
        raise FitError(f"{name} {value!r}; needed: a number between 0 and 1", remedy=remedy)


def _check_name(kind: str, name: str, known: Iterable[str]) -> None:
    names = sorted(known)
    if name != NEW and name not in names:
        near = difflib.get_close_matches(name, names, n=3) or names
        option = "--" + kind.replace(" ", "-")
        raise FitError(
            f"the fit knows no {kind} {name!r}; near: {', '.join(near[:10])}",
            remedy=f"name one of them or {option} new",
        )


def named_manifests(manifests: Any) -> Mapping[str, LabelDistribution]:
    """{name: label distribution} of what is asked: that already, or one distribution.

    >>> list(named_manifests(LabelDistribution.from_counts({"cat": 1})))
    ['manifest']

    Raises FitError for anything else, with what is needed.
    """
    if isinstance(manifests, LabelDistribution):
        return {"manifest": manifests}
    items = manifests.values() if isinstance(manifests, Mapping) else (manifests,)
    for item in items:
        if not isinstance(item, LabelDistribution):
            raise FitError(
                f"found {type(item).__name__}; needed: a LabelDistribution, or {{name: LabelDistribution}}",
                where="manifests",
                remedy="read files first: predictor.read_manifest(path)",
            )
    return manifests


def with_roles(name: str, distribution: LabelDistribution, request: PredictionRequest) -> LabelDistribution:
    """The manifest with the target set's classes as its targets, where it named none itself.

    Raises FitError for a manifest without images, without any target class, or of other classes than the target set.
    """
    if not distribution.n_classes:
        raise FitError("the manifest has no images", where=name, remedy="list at least one labelled image")
    if distribution.targets is None and request.classes:
        distribution = distribution.with_targets(request.classes)
    targets, present = distribution.target_names, distribution.class_names
    if not targets or not distribution.target_counts.any():
        shown = with_near(targets, present) or "none"
        raise FitError(
            f"no image of any target class (targets: {shown}; the manifest has: {listed(present)})",
            where=name,
            remedy="name the tested classes as the manifest spells them: --targets FILE",
        )
    if request.classes and set(targets) != set(request.classes):
        differing = with_near(sorted(set(targets) - set(request.classes)), request.classes)
        lacking = listed([repr(item) for item in sorted(set(request.classes) - set(targets))])
        parts = [f"it names {differing}"] * bool(differing) + [f"it lacks {lacking}"] * bool(lacking)
        raise FitError(
            f"its target classes are not those of {request.target_set}: {', and '.join(parts)}",
            where=name,
            remedy="leave --targets out, or use --target-set new",
        )
    if len(targets) == 1:
        raise FitError(
            f"one target class, {targets[0]!r}: with nothing to tell it from, its accuracy is 1 whatever the images",
            where=name,
            remedy="name two or more tested classes: --targets FILE",
        )
    return distribution


def without_images(distribution: LabelDistribution) -> str | None:
    """A warning of targets that no image has; None where each has one."""
    counts = distribution.target_counts
    missing = [name for name, n in zip(distribution.target_names, counts, strict=True) if not n]
    if not missing:
        return None
    others = sorted(set(distribution.class_names) - set(distribution.target_names))
    classes = f"{len(missing)} of {len(counts)} target classes " + ("has" if len(missing) == 1 else "have")
    return (
        f"{classes} no image: {with_near(missing, others)}; a class that is never shown is never predicted, so it "
        "counts as 0; spell it as the manifest does, or collect images of it"
    )


def make_case(
    distribution: LabelDistribution,
    request: PredictionRequest,
    tested: frozenset[str] | None = None,
    names: Sequence[str] | None = None,
) -> tuple[Case, dict[str, Any]]:
    """The case of a manifest, and its indicators as computed: all, or those of `names`."""
    computed = compute(distribution, names)
    values = {name: item.value for name, item in computed.items() if item.value is not None}
    steps = request.recipe["image_steps"]
    recipe: Mapping[str, float] = {"image_steps": float(steps)} if steps else {}
    case = Case(
        distribution, values, recipe, level=request.level, chance=1 / len(distribution.target_names), tested=tested,
        domain=None if request.domain == NEW else request.domain, shifts=request.tested_shifts(distribution),
        action=Action.parse(request.recipe["action"]),
        network=recipe_name(request.recipe["model"], request.recipe["image_size"]),
    )  # fmt: skip
    return case, computed
