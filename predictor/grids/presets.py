"""Recipes that ship by name: `recipe: {preset: feuer2023}` in a grid. Each line of one says where it comes from."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from predictor.grids.schema import SCHEDULES

PRESETS = ("feuer2023",)


@cache
def _read(name: str) -> tuple[tuple[str, Any], ...]:
    from ruamel.yaml import YAML

    text = resources.files("predictor.data").joinpath(f"recipes/{name}.yaml").read_text(encoding="utf-8")
    return tuple(YAML(typ="safe", pure=True).load(text).items())


def preset(name: str) -> dict[str, Any]:
    """The lines of a recipe that ships.

    >>> preset("feuer2023")["optimiser"], preset("feuer2023")["weight_decay"]
    ('adamw', 0.3)
    """
    return dict(_read(name))


def with_preset(content: dict[str, Any]) -> dict[str, Any]:
    """A grid whose recipe has the lines of its preset beside its own, which come first; an unknown preset stays.

    >>> with_preset({"recipe": {"preset": "feuer2023", "image_steps": 500}})["recipe"].get("epochs") is None
    True
    """
    recipe = content.get("recipe")
    if not isinstance(recipe, dict) or recipe.get("preset") not in PRESETS:
        return content
    own = {key: value for key, value in recipe.items() if key != "preset"}
    taken = preset(recipe["preset"])
    if set(SCHEDULES) & set(own):  # one schedule takes the place of the other
        taken = {key: value for key, value in taken.items() if key not in SCHEDULES}
    return {**content, "recipe": {**taken, **own}}
