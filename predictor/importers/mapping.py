"""MAP.yaml: what each column of somebody's table becomes. Nothing has a meaning that it does not state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from predictor.errors import PredictorError, RegistryError, listed, near, with_near
from predictor.grids.expand import read_mapping
from predictor.importers.table import ImportedTable
from predictor.records.schema import NAME
from predictor.records.shift_rows import SHIFT
from predictor.statistics.outcome_scales import KNOWN, SHARES

Text = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value)]
MOST_CLASSES = 100_000  # of a row whose counts are k of each: a record holds all of them
REST = "rest"  # ignore: rest; every column that nothing names
COUNT = "count:"  # column of class counts of a table without a map


def _named(value: Any) -> Any:
    """A list of columns stands for columns of their own names."""
    return {str(name): str(name) for name in value} if isinstance(value, list) else value


def _as_column(value: Any) -> Any:
    return {"column": str(value)} if isinstance(value, str | int | float) else value


NumberOfClasses = Annotated[int, Field(ge=2, le=MOST_CLASSES)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Constant(_Part):
    """A text that holds for all rows, or the column that has it."""

    column: Text


class Number(_Part):
    """A column of numbers."""

    column: Text


class Measured(_Part):
    """A column of outcomes.

    scale : accuracy, logit, log, loss, identity
    per_cent : the column holds per cent of a fraction
    clean : column of the clean value over the classes of a shift
    chance : value of a guess
    """

    column: Text
    scale: Literal["accuracy", "logit", "log", "loss", "identity"] = "accuracy"
    per_cent: bool = False
    clean: Text | None = None
    chance: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _fractions(self) -> Measured:
        if self.per_cent and self.scale not in SHARES:
            raise ValueError(f"per_cent is of fractions; the scale is {self.scale!r}")
        return self


class MappedClasses(_Part):
    """How many classes a row has: a number for each value of a column."""

    by: Text
    of: dict[Text, NumberOfClasses]


class Counts(_Part):
    """Images a class: a column a class, one column that holds {class: images}, or k of every class.

    columns : {class: column}
    cell : column of mappings
    k, classes : column of images a class, and how many classes: a number, a column, or one for each value of a column
    """

    columns: Annotated[dict[Text, Text], BeforeValidator(_named)] | None = None
    cell: Text | None = None
    k: Text | None = None
    classes: NumberOfClasses | MappedClasses | Constant | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Counts:
        ways = [name for name in ("columns", "cell", "k") if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError(f"needed: one of columns, cell, k; found {', '.join(ways) or 'none'}")
        if (self.k is None) != (self.classes is None):
            raise ValueError("k and classes belong together: k images of each of so many classes")
        return self


class AtLeast(_Part):
    """An outcome that another one cannot exceed, such as accuracy on some of the classes: rows that do are named."""

    outcome: Text
    than: Text
    drop: bool = False


class Effective(_Part):
    """Effective robustness against a stated reference set (Taori et al. 2020).

    reference : {column: the values that reference rows have}
    clean : the outcome without shift
    name : what to call the set
    """

    reference: dict[Text, list[Any]]
    name: Text
    clean: Text = "accuracy"


class Map(_Part):
    """What the columns of a table become.

    identity : columns that name a run (with `seed`): two rows that agree in them are one run
    recipe, indicators, outcomes : {name in the registry: column}; a list of columns keeps their names
    words : columns of words that become indicators of 0 and 1, one a word
    only : {column: values}; other rows are left out and counted
    ignore : columns that become nothing, or 'rest'
    missing : words for no value beside the usual ones
    contradictions : rows that are one run and say different things: an error, or all of them left out and named
    robustness : shifts whose mean is the outcome robustness, in rows that have all of them
    """

    study: Annotated[Text, Field(pattern=NAME)] | None = None
    citation: Text | None = None
    target_set: Text | Constant | None = None
    domain: Text | Constant | None = None
    seed: Text | None = None
    identity: tuple[Text, ...] = ()
    recipe: Annotated[dict[Text, Text], BeforeValidator(_named)] = {}
    indicators: Annotated[dict[Text, Annotated[Number, BeforeValidator(_as_column)]], BeforeValidator(_named)] = {}
    words: tuple[Text, ...] = ()
    outcomes: Annotated[dict[Text, Annotated[Measured, BeforeValidator(_as_column)]], BeforeValidator(_named)] = {}
    counts: Counts | None = None
    image_steps: Text | None = None
    only: dict[Text, list[Any]] = {}
    ignore: tuple[Text, ...] | Literal["rest"] = ()
    missing: tuple[Text, ...] = ()
    contradictions: Literal["error", "drop"] = "error"
    at_least: tuple[AtLeast, ...] = ()
    effective_robustness: Effective | None = None
    robustness: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    sheet: Text | None = None

    @model_validator(mode="after")
    def _mean_of_shifts(self) -> Map:
        """Of accuracies that the map names, and stated once."""
        shifts = {name.removeprefix(SHIFT): item for name, item in self.outcomes.items() if name.startswith(SHIFT)}
        if unknown := [name for name in self.robustness or () if name not in shifts]:
            raise ValueError(f"robustness: no outcome {SHIFT}{unknown[0]} in the map")
        if other := [name for name in self.robustness or () if shifts[name].scale != "accuracy"]:
            raise ValueError(f"robustness: a mean of accuracies; {SHIFT}{other[0]} is a {shifts[other[0]].scale}")
        if self.robustness and "robustness" in self.outcomes:
            raise ValueError("robustness: stated twice, as a mean of shifts and as a column")
        return self

    @model_validator(mode="after")
    def _known_outcomes(self) -> Map:
        """Rules name outcomes that the map has: of another name they would do nothing."""
        known = [*self.outcomes, *(["robustness"] if self.robustness else [])]
        named = {f"at_least.{n}": [rule.outcome, rule.than] for n, rule in enumerate(self.at_least)}
        rule = self.effective_robustness
        own = [bool(item.clean) for name, item in self.outcomes.items() if name.startswith(SHIFT)]
        if rule and ("clean" in rule.model_fields_set or not all(own)):
            named["effective_robustness.clean"] = [rule.clean]
        for place, names in named.items():
            if unknown := [name for name in names if name not in known]:
                raise ValueError(f"{place}: the map has no outcome {with_near(unknown, known)}")
        return self

    @model_validator(mode="after")
    def _one_column_a_name(self) -> Map:
        """A name of the registry stands for one column; the last one would silently take the place of the others."""
        pairs = [(name, name, "identity") for name in self.identity]
        pairs += [(name, column, "recipe") for name, column in self.recipe.items()]
        pairs += [("seed", self.seed, "seed")] if self.seed else []
        first: dict[str, tuple[str, str]] = {}
        for name, column, part in pairs:
            other, place = first.setdefault(name, (column, part))
            if other != column:
                raise ValueError(
                    f"{part}: {name!r} would be column {column!r}, and is column {other!r} in {place}: "
                    "give one of them another name under recipe"
                )
        return self

    @model_validator(mode="after")
    def _said(self) -> Map:
        """Texts for all rows say something."""
        for part in ("target_set", "domain"):
            value = getattr(self, part)
            if isinstance(value, str) and not value.strip():
                raise ValueError(f"{part}: is empty; name it, or the column that has it")
        if self.citation is not None and not self.citation.strip():
            raise ValueError("citation: is empty; say whose numbers these are")
        return self

    def named(self) -> Iterator[tuple[str, str]]:
        """(column, what it becomes) for every column that the map names."""
        for part in ("target_set", "domain"):
            value = getattr(self, part)
            if isinstance(value, Constant):
                yield value.column, part.replace("_", " ")
        if self.seed:
            yield self.seed, "seed"
        yield from ((column, "identity") for column in self.identity)
        yield from ((column, f"recipe {name}") for name, column in self.recipe.items())
        yield from ((item.column, f"indicator {name}") for name, item in self.indicators.items())
        yield from ((column, "indicators of 0 and 1, one a word") for column in self.words)
        for name, item in self.outcomes.items():
            yield item.column, f"outcome {name} ({item.scale}{', per cent' if item.per_cent else ''})"
            if item.clean:
                yield item.clean, f"clean value of {name}"
        if self.counts:
            yield from self._counted(self.counts)
        if self.image_steps:
            yield self.image_steps, "image-steps"
        yield from ((column, f"rows with {', '.join(map(str, values))} alone") for column, values in self.only.items())
        if self.effective_robustness:
            yield from ((column, "reference set") for column in self.effective_robustness.reference)

    @staticmethod
    def _counted(counts: Counts) -> Iterator[tuple[str, str]]:
        yield from ((column, f"images of class {name}") for name, column in (counts.columns or {}).items())
        if counts.cell:
            yield counts.cell, "images of each class"
        if counts.k:
            yield counts.k, "images of every class"
        if isinstance(counts.classes, Constant | MappedClasses):
            column = counts.classes.column if isinstance(counts.classes, Constant) else counts.classes.by
            yield column, "number of classes"


def read_map_text(path: str | Path) -> dict[str, Any]:
    """What a map's file says, unchecked. Raises SpecError where it is no YAML mapping."""
    return read_mapping(path, "map")


def checked_map(content: dict[str, Any], where: str) -> Map:
    """A map from plain data. Raises RegistryError naming every fault, with near names for unknown keys."""
    try:
        return Map.model_validate(content)
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            place = ".".join(
                str(part) for part in fault["loc"] if not str(part).startswith(("function-", "constrained"))
            )
            text = fault["msg"].removeprefix("Value error, ")
            if fault["type"] == "extra_forbidden":
                close = near(str(fault["loc"][-1]), Map.model_fields) if len(fault["loc"]) == 1 else []
                text = f"unknown key{f'; did you mean {close[0]!r}?' if close else ''}"
            elif isinstance(fault.get("input"), str | int | float):
                text += f" (found {str(fault['input'])[:100]!r})"
            faults.append(f"{place}: {text}" if place else text)
        raise RegistryError(listed(list(dict.fromkeys(faults))), where=where,
                            remedy="write it as docs/import.md shows") from None  # fmt: skip


def own_map(table: ImportedTable) -> dict[str, Any]:
    """The map of a table whose columns are named as this package names things; other columns stay without meaning."""
    from predictor.indicators import known

    def is_indicator(name: str) -> bool:
        try:
            return bool(known(name))
        except PredictorError:
            return False

    found: dict[str, Any] = {"outcomes": {}, "indicators": [], "recipe": []}
    counts = {}
    for name in table.columns:
        if name in ("target_set", "domain"):
            found[name] = {"column": name}
        elif name in ("seed", "image_steps"):
            found[name] = name
        elif name in ("accuracy", "robustness") or re.fullmatch(r"shift:.+", name):
            found["outcomes"][name] = name
        elif is_indicator(name):
            found["indicators"].append(name)
        elif name.startswith(COUNT) and len(name) > len(COUNT):
            counts[name.removeprefix(COUNT)] = name
    return found | ({"counts": {"columns": counts}} if counts else {})


def without_meaning(table: ImportedTable, plan: Map) -> list[str]:
    """Columns that the map does not speak of. Raises RegistryError for columns that it names and nobody has."""
    named = dict(plan.named())
    ignored = () if plan.ignore == REST else plan.ignore
    for column in (*named, *ignored):
        table.index(column)
    if plan.ignore == REST:
        return []
    return [name for name in table.columns if name not in named and name not in ignored]


def needed_parts(plan: Map) -> list[str]:
    """What a map has to say and does not."""
    faults = [f"{part.replace('_', ' ')}: of what the runs are" for part in ("target_set", "domain")
              if getattr(plan, part) is None]  # fmt: skip
    if plan.study is None:
        faults.append("study: the folder that the records go to")
    if not plan.outcomes:
        faults.append(f"outcomes: what was measured, and on which scale ({', '.join(KNOWN)})")
    if plan.counts and (plan.indicators or plan.words):
        faults.append("either counts or indicators: indicators are computed from counts; other columns are recipe")
    if not plan.counts and not plan.indicators and not plan.words:
        faults.append("counts or indicators: what was known before training")
    if not plan.counts and plan.citation is None:
        faults.append("citation: whose numbers these are")
    return faults


def overridden(content: dict[str, Any], **said: str | None) -> dict[str, Any]:
    """The map with what the command line says."""
    return content | {name: value for name, value in said.items() if value is not None}
