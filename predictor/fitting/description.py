"""What a fit was made of: studies, target sets, recipes, and where its runs lie."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from predictor.fitting.rows import Selection, action_of, training_digest
from predictor.models.base import feature_matrix, usable
from predictor.models.case import level_key
from predictor.models.rows import Row
from predictor.recipes import short_name
from predictor.records.schema import RunRecord
from predictor.weights import known_weights

RANGES = (
    "n_samples", "n_target_classes", "n_target_samples", "n_other_classes", "mean_log_count", "power_difficulty@0.5",
    "left_skew@5", "image_steps",
)  # fmt: skip
JOINT = (
    "log n_samples", "log n_target_classes", "mean_log_count", "power_difficulty@0.5", "left_skew@5",
    "log1p n_other_classes", "log image_steps",
)  # fmt: skip
RIDGE = 0.01  # of a variance: two features that always went together may still differ a little


def description(selection: Selection, rows: Sequence[Row]) -> dict[str, Any]:
    """What the fit was made of: studies, target sets, recipes, ranges."""
    studies: dict[str, dict[str, Any]] = {}
    recipes: dict[str, Counter[tuple[Any, Any, Any]]] = defaultdict(Counter)
    target_sets: dict[str, dict[str, Any]] = {}
    configuration_sets = defaultdict(set)
    for record in selection.records:
        entry = studies.setdefault(
            record.study, {"n_runs": 0, "provenance": record.provenance, "held_out": record.held_out}
        )
        entry["n_runs"] += 1
        recipes[record.target_set][selection.recipe(record)] += 1
        configuration_sets[record.target_set].add(selection.units[record.configuration_id])
        distribution = selection.distribution(record)
        classes = list(distribution.target_names) if distribution else []
        known = target_sets.setdefault(record.target_set, {"domain": record.domain, "classes": classes})
        known["shifts"] = sorted(
            {
                *known.get("shifts", ()),
                *(key.removeprefix("shift:") for key in record.outcomes if key.startswith("shift:")),
            }
        )
        sources = (record.spec or {}).get("target", {}).get("shifts", {})
        known.setdefault("shift_sources", {}).update({name: test["source"] for name, test in sources.items()})
    for name, entry in target_sets.items():
        entry["n_configurations"] = len(configuration_sets[name])
        entry["recipe"] = _recipe(recipes[name])
    everywhere: Counter[tuple[Any, Any, Any]] = sum(recipes.values(), Counter())
    ranges = {}
    for name in RANGES:
        values = [row.case.feature(name) for row in rows]
        if np.isfinite(values).all():
            ranges[name] = [min(values), max(values)]
    return {
        "training": {
            "digest": training_digest(selection),
            "n_runs": len(selection.records),
            "n_configurations": len({selection.units[record.configuration_id] for record in selection.records}),
            "studies": studies,
            "named": list(selection.named),
        },
        "target_sets": target_sets,
        "levels": sorted({level_key(name, m, s) for name, counter in recipes.items() for m, s, _ in counter}),
        "recipe": _recipe(everywhere),
        "recipes": _recipes(selection),
        "trained": _all_trained(selection),
        "ranges": ranges,
        "joint": _joint(rows),
    }


def _recipes(selection: Selection) -> list[dict[str, Any]]:
    """Each network and resolution: its name, the evidence behind it, its actions, and its weights with their origin."""
    found: dict[tuple[str | None, int | None], list[RunRecord]] = defaultdict(list)
    for record in selection.records:
        found[selection.recipe(record)[:2]].append(record)
    shorts = {key: _short(selection, own[0]) for key, own in found.items()}
    taken = Counter(shorts.values())
    made = []
    for (model, size), own in sorted(found.items(), key=lambda item: str(item[0])):
        actions: dict[str, set[str]] = defaultdict(set)
        for record in own:
            actions[action_of(record).name].add(selection.units[record.configuration_id])
        short = shorts[model, size]
        weights = (own[0].spec or {}).get("model", {}).get("weights")
        known = known_weights(weights["digest"]) if weights else None
        made.append(
            {
                "model": model,
                "image_size": size,
                "name": f"{short}-{size}px" if taken[short] > 1 else short,
                "n_configurations": len({selection.units[record.configuration_id] for record in own}),
                "n_runs": len(own),
                "n_target_sets": len({record.target_set for record in own}),
                "n_domains": len({record.domain for record in own}),
                "actions": {name: len(units) for name, units in sorted(actions.items())},
                "weights": weights
                and {
                    **weights,
                    "licence": known.licence if known else None,
                    "trained_on": known.trained_on if known else None,
                },
            }
        )
    return made


def _short(selection: Selection, record: RunRecord) -> str:
    variant = selection.variants.get(record.run_id)
    name = short_name(record.spec["model"]) if record.spec else "unknown"
    return f"{name}/{variant.replace(', ', '/').replace(' ', '=')}" if variant else name


def _all_trained(selection: Selection) -> list[dict[str, Any]]:
    keys = sorted({selection.recipe(record)[:2] for record in selection.records}, key=str)
    return [own for model, size in keys if (own := _trained(selection, model, size))]


def _trained(selection: Selection, model: str | None, size: int | None) -> dict[str, Any] | None:
    """How most runs of a network and resolution were trained, as a grid states it; None where no run says.

    Flips go by the images, so they are left out, and so are the image-steps, which vary.
    """
    told: Counter[str] = Counter()
    for record in selection.records:
        if record.spec is not None and selection.recipe(record)[:2] == (model, size):
            recipe = {name: value for name, value in record.spec["recipe"].items() if name != "flip"}
            entry = {"protocol": record.spec["protocol"], "model": record.spec["model"], "recipe": recipe}
            told[json.dumps(entry, sort_keys=True)] += 1
    if not told:
        return None
    text, n = max(sorted(told.items()), key=lambda item: item[1])
    return {"network": model, "image_size": size, **json.loads(text), "n_runs": n}


def _joint(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Mean, inverse covariance and largest squared Mahalanobis distance of the runs' features, taken together."""
    names = usable(rows, JOINT)
    if not names:
        return None
    values = feature_matrix(rows, names)
    scale = values.std(axis=0)
    z = (values - values.mean(axis=0)) / scale
    precision = np.linalg.inv(np.atleast_2d(np.cov(z.T, bias=True)) + RIDGE * np.eye(len(names)))
    return {
        "features": names,
        "center": values.mean(axis=0).tolist(),
        "scale": scale.tolist(),
        "precision": precision.tolist(),
        "largest": float(np.einsum("ij,jk,ik->i", z, precision, z).max()),
    }


def _recipe(counter: Counter[tuple[Any, Any, Any]]) -> dict[str, Any]:
    """The most frequent recipe; among equally frequent ones the first by name."""
    model, size, steps = min(counter, key=lambda key: (-counter[key], str(key)))
    return {"model": model, "image_size": size, "image_steps": steps}
