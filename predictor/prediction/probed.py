"""A fit that was told what a probe of images says: the prior of a new target set: level, growth, hard classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from predictor.errors import FitError, listed
from predictor.images.methods import how_to_probe
from predictor.images.results import Probe
from predictor.models.fit import Fit
from predictor.models.probed import KIND, Told, parameters
from predictor.prediction.classes import NEW_LEVEL
from predictor.prediction.request import NEW
from predictor.text import command


def method_known(fit: Fit) -> str | None:
    """The kind of probe that the fit learnt from; None where it learnt from none."""
    return next((own["method"] for entry in fit.content["outcomes"].values() if (own := entry.get("probed"))), None)


def why_no_level(probe: Probe) -> str:
    """Why a probe tells no level, in words; '' where it tells one: growth is seen between two sizes."""
    if Told.of(probe) is not None:
        return ""
    few = [f"{name}: {why}" for name, why in probe.left_out.items()]
    if probe.sizes:
        few = [
            f"they could be probed at {probe.sizes[0].samples_per_class} images a class alone; a level needs two sizes,"
            " about 14 images of each class"
        ]
    return f"the images are too few to be probed: {listed(few)}"


def with_probe(fit: Fit, probe: Probe, *, domain: str = NEW) -> Fit:
    """The fit for images that were probed; what it says of target sets that it knows stays as it is.

    domain : of the images: one that the fit knows, or 'new'

    Raises FitError where the fit learnt nothing of probes or of another kind of them, and where the images were too
    few to be probed.
    """
    told = Told.of(probe)
    if told is None:
        raise FitError(why_no_level(probe), remedy="leave the probe out (--probe, --images), or probe more images")
    if method_known(fit) is None:
        raise FitError(
            "the fit learnt nothing from probes of images",
            remedy="probe its target sets: predictor probe GRID.yaml --data DIR --output runs/probes.json; then "
            "predictor fit runs/",
        )
    outcomes = dict(fit.content["outcomes"])
    homes = {name: item.domain for name, item in fit.target_sets.items()}
    for name, entry in fit.content["outcomes"].items():
        own = entry.get("probed")
        if own:
            if own["method"] != probe.method:
                raise FitError(
                    f"the probe is of kind {probe.method}; for this recipe the fit learnt from {own['method']}",
                    remedy=f"probe the images so: {how_to_probe(own['method'])}",
                )
            outcomes[name] = _told(entry, own, told, domain, homes)
    return replace(fit, content={**fit.content, "outcomes": outcomes})


def _told(
    entry: Mapping[str, Any], own: Mapping[str, Any], told: Told, domain: str, homes: Mapping[str, str]
) -> dict[str, Any]:
    """One outcome whose model for what is new is told of the images."""
    levels = [level for name, level in own["target_sets"].items() if homes.get(name) == domain]
    basis = "new_target_set" if levels and "new_target_set" in own else "new_domain"
    if basis not in own:
        return dict(entry)
    block = own[basis]
    centre = float(np.mean(levels)) if basis == "new_target_set" else None
    made = parameters(entry["families"][own["family"]], block["mapping"], told, centre)
    held = {key: value for key, value in block.items() if key not in ("mapping", "left_out", "mae")}
    changed = {
        **entry,
        "families": {**entry["families"], KIND: made},
        "target_set": {**held, "family": KIND},
        "per_class": _classes(entry.get("per_class"), own["classes"], told),
    }
    if basis == "new_domain":
        changed["domain"] = {**changed["target_set"], "groups": block["left_out"], "sets": block["groups"]}
    return changed


def _classes(per_class: Mapping[str, Any] | None, weights: list[float], told: Told) -> Mapping[str, Any] | None:
    """What classes deviate by, as far as the network shares it with the probe; under the level of what is new."""
    if not per_class or "classes" not in per_class or not told.classes or weights[0] <= 0:
        return per_class
    weight, correlation = weights
    sd = per_class["class_sd"] * float(np.sqrt(1 - min(max(correlation, 0.0), 0.95) ** 2))
    new = {name: [weight * value, sd, per_class["tested"]] for name, value in told.classes.items()}
    return {**per_class, "classes": {**per_class["classes"], NEW_LEVEL: new}}


def check_classes(probe: Probe, name: str, targets: tuple[str, ...]) -> None:
    """Raise FitError where a manifest tests other classes than were probed: its level is another one."""
    if set(probe.names) == set(targets):
        return
    lacking, beyond = sorted(set(targets) - set(probe.names)), sorted(set(probe.names) - set(targets))
    parts = [f"the probe lacks {listed([repr(c) for c in lacking])}"] * bool(lacking)
    parts += [f"it has {listed([repr(c) for c in beyond])}, which are not tested"] * bool(beyond)
    raise FitError(
        f"the probe is of other classes than the manifest tests: {'; '.join(parts)}",
        where=name,
        remedy=f"probe its classes: {command('predictor', 'probe', 'IMAGES', '--manifest', name)} --output probe.json",
    )
