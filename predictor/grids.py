"""Grid YAML -> run specs. A block crosses its axes fully; a random design draws from stated ranges."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from predictor.errors import SpecError, listed
from predictor.profiles import Profile
from predictor.spec import Blend, Model, Others, Recipe, RunSpec, Seeds, TargetSet, planned_counts

STUDY_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
DATA_AXES = ("target_set", "samples_per_class", "profile", "blend", "others", "image_steps", "epochs")
RECIPE_AXES = tuple(name for name in Recipe.model_fields)
AXES = (*DATA_AXES, *RECIPE_AXES)
DRAWS = ("uniform", "log_uniform", "integer", "log_integer")


class Source(BaseModel):
    """Where a source's images are: a file or folder below the image folder, and the digest of its content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: str = Field(pattern=r"^(sha256:[0-9a-f]{64}|builtin:.+)$")
    file: str | None = None


class GridTargetSet(BaseModel):
    """A target set as a grid states it. `flip` overrides the recipe's: characters must not be mirrored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    domain: str
    source: str
    classes: tuple[str, ...]
    train_split: str = "train"
    test_split: str = "test"
    shifts: dict[str, str | dict[str, str]] = {}
    flip: bool | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One run of a grid: its spec, and its place in the design."""

    spec: RunSpec
    axes: dict[str, str | int | float]
    target_set: str
    domain: str


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A study: its sources and every run in order, the seeds of a configuration one after the other."""

    study: str
    held_out: bool
    protocol: int
    sources: dict[str, Source]
    domains: dict[str, str]
    runs: list[PlannedRun]


class _Top(BaseModel):
    model_config = ConfigDict(extra="forbid")

    study: str
    protocol: int = Field(ge=1)
    held_out: bool = False
    sources: dict[str, Source] = Field(min_length=1)
    target_sets: dict[str, GridTargetSet] = Field(min_length=1)
    model: Model
    recipe: dict[str, Any]
    seeds: list[int | Seeds] = Field(min_length=1)  # a number is data seed and training seed at once
    grid: list[dict[str, Any]] = []
    random: list[dict[str, Any]] = []


@dataclass
class _Faults:
    """Collects every fault of a file with its line, so that a user mends them in one go."""

    path: Path
    document: Any
    found: list[str] = field(default_factory=list)

    def add(self, where: tuple[str | int, ...], text: str) -> None:
        line = _line(self.document, where)
        name = ".".join(str(part) for part in where)
        self.found.append(f"line {line}: {name + ': ' if name else ''}{text}")

    def add_validation(self, where: tuple[str | int, ...], error: ValidationError, known: type[BaseModel]) -> None:
        for fault in error.errors():
            text = _problem(fault)
            if fault["type"] == "extra_forbidden":
                names = _fields(known, fault["loc"][:-1])
                text = "unknown key" + near(str(fault["loc"][-1]), names)
            self.add((*where, *fault["loc"]), text)

    def stop(self) -> None:
        if self.found:
            raise SpecError(listed(self.found), where=str(self.path))


def load_grid(path: str | Path) -> Grid:
    """Read a grid file and expand it. Raises SpecError with all faults of the file, each with its line."""
    path = Path(path)
    document = _read(path)
    faults = _Faults(path, document)
    try:
        top = _Top.model_validate(_plain(document))
    except ValidationError as error:
        faults.add_validation((), error, _Top)
        faults.stop()
        raise
    if not STUDY_NAME.fullmatch(top.study):
        faults.add(("study",), f"{top.study!r} is no study name; use a-z, 0-9, '.', '_' and '-', a letter first")
    if not top.grid and not top.random:
        faults.add((), "neither 'grid' nor 'random' names any configuration")
    if len(set(map(_seeds, top.seeds))) < len(top.seeds):
        faults.add(("seeds",), "a seed stands twice")
    for name in set(top.recipe) - {*RECIPE_AXES, "image_steps", "epochs"}:
        faults.add(("recipe", name), "unknown key" + near(name, [*RECIPE_AXES, "image_steps", "epochs"]))
    _check_sources(top, faults)
    faults.stop()
    runs: dict[str, PlannedRun] = {}
    for where, choice in _choices(top, faults):
        try:
            for run in _runs(top, choice):
                runs.setdefault(run.spec.run_id, run)
        except ValidationError as error:
            for fault in error.errors():
                axis = next((part for part in reversed(fault["loc"]) if part in AXES), None)
                faults.add((*where, *([axis] if axis else fault["loc"][-1:])), _problem(fault))
        except (ValueError, TypeError) as error:
            faults.add(where, str(error))
    faults.found = list(dict.fromkeys(faults.found))
    faults.stop()
    domains = {name: target.domain for name, target in top.target_sets.items()}
    return Grid(
        study=top.study,
        held_out=top.held_out,
        protocol=top.protocol,
        sources=top.sources,
        domains=domains,
        runs=list(runs.values()),
    )


def near(name: str, known: Any) -> str:
    """': did you mean X' for a near match, else the known names.

    >>> near("profle", ["profile", "others"])
    "; did you mean 'profile'?"
    """
    matches = difflib.get_close_matches(str(name), [str(k) for k in known], n=1)
    return f"; did you mean '{matches[0]}'?" if matches else "; known: " + ", ".join(sorted(map(str, known)))


def _read(path: Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError("no such grid file", where=str(path), remedy="name an existing YAML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot be read: {error}", where=str(path)) from None
    try:
        document = YAML(typ="rt").load(text)  # YAML 1.2: 'NO' is a label, 1e-3 is a number; keeps line numbers
    except YAMLError as error:
        raise SpecError(f"is not YAML: {' '.join(str(error).split())}", where=str(path)) from None
    if not isinstance(document, dict):
        raise SpecError("holds no grid", where=str(path), remedy="it needs study, sources, target_sets, model, ...")
    return document


def _problem(fault: Any) -> str:
    text = fault["msg"].removeprefix("Value error, ")
    found = fault.get("input")
    simple = isinstance(found, str | int | float | bool) and fault["type"] != "missing"
    return f"{text} (found {found!r})" if simple else text


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


def _line(document: Any, where: tuple[str | int, ...]) -> int:
    line = document.lc.line + 1 if hasattr(document, "lc") else 1
    for part in where:
        lc = getattr(document, "lc", None)
        try:
            line = (lc.key(part) if isinstance(document, dict) else lc.item(part))[0] + 1
            document = document[part]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line


def _fields(model: type[BaseModel], where: tuple[str | int, ...]) -> list[str]:
    """Names a mapping at `where` may hold, as far as the model's annotations tell."""
    for part in where:
        entry = model.model_fields.get(str(part))
        candidates = [] if entry is None else _models(entry.annotation)
        if entry is not None and candidates:
            model = candidates[0]
    return list(model.model_fields)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for argument in getattr(annotation, "__args__", ()) for m in _models(argument)]


def _check_sources(top: _Top, faults: _Faults) -> None:
    for name, target in top.target_sets.items():
        named = {("source",): target.source}
        named |= {("shifts", shift): _shift(entry)["source"] for shift, entry in target.shifts.items()}
        for where, source in named.items():
            if source not in top.sources:
                faults.add(("target_sets", name, *where), f"unknown source {source!r}" + near(source, top.sources))
        if len(target.classes) < 2:
            faults.add(("target_sets", name, "classes"), "a target set needs at least 2 classes")


def _shift(entry: str | dict[str, str]) -> dict[str, str]:
    return {"source": entry} if isinstance(entry, str) else entry


def _choices(top: _Top, faults: _Faults) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Every configuration of the file as {axis: level}, with its place in the file."""
    for number, block in enumerate(top.grid):
        where = ("grid", number)
        if _axes_known(block, AXES, where, top, faults):
            levels = [value if isinstance(value, list) else [value] for value in block.values()]
            for combination in itertools.product(*levels):
                yield where, dict(zip(block, combination, strict=True))
    for number, design in enumerate(top.random):
        where = ("random", number)
        if _axes_known(design, (*AXES, "sample", "seed"), where, top, faults):
            if not isinstance(design.get("sample"), int) or not isinstance(design.get("seed"), int):
                faults.add(where, "a random design needs whole numbers 'sample' and 'seed'")
                continue
            generator = np.random.Generator(np.random.PCG64(design["seed"]))
            axes = {name: value for name, value in design.items() if name not in ("sample", "seed")}
            for _ in range(design["sample"]):  # one draw an axis in file order: 50 are the first 50 of 100
                try:
                    yield where, {name: _drawn(value, generator) for name, value in axes.items()}
                except (ValueError, TypeError) as error:
                    faults.add(where, str(error))
                    break


def _axes_known(block: dict[str, Any], known: Any, where: tuple[str | int, ...], top: _Top, faults: _Faults) -> bool:
    before = len(faults.found)
    for name in block:
        if name not in known:
            faults.add((*where, name), "unknown axis" + near(name, known))
    for name in ("target_set", "samples_per_class"):
        if name not in block:
            faults.add(where, f"axis {name!r} is missing")
    targets = block.get("target_set", [])
    for name in targets if isinstance(targets, list) else [targets]:
        if name not in top.target_sets:
            faults.add((*where, "target_set"), f"unknown target set {name!r}" + near(name, top.target_sets))
    if "image_steps" in block and "epochs" in block:
        faults.add(where, "names both image_steps and epochs; one follows from the other")
    if not {"image_steps", "epochs"} & ({*block} | {*top.recipe}):
        faults.add(where, "neither the block nor the recipe says image_steps or epochs")
    return len(faults.found) == before


def _drawn(value: Any, generator: np.random.Generator) -> Any:
    """A level: a list is a choice, a mapping with one of DRAWS is a range, any other mapping is drawn inside."""
    if isinstance(value, list):
        return _drawn(value[int(generator.integers(len(value)))], generator)
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in DRAWS:
        ((kind, bounds),) = value.items()
        if not (isinstance(bounds, list) and len(bounds) == 2 and bounds[0] <= bounds[1]):
            raise ValueError(f"{kind} needs [low, high], found {bounds!r}")
        low, high = bounds
        u = float(generator.random())
        if kind.startswith("log"):
            if low <= 0:
                raise ValueError(f"{kind} needs a low bound above 0, found {low!r}")
            drawn = float(np.exp(np.log(low) + u * (np.log(high) - np.log(low))))
        else:
            drawn = low + u * (high - low)
        return round(drawn) if kind.endswith("integer") else float(f"{drawn:.4g}")
    if isinstance(value, dict):
        # counts and edits hold lists that are values, not choices
        return {k: v if k in ("counts", "edits") else _drawn(v, generator) for k, v in value.items()}
    return value


def _runs(top: _Top, choice: dict[str, Any]) -> Iterator[PlannedRun]:
    name = choice["target_set"]
    target = top.target_sets[name]
    own = {} if target.flip is None else {"flip": target.flip}
    recipe = {**top.recipe, **own, **{k: choice[k] for k in RECIPE_AXES if k in choice}}
    steps = {k: recipe.pop(k, None) for k in ("image_steps", "epochs")}
    if "image_steps" in choice or "epochs" in choice:
        steps = {k: choice.get(k) for k in ("image_steps", "epochs")}
    profile = _profile(choice.get("profile", "balanced"))
    others = _several(choice.get("others", "none"), Others)
    blends = _several(choice.get("blend", "none"), Blend)
    data = {
        "source": target.source,
        "split": target.train_split,
        "samples_per_class": choice["samples_per_class"],
        "profile": profile,
        "blend": blends[0] if blends else None,
        "others": others,
    }
    # a shift whose images are trained on is no test set of that run
    trained = {blend.source for blend in blends} | {other.source for other in others}
    shifts = {shift: _shift(entry) for shift, entry in target.shifts.items() if _shift(entry)["source"] not in trained}
    used = {target.source, *trained, *(shift["source"] for shift in shifts.values())}
    if unknown := used - set(top.sources):
        missing = sorted(unknown)[0]
        raise ValueError(f"unknown source {missing!r}" + near(missing, top.sources))
    axes: dict[str, str | int | float] = {
        "samples_per_class": data["samples_per_class"],
        "profile": profile.label,
        "others": "+".join(f"{o.source}:{o.n_classes}x{o.samples_per_class}" for o in others) or "none",
    }
    if blends:
        axes["blend"] = f"{blends[0].source}:{blends[0].share:g}"
    axes |= {k: choice[k] for k in ("image_steps", "epochs", *RECIPE_AXES) if k in choice}
    for seed in top.seeds:
        draft = {
            "protocol": top.protocol,
            "sources": {source: top.sources[source].digest for source in sorted(used)},
            "target": TargetSet(
                name=name,
                classes=target.classes,
                test={"source": target.source, "split": target.test_split},
                shifts=shifts,
            ),
            "model": top.model,
            "recipe": recipe,
            "seeds": _seeds(seed),
        }
        if steps["image_steps"] is None:
            once = RunSpec.model_validate({**draft, "stages": ({"data": data, "image_steps": 1},)})
            image_steps = round(steps["epochs"] * planned_counts(once).n_samples)
        else:
            image_steps = steps["image_steps"]
        spec = RunSpec.model_validate({**draft, "stages": ({"data": data, "image_steps": image_steps},)})
        planned_counts(spec)  # impossible profiles show here, before anything is trained
        yield PlannedRun(spec=spec, axes=axes, target_set=name, domain=target.domain)


def _seeds(value: int | Seeds) -> Seeds:
    return value if isinstance(value, Seeds) else Seeds(data=value, training=value)


def _profile(value: Any) -> Profile:
    return Profile.model_validate({"shape": value} if isinstance(value, str) else value)


def _several(value: Any, kind: type[Any]) -> list[Any]:
    if value is None or value == "none":
        return []
    return [kind.model_validate(item) for item in (value if isinstance(value, list) else [value])]
