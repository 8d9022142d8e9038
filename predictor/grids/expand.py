"""From a grid file to its planned runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from predictor.errors import SpecError, listed
from predictor.grids.checks import (
    DESIGN_KEYS,
    blocks,
    check_block,
    check_builtin,
    check_level,
    check_recipe,
    check_stage_plans,
    check_target_sets,
    read_level,
)
from predictor.grids.faults import GridFaults, Place, same_keys
from predictor.grids.levels import crossed, drawn
from predictor.grids.limits import BRACKETS, DEEP, MAX_FILE, MAX_RUNS, MISSES, check_depth, check_nodes, check_runs
from predictor.grids.presets import with_preset
from predictor.grids.schema import (
    RECIPE_AXES,
    SCHEDULES,
    Grid,
    GridFile,
    GridTargetSet,
    PlannedRun,
    Rate,
    SourceEntry,
    weights_place,
)
from predictor.reading import read_text
from predictor.spec import Recipe, RunSpec, Seeds, Stage, StageData, TargetSet, planned_counts

HOLDS = {
    "grid": "state study, sources, target_sets, model, ...",
    "map": "state study, target_set, domain, outcomes, ... (docs/import.md)",
}
DRAWS_PER_SAMPLE = 50  # a space that gives too few different configurations by then is too small for its sample


def load_grid(path: str | Path, *, most: int = MAX_RUNS) -> Grid:
    """Read a grid file and expand it.

    A configuration that stands in two blocks is kept once, where it stands first.
    most : runs; a file that describes more is refused before any of them is made
    Raises SpecError with all faults of the file, each with its line, and near matches for unknown names; LargeGrid.
    """
    path = Path(path)
    document = _read(path)
    content = with_preset(_plain(document))
    check_runs(content, str(path), most)
    return _grid(content, GridFaults(path, document))


def read_grid(path: str | Path) -> dict[str, Any]:
    """What a grid file holds, as plain data, unchecked. Raises SpecError where it is no YAML mapping."""
    return _plain(_read(Path(path)))


def read_sources(path: str | Path) -> dict[str, SourceEntry]:
    """The sources that a grid file names, without making its runs: those of a large one take seconds.

    Raises SpecError as `load_grid` does, but for faults of single blocks.
    """
    path = Path(path)
    document = _read(path)
    faults = GridFaults(path, document)
    file = _checked(with_preset(_plain(document)), faults)
    faults.stop()
    assert file is not None  # else there were faults
    return dict(file.sources)


def read_mapping(path: str | Path, kind: str) -> dict[str, Any]:
    """What another YAML file holds, as plain data; kind: what it is, in messages. Raises SpecError as `read_grid`."""
    return _plain(_read(Path(path), kind))


def plan_grid(content: dict[str, Any], where: str = "grid") -> Grid:
    """Expand a grid that is not in a file: what its YAML would hold, as plain data. Raises as `load_grid` does."""
    check_runs(content, where)
    return _grid(with_preset(content), GridFaults(Path(where), content))


def _grid(content: dict[str, Any], faults: GridFaults) -> Grid:
    file = _checked(content, faults)
    usable = not len(faults)  # what all blocks share is sound: those that are sound themselves can be expanded
    runs: dict[str, PlannedRun] = {}
    for where, block in blocks(content):
        if check_block(block, where, content, faults) and usable and file is not None:
            for run in _expanded(file, block, where, content, faults):
                runs.setdefault(run.spec.run_id, run)
    faults.stop()
    assert file is not None  # else there were faults
    return Grid(
        study=file.study,
        held_out=file.held_out,
        representative=file.representative,
        protocol=file.protocol,
        sources=file.sources,
        domains={name: target.domain for name, target in file.target_sets.items()},
        weights=weights_place(content["model"]),
        runs=list(runs.values()),
    )


def _read(path: Path, kind: str = "grid") -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = read_text(path, limit=MAX_FILE)
    except FileNotFoundError:
        raise SpecError(f"no such {kind} file", where=str(path), remedy="name an existing YAML file") from None
    except IsADirectoryError:
        raise SpecError(
            "is a folder", where=str(path), remedy=f"name a {kind} file, such as {kind.upper()}.yaml"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SpecError(
            f"cannot be read: {reason}", where=str(path), remedy=f"name a {kind} file of UTF-8 text"
        ) from None
    check_depth(text, str(path))
    try:
        document = YAML(typ="rt").load(text)  # YAML 1.2: 'NO' is a label, 1e-3 is a number; keeps line numbers
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise SpecError(f"{line}is not YAML: {error.problem or error.context}", where=str(path)) from None
    except (YAMLError, ValueError, OverflowError) as error:  # an impossible date, a number of thousands of digits
        raise SpecError(f"is not YAML: {' '.join(str(error).split())}", where=str(path)) from None
    except RecursionError:
        raise SpecError(DEEP, where=str(path), remedy=BRACKETS) from None
    check_nodes(document, str(path))
    if not isinstance(document, dict):
        if kind in HOLDS:
            raise SpecError(f"holds no {kind}", where=str(path), remedy=HOLDS[kind])
        found = "nothing" if document is None else f"a {type(_plain(document)).__name__}"
        raise SpecError(f"holds {found}; needed lines `name: value`", where=str(path),
                        remedy="write them, or copy the file again from where it is whole")  # fmt: skip
    if twice := list(same_keys(document)):
        raise SpecError(listed(twice), where=str(path), remedy='give each a name of its own: as text 1 is "1"')
    return document


def _plain(value: Any) -> Any:
    """ruamel's containers and scalars as plain Python ones."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _checked(content: dict[str, Any], faults: GridFaults) -> GridFile | None:
    """Check everything but the blocks."""
    file = None
    try:
        file = GridFile.model_validate(content)
    except ValidationError as error:
        faults.add_error((), error, [GridFile])
    check_builtin(content, faults)
    check_target_sets(content, faults)
    check_stage_plans(content, faults)
    check_recipe(content, faults)
    if not content.get("grid") and not content.get("random"):
        faults.add((), "neither 'grid' nor 'random' names any configuration")
    return file


def _expanded(
    file: GridFile, block: dict[str, Any], where: Place, content: dict[str, Any], faults: GridFaults
) -> Iterator[PlannedRun]:
    """The runs of one block; what is impossible only in combination is noted at the block."""
    if where[0] == "random":
        yield from _designed(file, block, where, content, faults)
        return
    for choice in crossed(block):
        try:
            yield from _runs(file, choice)
        except ValidationError as error:
            faults.add_error(where, error)
        except ValueError as error:  # a profile that does not suit the number of classes
            faults.add_error((*where, *_profile_place(file, block, choice)), error)


def _designed(
    file: GridFile, design: dict[str, Any], where: Place, content: dict[str, Any], faults: GridFaults
) -> Iterator[PlannedRun]:
    """The runs of a random design: as many different configurations as its sample says."""
    axes = {name: value for name, value in design.items() if name not in DESIGN_KEYS}
    sample, seen = design["sample"], set()
    draws = drawn(axes, design["seed"])
    misses = n_draws = 0
    while n_draws < DRAWS_PER_SAMPLE * sample and misses < max(MISSES, sample):
        n_draws, misses = n_draws + 1, misses + 1
        before = len(faults)
        choice = next(draws)
        for axis, level in choice.items():  # a drawn level exists only now
            check_level(axis, level, (*where, axis), content, faults)
        if len(faults) > before:
            return
        try:
            runs = _runs(file, choice)
        except ValueError as error:  # pydantic's are ValueErrors
            faults.add_error(where, error)
            return
        if runs[0].spec.configuration_id not in seen:
            seen.add(runs[0].spec.configuration_id)
            misses = 0
            yield from runs
        if len(seen) == sample:
            return
    faults.add(
        (*where, "sample"),
        f"only {len(seen)} different configurations in {n_draws} draws, {sample} are asked for; "
        "widen the ranges or ask for fewer",
    )


def _profile_place(file: GridFile, block: dict[str, Any], choice: dict[str, Any]) -> Place:
    """Where the block states the profile of a choice; nothing where a stage plan may have changed it."""
    plan = file.stage_plans.get(choice.get("stages", ""), [])
    if "profile" not in block or any("profile" in stage for stage in plan):
        return ()
    levels = block["profile"]
    return ("profile", levels.index(choice["profile"])) if isinstance(levels, list) else ("profile",)


def _runs(file: GridFile, choice: dict[str, Any]) -> list[PlannedRun]:
    """One configuration with every seed of the file."""
    levels = {axis: read_level(axis, value) for axis, value in choice.items()}
    name = levels["target_set"]
    target = file.target_sets[name]
    own = {} if target.flip is None else {"flip": target.flip}
    recipe = {**file.recipe, **own, **{k: levels[k] for k in RECIPE_AXES if k in levels}}
    schedule = {k: recipe.pop(k) for k in SCHEDULES if k in recipe}
    whole = levels if set(SCHEDULES) & set(levels) else {**levels, **schedule}
    plan = [_stage_levels(whole, part) for part in file.stage_plans.get(levels.get("stages", ""), [{}])]
    data = [_stage_data(target, stage) for stage in plan]
    # a shift whose images are trained on is no test set of that run
    trained = {part.source for stage in data for part in (*((stage.blend,) if stage.blend else ()), *stage.others)}
    shifts = {shift: test for shift, test in target.shifts.items() if test.source not in trained}
    used = {target.source, *trained, *(test.source for test in shifts.values())}
    test = {"source": target.source, "split": target.test_split}
    shared = {
        "protocol": file.protocol,
        "sources": {source: file.sources[source].digest for source in sorted(used)},
        "target": TargetSet(name=name, classes=target.classes, test=test, shifts=shifts),
        "model": file.model,
        "recipe": _recipe(recipe, 1),
    }
    anything = Seeds(data=0, training=0)  # sizes do not depend on them
    once = RunSpec(**shared, stages=tuple(Stage(data=part, image_steps=1) for part in data), seeds=anything)
    stages = []
    for number, (part, stage) in enumerate(zip(data, plan, strict=True)):
        planned = planned_counts(once, number)  # impossible profiles show here, before anything is trained
        steps = stage["image_steps"] if "image_steps" in stage else stage["epochs"] * planned.n_samples
        steps = round(steps * stage.get("share", 1))
        if number == 0:
            shared["recipe"] = _recipe(recipe, steps)
        changed = {k: stage[k] for k in RECIPE_AXES if k in stage and stage[k] != levels.get(k)}
        own_recipe = _recipe({**recipe, **changed}, steps)
        if not changed and own_recipe == shared["recipe"]:
            own_recipe = None
        content = {"data": part, "image_steps": steps, "recipe": own_recipe, "head": stage.get("head", "kept")}
        stages.append(Stage.model_validate(content))
    whole_spec = RunSpec(**shared, stages=tuple(stages), seeds=anything)
    return [
        PlannedRun(
            spec=whole_spec.model_copy(update={"seeds": seeds}),
            axes=named_axes(levels),
            target_set=name,
            domain=target.domain,
            turn=turn,
        )
        for turn, seeds in enumerate(file.seeds_of(whole_spec))
    ]


def _recipe(recipe: dict[str, Any], image_steps: float) -> Recipe:
    """A recipe for a stage that shows so many images."""
    rate = recipe.get("learning_rate")
    if isinstance(rate, dict):  # of the file's recipe, whose faults are noted elsewhere
        rate = Rate.model_validate(rate)
    return Recipe.model_validate(
        {**recipe, "learning_rate": rate.of(image_steps)} if isinstance(rate, Rate) else recipe
    )


def _stage_levels(levels: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The levels of a block as one stage of a plan changes them; its own schedule takes the place of the block's."""
    own = {k: 0 if k == "samples_per_class" and v == 0 else read_level(k, v) for k, v in part.items()}
    if own.get("samples_per_class") == 0:
        own = {"profile": read_level("profile", "balanced"), "blend": [], **own}
    kept = {k: v for k, v in levels.items() if not (k in SCHEDULES and set(SCHEDULES) & set(own))}
    return {**kept, **own}


def _stage_data(target: GridTargetSet, levels: dict[str, Any]) -> StageData:
    blends = levels.get("blend", [])
    return StageData(
        source=target.source,
        split=target.train_split,
        samples_per_class=levels["samples_per_class"],
        profile=levels.get("profile", read_level("profile", "balanced")),
        blend=blends[0] if blends else None,
        others=tuple(levels.get("others", [])),
        ranks=target.ranks,
        short=target.short,
    )


def named_axes(levels: dict[str, Any]) -> dict[str, str | int | float]:
    """The place of a configuration in the design, in words and numbers."""
    profile = levels.get("profile", read_level("profile", "balanced"))
    others = levels.get("others", [])
    axes: dict[str, str | int | float] = {
        "samples_per_class": levels["samples_per_class"],
        "profile": profile.label,
        "others": "+".join(f"{o.source}:{o.n_classes}x{o.samples_per_class}" for o in others) or "none",
    }
    if blends := levels.get("blend"):
        axes["blend"] = f"{blends[0].source}:{blends[0].share:g}"
    axes |= {k: levels[k] for k in ("stages", *SCHEDULES, *RECIPE_AXES) if k in levels}
    return {name: level.label if isinstance(level, Rate) else level for name, level in axes.items()}
