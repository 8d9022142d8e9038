"""Settings of a recipe beside its network, image size and actions: augmentation, learning rate and such."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from predictor.errors import FitError, listed
from predictor.recipes import ACTION_FIELDS
from predictor.records.schema import RunRecord
from predictor.spec import Recipe

EVERY = "all"  # of `take`: every other recipe
SETTINGS = {name: field.default for name, field in Recipe.model_fields.items() if name not in (*ACTION_FIELDS, "flip")}


def recipe_text(record: RunRecord, *, actions: bool = True) -> str:
    """The recipe of a run; a change below a hundredth is none, and flips go by the images."""
    recipe = (record.spec or {}).get("recipe", {})
    told = {name: f"{value:.2g}" if isinstance(value, float) else value for name, value in recipe.items()}
    left = {"flip"} if actions else {"flip", *ACTION_FIELDS}
    return json.dumps({name: value for name, value in told.items() if name not in left}, sort_keys=True)


def usual_of(texts: Iterable[str]) -> str:
    """The most frequent of some recipes."""
    found = Counter(texts)
    return max(sorted(found), key=found.__getitem__)


def differing(text: str, usual: str) -> dict[str, tuple[Any, Any]]:
    """{setting: (its value, that of the usual recipe)} where they differ.

    >>> differing('{"augmentation": "none"}', '{"augmentation": "simclr"}')
    {'augmentation': ('none', 'simclr')}
    """
    own, most = ({**SETTINGS, **json.loads(item)} for item in (text, usual))
    return {name: (own[name], most.get(name)) for name in sorted(own) if own[name] != most.get(name)}


def in_words(found: dict[str, tuple[Any, Any]]) -> str:
    """What `differing` found.

    >>> in_words({"augmentation": ("none", "simclr")})
    'augmentation none instead of simclr'
    """
    return ", ".join(f"{name} {own} instead of {most}" for name, (own, most) in found.items())


def check_settings(take: Sequence[str], records: Sequence[RunRecord] = ()) -> None:
    """Refuse settings that no recipe has, and values that none of the runs to fit on has.

    >>> check_settings(["augment=none"])
    Traceback (most recent call last):
        ...
    predictor.errors.FitError: --recipe augment=none: no such setting; near: augmentation. say e.g. \
augmentation=simclr-mild, or all
    """
    for item in take:
        name, equals, value = item.partition("=")
        if item == EVERY:
            continue
        if not equals or name not in SETTINGS:
            near = difflib.get_close_matches(name, SETTINGS, n=3) or list(SETTINGS)
            raise FitError(
                f"--recipe {item}: no such setting; near: {', '.join(near)}",
                remedy="say e.g. augmentation=simclr-mild, or all",
            )
        if not records:
            continue
        recipes = {recipe_text(record, actions=False) for record in records}
        known = sorted({str({**SETTINGS, **json.loads(text)}[name]) for text in recipes})
        if value not in known:
            raise FitError(
                f"--recipe {item}: no run that can enter the fit has it; these have {name} {listed(known)}",
                remedy="name one of these",
            )
