"""Checks of a grid file's blocks and levels, each fault at its own line, before anything is expanded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from predictor.grids.faults import GridFaults, Place, near, problem
from predictor.grids.levels import check_ranges
from predictor.grids.presets import PRESETS
from predictor.grids.schema import AXES, RECIPE_AXES, SCHEDULES, STAGE_KEYS, Rate
from predictor.profiles import Edit, Profile
from predictor.spec import Blend, Others, Recipe, Stage, StageData

BUILTIN = "builtin:"  # how the digest of a source that needs no file begins
MAX_EPOCHS = 100_000
DESIGN_KEYS = {"sample": (1, 100_000), "seed": (0, 2**32 - 1)}  # and their ranges
PARTS: dict[str, tuple[type[BaseModel], ...]] = {
    "profile": (Profile, Edit),
    "others": (Others,),
    "blend": (Blend,),
    "learning_rate": (Rate,),
}
_DATA = StageData(source="any", samples_per_class=1)


def read_level(axis: str, value: Any) -> Any:
    """One level of an axis as the specs take it; `others` and `blend` as lists, 'none' is the empty one.

    Raises ValueError or pydantic.ValidationError for an impossible level.

    >>> read_level("others", "none"), read_level("image_steps", 3e4)
    ([], 30000)
    """
    if axis == "profile":
        return Profile.model_validate({"shape": value} if isinstance(value, str) else value)
    if axis in ("others", "blend"):
        kind = PARTS[axis][0]
        if value is None or value == "none":
            return []
        several = [kind.model_validate(item) for item in (value if isinstance(value, list) else [value])]
        if axis == "blend" and len(several) > 1:
            raise ValueError("a data set has one blend at a time")
        return several
    if axis in ("target_set", "stages"):
        return value
    if axis == "share":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise ValueError(f"needs a number above 0 and up to 1 (found {value!r})")
        return value
    if axis == "head":
        if value not in ("kept", "fresh"):
            raise ValueError(f"needs kept or fresh (found {value!r})")
        return value
    if axis == "epochs":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_EPOCHS:
            raise ValueError(f"needs a number above 0 and up to {MAX_EPOCHS:,} (found {value!r})")
        return value
    if axis == "learning_rate" and isinstance(value, dict):
        return Rate.model_validate(value)
    try:
        if axis == "samples_per_class":
            if value == 0 and not isinstance(value, bool):
                raise ValueError("needs 1 or more; 0 belongs to a stage of a plan (found 0)")
            return StageData.model_validate({"source": "any", axis: value}).samples_per_class
        if axis == "image_steps":
            return Stage.model_validate({"data": _DATA, axis: value}).image_steps
        return getattr(Recipe.model_validate({"learning_rate": 1, axis: value}), axis)
    except ValidationError as error:  # the axis names the place already
        raise ValueError(problem(error.errors()[0])) from None


def check_level(axis: str, value: Any, where: Place, content: dict[str, Any], faults: GridFaults) -> None:
    """Note everything that is wrong with one level."""
    if axis == "target_set":
        known = names(content, "target_sets")
        if not isinstance(value, str) or value not in known:
            faults.add(where, f"unknown target set {value!r}" + near(str(value), known))
        return
    if axis == "stages":
        known = names(content, "stage_plans")
        if not isinstance(value, str) or value not in known:
            faults.add(where, f"unknown stage plan {value!r}" + near(str(value), known))
        return
    try:
        level = read_level(axis, value)
    except (ValueError, TypeError) as error:  # pydantic's are ValueErrors
        faults.add_error(where, error, PARTS.get(axis, ()))
        return
    if axis in ("others", "blend"):
        for number, part in enumerate(level):
            place = (number, "source") if isinstance(value, list) else ("source",)
            check_source(part.source, (*where, *place), content, faults)


def check_source(source: Any, where: Place, content: dict[str, Any], faults: GridFaults) -> None:
    """Note a source that the file does not state."""
    known = names(content, "sources")
    if isinstance(source, str) and source not in known:
        faults.add(where, f"unknown source {source!r}" + near(source, known))


def check_builtin(content: dict[str, Any], faults: GridFaults) -> None:
    """Note built-in sources that name a file: nothing would ever open it."""
    for name, source in _mapping(content, "sources").items():
        if not isinstance(source, dict) or source.get("file") is None:
            continue
        if str(source.get("digest")).startswith(BUILTIN):
            text = f"names a file beside {source['digest']!r}, images that need none (found {source['file']!r})"
            faults.add(
                ("sources", name, "file"), f"{text}; leave out the file, or state the file's own digest, sha256:..."
            )


def check_target_sets(content: dict[str, Any], faults: GridFaults) -> None:
    """Note the unknown sources of target sets and their shifts."""
    for name, target in _mapping(content, "target_sets").items():
        if isinstance(target, dict):
            where = ("target_sets", name)
            check_source(target.get("source"), (*where, "source"), content, faults)
            for shift, entry in _mapping(target, "shifts").items():
                source = entry.get("source") if isinstance(entry, dict) else entry
                check_source(source, (*where, "shifts", shift), content, faults)


def check_stage_plans(content: dict[str, Any], faults: GridFaults) -> None:
    """Note everything wrong with the stages of the plans."""
    for name, plan in _mapping(content, "stage_plans").items():
        for number, stage in enumerate(plan if isinstance(plan, list) else []):
            where = ("stage_plans", name, number)
            for key, value in stage.items() if isinstance(stage, dict) else ():
                if key not in STAGE_KEYS:
                    faults.add((*where, key), "unknown key" + near(key, STAGE_KEYS))
                elif key != "samples_per_class" or value != 0 or isinstance(value, bool):
                    check_level(key, value, (*where, key), content, faults)
            if isinstance(stage, dict) and number == 0 and stage.get("head") == "fresh":
                faults.add((*where, "head"), "the first stage has a fresh head anyway; name it in a later one")
            if isinstance(stage, dict) and set(SCHEDULES) <= set(stage):
                faults.add((*where, "epochs"), "names both image_steps and epochs; one follows from the other")


def check_recipe(content: dict[str, Any], faults: GridFaults) -> None:
    """Note unknown keys and impossible values of the recipe; what is missing shows in the blocks."""
    recipe = _mapping(content, "recipe")
    known = (*RECIPE_AXES, *SCHEDULES)
    for name, value in recipe.items():
        if name == "preset":  # a known one was taken by now
            faults.add(("recipe", name), f"unknown preset {value!r}" + near(str(value), PRESETS))
            continue
        if name not in known:
            faults.add(("recipe", name), "unknown key" + near(name, known))
            continue
        try:
            read_level(name, value)
        except (ValueError, TypeError) as error:
            faults.add_error(("recipe", name), error, PARTS.get(name, ()))
    if set(SCHEDULES) <= set(recipe):
        faults.add(("recipe", "epochs"), "names both image_steps and epochs; one follows from the other")


def blocks(content: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every block of `grid` and every design of `random`, with its place."""
    for kind in ("grid", "random"):
        entries = content.get(kind)
        for number, block in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(block, dict):
                yield (kind, number), block


def check_block(block: dict[str, Any], where: Place, content: dict[str, Any], faults: GridFaults) -> bool:
    """Note everything wrong with one block; True where nothing is."""
    before = len(faults)
    random = where[0] == "random"
    known = (*AXES, *DESIGN_KEYS) if random else AXES
    for axis, value in block.items():
        if axis not in known:
            faults.add((*where, axis), "unknown axis" + near(axis, known))
        elif value == []:
            faults.add((*where, axis), "names no level")
        elif random and axis == "target_set" and not isinstance(value, list):
            check_level(axis, value, (*where, axis), content, faults)
        elif random and axis not in ("target_set", *DESIGN_KEYS):
            try:
                check_ranges(value, axis)
            except ValueError as error:
                faults.add((*where, axis), str(error).removeprefix(f"{axis}: "))
        elif axis not in DESIGN_KEYS and isinstance(value, list):
            for number, level in enumerate(value):
                check_level(axis, level, (*where, axis, number), content, faults)
        elif axis not in DESIGN_KEYS:
            check_level(axis, value, (*where, axis), content, faults)
    for key, (least, most) in DESIGN_KEYS.items() if random else ():
        value = block.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            text = f"a random design needs a whole number {key!r} from {least} to {most} (found {value!r})"
            faults.add((*where, key), text)
    _check_complete(block, where, content, faults)
    return len(faults) == before


def _check_complete(block: dict[str, Any], where: Place, content: dict[str, Any], faults: GridFaults) -> None:
    recipe = _mapping(content, "recipe")
    misspelt = any(axis not in AXES and axis not in DESIGN_KEYS for axis in block)
    if not misspelt:  # else the missing axis is most likely the misspelt one
        for axis in ("target_set", "samples_per_class"):
            if axis not in block:
                faults.add(where, f"axis {axis!r} is missing")
    if set(SCHEDULES) <= set(block):
        faults.add((*where, "epochs"), "names both image_steps and epochs; one follows from the other")
    if misspelt or any(name not in (*RECIPE_AXES, *SCHEDULES) for name in recipe):
        return
    if not set(SCHEDULES) & {*block, *recipe}:
        faults.add(where, "neither the block nor the recipe says image_steps or epochs")
    if "learning_rate" not in {*block, *recipe} and _mapping(content, "model").get("train") != "head":
        faults.add(where, "neither the block nor the recipe says learning_rate")


def names(content: dict[str, Any], key: str) -> list[str]:
    """The names that the file gives to its sources or target sets, even where their content is faulty."""
    return list(_mapping(content, key))


def _mapping(content: dict[str, Any], key: str) -> dict[str, Any]:
    found = content.get(key)
    return found if isinstance(found, dict) else {}
