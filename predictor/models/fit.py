"""fit.json: data, never code. Written whole or not at all; refused when edited, cut or of another schema."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from predictor.errors import FitError, listed
from predictor.files import replace_file
from predictor.models.case import Case, Floats, level_key, recipe_name
from predictor.models.fit_text import unpacked, written
from predictor.models.outcome import Level, OutcomeFit
from predictor.reading import MIB, read_text
from predictor.recipes import SCRATCH
from predictor.results import Result

SCHEMA_VERSION = 3
KIND = "predictor-fit"
MAX_FIT = 256 * MIB  # bytes; the fit of 2,571 runs has 2 MiB
FIT_AGAIN = "fit again: predictor fit RUNS --output FIT"


@dataclass(frozen=True)
class KnownRecipe:
    """Network, resolution and image-steps of runs; None where they were not stated."""

    model: str | None
    image_size: int | None
    image_steps: int | None


@dataclass(frozen=True)
class RecipeEvidence:
    """A network and resolution that the fit knows, and on how much it rests.

    actions : {what was done about imbalance: configurations}
    weights : name, digest, licence and trained_on of pretrained weights; None from scratch
    """

    family: str
    name: str
    model: str | None
    image_size: int | None
    n_configurations: int
    n_runs: int
    n_target_sets: int
    n_domains: int
    actions: Mapping[str, int]
    weights: Mapping[str, str | None] | None


@dataclass(frozen=True)
class TrainedAs:
    """How runs were trained, as a grid states it: its `model` and `recipe` (without flips and image-steps), protocol.

    n_runs : of how many that is so
    """

    protocol: int
    model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    n_runs: int


@dataclass(frozen=True)
class KnownTargetSet:
    """A target set of the fit: its domain, classes, tested shifts, most frequent recipe and configurations.

    shift_sources : {shift: source of its test images}, where the runs say so
    """

    domain: str
    classes: tuple[str, ...]
    shifts: tuple[str, ...]
    recipe: KnownRecipe
    n_configurations: int
    shift_sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Joint:
    """Where the runs lie together: centre, scale and inverse covariance of their features, and the farthest run.

    largest : squared Mahalanobis distance of that run
    """

    features: tuple[str, ...]
    center: Floats
    scale: Floats
    precision: Floats
    largest: float

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Joint:
        """What fit.json holds."""
        center, scale, precision = (np.array(stored[name]) for name in ("center", "scale", "precision"))
        return cls(tuple(stored["features"]), center, scale, precision, stored["largest"])

    def distance(self, case: Case) -> float:
        """Squared Mahalanobis distance of a case; nan where it lacks a feature."""
        z = (np.array(case.features(self.features)) - self.center) / self.scale
        return float(z @ self.precision @ z)


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Result):
    """A fitted predictor: what `fit_registry` returns and fit.json holds.

    content : plain data; see `predictor.fitting.fit` for what it holds
    where : where it was found; made : the day on which its file was written (YYYY-MM-DD), where the file says so
    """

    content: Mapping[str, Any]
    where: str = "a fit in memory"
    made: str | None = None
    shown_by: ClassVar[str] = "validation"

    def __repr__(self) -> str:
        training, names = self.training, ", ".join(self.content["outcomes"])
        return (
            f"<Fit of {training['n_configurations']:,} configurations, {training['n_runs']:,} runs, "
            f"{len(self.target_sets)} target sets, {len(self.domains)} domains: {names}>"
        )

    @cached_property
    def outcomes(self) -> Mapping[str, OutcomeFit]:
        """{outcome: its models and the errors of held-out runs}."""
        levels = {
            level_key(name, recipe.model, recipe.image_size): Level(name, recipe_name(recipe.model, recipe.image_size))
            for name in self.target_sets
            for recipe in self.recipes
        }
        return {name: OutcomeFit.of(name, stored, levels) for name, stored in self.content["outcomes"].items()}

    @cached_property
    def target_sets(self) -> Mapping[str, KnownTargetSet]:
        """{target set: its domain, classes and size}."""
        return {
            name: KnownTargetSet(
                stored["domain"], tuple(stored["classes"]), tuple(stored["shifts"]), KnownRecipe(**stored["recipe"]),
                stored["n_configurations"], stored.get("shift_sources", {}),
            )
            for name, stored in self.content["target_sets"].items()
        }  # fmt: skip

    @cached_property
    def domains(self) -> frozenset[str]:
        """Image domains of the runs."""
        return frozenset(item.domain for item in self.target_sets.values())

    @cached_property
    def levels(self) -> frozenset[str]:
        """Keys of the levels that the fit knows, see `level_key`."""
        return frozenset(self.content["levels"])

    @cached_property
    def recipe(self) -> KnownRecipe:
        """The most frequent recipe."""
        return KnownRecipe(**self.content["recipe"])

    @cached_property
    def recipes(self) -> tuple[KnownRecipe, ...]:
        """Networks and resolutions of the runs."""
        return tuple(KnownRecipe(stored["model"], stored["image_size"], None) for stored in self.content["recipes"])

    @property
    def recipe_family(self) -> str:
        """The family of its recipes, see `predictor.recipes`."""
        return self.content.get("recipe_family", SCRATCH)

    @cached_property
    def recipe_families(self) -> Mapping[str, Fit]:
        """{recipe family: the fit of its runs}, this one first: each has levels, slopes and errors of its own."""
        others = {name: replace(self, content=own) for name, own in self.content.get("recipe_families", {}).items()}
        return {self.recipe_family: self, **others}

    @cached_property
    def evidence(self) -> tuple[RecipeEvidence, ...]:
        """The recipes of all families, those with the most configurations of each family first."""
        return tuple(
            RecipeEvidence(
                family, **{name: own[name] for name in RecipeEvidence.__dataclass_fields__ if name != "family"}
            )
            for family, fit in self.recipe_families.items()
            for own in sorted(fit.content["recipes"], key=lambda own: -own.get("n_configurations", 0))
            if own.get("name")
        )

    def trained_as(self, model: str | None, image_size: int | None) -> TrainedAs | None:
        """How most runs of a network and resolution were trained; None where the fit does not say."""
        for stored in self.content.get("trained", ()):
            if (stored["network"], stored["image_size"]) == (model, image_size):
                return TrainedAs(**{name: stored[name] for name in TrainedAs.__dataclass_fields__})
        return None

    @cached_property
    def ranges(self) -> Mapping[str, tuple[float, float]]:
        """{feature: (least, largest) of the runs}."""
        return {name: (low, high) for name, (low, high) in self.content["ranges"].items()}

    @cached_property
    def joint(self) -> Joint | None:
        """Where the runs lie together; None where nothing varies."""
        stored = self.content["joint"]
        return None if stored is None else Joint.of(stored)

    @property
    def training(self) -> Mapping[str, Any]:
        """What it was fitted on: digest, n_runs, n_configurations, studies, named."""
        return self.content["training"]

    @property
    def left_out(self) -> list[str]:
        """What was left out, and why."""
        return self.content["left_out"]

    @property
    def validation(self) -> list[dict[str, Any]]:
        """Rows of the validation table: the `rows` of the JSON contract."""
        return self.content["validation"]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return content_digest(self.content)

    def to_json(self) -> str:
        """The text of fit.json: sorted keys, an entry a line, so that two fits can be compared by diff."""
        return written({**self.content, "digest": self.digest})

    def save(self, path: str | Path) -> Path:
        """Write fit.json with the day on it, whole or not at all.

        Raises FitError where the folder cannot be written to.
        """
        path = Path(path)
        try:
            text = written({**self.content, "digest": self.digest, "made": f"{date.today():%Y-%m-%d}"})
            replace_file(path, text.encode())
        except OSError as fault:
            raise FitError(f"cannot write the fit: {fault.strerror}", where=str(path)) from fault
        return path


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of plain data, whatever the order of its keys.

    >>> content_digest({"a": 1, "b": 2}) == content_digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def rounded(value: Any, digits: int = 10) -> Any:
    """Plain data with floats cut to `digits` significant digits: the last bits differ between libraries.

    >>> rounded({"a": [0.1 + 0.2, float("nan")]})
    {'a': [0.3, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, int | str):
        return value
    number = float(value)
    return float(f"{number:.{digits}g}") if math.isfinite(number) else None


def load_fit(path: str | Path) -> Fit:
    """Read fit.json. It is parsed as data; nothing in it can be executed.

    Raises FitError where it is missing, cut, edited or of another schema.
    """
    try:
        text = read_text(path, limit=MAX_FIT)
    except FileNotFoundError:
        raise FitError("no such file", where=str(path), remedy=FIT_AGAIN) from None
    except IsADirectoryError:
        raise FitError("is a folder; a fit is a file, fit.json", where=str(path), remedy=FIT_AGAIN) from None
    except (OSError, UnicodeDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else fault
        raise FitError(f"cannot be read: {reason}", where=str(path), remedy=FIT_AGAIN) from fault
    return parse_fit(text, where=str(path))


def parse_fit(text: str, *, where: str, checked: bool = True) -> Fit:
    """The fit in the text of a fit.json.

    checked : look at the digest and at the shape of every part, which takes half of the time; the fit that ships was
        looked at when it was made, and its tests look again

    >>> parse_fit('{"kind": ', where="fit.json")
    Traceback (most recent call last):
        ...
    predictor.errors.FitError: fit.json: not whole JSON (line 1: Expecting value), so the file is cut or damaged. \
fit again: predictor fit RUNS --output FIT
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as fault:
        place = f"line {fault.lineno}: {fault.msg}" if isinstance(fault, json.JSONDecodeError) else str(fault)
        problem = f"not whole JSON ({place}), so the file is cut or damaged"
        raise FitError(problem, where=where, remedy=FIT_AGAIN) from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise FitError("JSON, but not a fit of this package", where=where, remedy=FIT_AGAIN)
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        problem = f"schema version {version!r}; this predictor reads version {SCHEMA_VERSION}"
        raise FitError(problem, where=where, remedy=FIT_AGAIN)
    stated, made = content.pop("digest", None), content.pop("made", None)
    if made is not None and not _is_day(made):
        problem = f"says that it was made on {str(made)[:40]!r}; needed: a day, YYYY-MM-DD"
        raise FitError(problem, where=where, remedy=FIT_AGAIN)
    try:
        content = unpacked(content)
        found = content_digest(content) if checked else stated
    except (IndexError, KeyError, RecursionError, TypeError):
        raise FitError("refers to a model that it does not hold", where=where, remedy=FIT_AGAIN) from None
    except ValueError:
        raise FitError("holds a number that is not finite", where=where, remedy=FIT_AGAIN) from None
    if stated != found:
        problem = f"was edited after it was written: it states digest {str(stated)[:19]}, its content has {found[:19]}"
        raise FitError(problem, where=where, remedy=FIT_AGAIN)
    if checked:
        from predictor.models.fit_schema import shape_faults

        if faults := shape_faults(content):
            raise FitError(f"has not the shape of a fit: {listed(faults)}", where=where, remedy=FIT_AGAIN)
    return Fit(content, where, made)


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def shipped_fit() -> Fit:
    """The fit that ships inside the package.

    Raises FitError where the installation holds none.
    """
    resource = importlib.resources.files("predictor") / "data" / "fit.json"
    try:
        text = resource.read_text(encoding="utf-8")
    except (FileNotFoundError, ModuleNotFoundError):
        raise FitError("this installation holds no fit", remedy="fit your runs: predictor fit runs/") from None
    return parse_fit(text, where="the fit inside the package", checked=False)


def find_fit(path: str | Path | None = None) -> tuple[Fit, str]:
    """The fit to use, and where it was found: `path`, else runs/fit.json, else the one that ships."""
    if path is not None:
        return load_fit(path), str(path)
    local = Path("runs") / "fit.json"
    if local.exists():
        return load_fit(local), str(local)
    return shipped_fit(), "the fit inside the package"
