"""Text of a stored record, of this schema version or an older one -> RunRecord."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from predictor.errors import RegistryError, listed
from predictor.records.schema import SCHEMA_VERSION, Counted, Environment, Reported, RunRecord

# {version: function that lifts a record's content to version + 1}; a migration never touches spec or run_id
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}

SPEC, SEEDS, DATA, OUTCOMES = ',"spec":{', ',"seeds":{', ',"data":{', ',"outcomes":{'
ENVIRONMENT, STARTED = ',"environment":{', ',"started_at":'
STAND_IN = ',"spec":{},"data":{"kind":"reported","indicators":{},"citation":"-"}'
DATA_OF = TypeAdapter(Counted | Reported)


def parse_record(text: str | bytes, where: str) -> RunRecord:
    """Read one record; `where` names its file (and row) in the error.

    Raises RegistryError for a truncated or damaged record and for an unknown newer schema version.

    >>> parse_record('{"run_id": ', "runs/a/0.json")
    Traceback (most recent call last):
    ...
    predictor.errors.RegistryError: runs/a/0.json: not a whole JSON object (Expecting value at character 11). \
restore it from version control, or delete it and train the run again
    """
    try:
        return RunRecord.model_validate_json(text)
    except ValidationError as error:  # the fast path knows the current version only
        return _slowly(text, where, error)


def _slowly(text: str | bytes, where: str, error: ValidationError) -> RunRecord:
    remedy = "restore it from version control, or delete it and train the run again"
    try:
        content = json.loads(text.decode() if isinstance(text, bytes) else text)
    except UnicodeDecodeError:
        raise RegistryError("is not UTF-8 text", where=where, remedy=remedy) from None
    except json.JSONDecodeError as fault:
        problem = f"not a whole JSON object ({fault.msg} at character {fault.pos})"
        raise RegistryError(problem, where=where, remedy=remedy) from None
    except (ValueError, RecursionError) as fault:  # numbers of thousands of digits, brackets thousands deep
        problem = f"JSON of a depth or of numbers that no record has ({str(fault).partition(';')[0]})"
        raise RegistryError(problem, where=where, remedy=remedy) from None
    if not isinstance(content, dict):
        raise RegistryError(f"a record is a JSON object; found {type(content).__name__}", where=where, remedy=remedy)
    version = content.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise RegistryError(
            f"schema_version {version}; this version of predictor reads up to {SCHEMA_VERSION}",
            where=where,
            remedy="install a newer predictor",
        )
    if isinstance(version, int) and version in MIGRATIONS:
        while version < SCHEMA_VERSION:
            content = MIGRATIONS[version](content)
            version += 1
        try:
            return RunRecord.model_validate({**content, "schema_version": version})
        except ValidationError as fault:
            error = fault
    raise RegistryError(f"not a run record: {listed(_problems(error))}", where=where, remedy=remedy)


def _problems(error: ValidationError) -> list[str]:
    """'outcomes.accuracy.value: Input should be a finite number (found NaN)'."""
    problems = []
    for fault in error.errors(include_url=False):
        found = repr(fault["input"])
        found = "" if fault["type"] == "missing" else f" (found {found if len(found) <= 60 else found[:57] + '...'})"
        problems.append(f"{'.'.join(str(part)[:100] for part in fault['loc'])}: {fault['msg']}{found}")
    return problems


class SharedParser:
    """Parses the records of a part: what many runs share is parsed once and kept once.

    Seeds share their class counts, grids their target sets, machines their environment: 10,360 records take 54 MB
    instead of 198 (it saves memory, not time). A stored record is compact JSON with its keys in the schema's order, so
    these stand between known marks; a quotation mark inside a text is escaped and makes no mark. Everything is
    validated as in a record that is read alone; what is not as expected is read alone.
    """

    def __init__(self) -> None:
        self._parsed: dict[str, Any] = {}
        self._names: dict[frozenset[str], set[str]] = {}
        self._tuples: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def parse(self, text: str) -> RunRecord | None:
        """The record; None where the text must be read alone: another version, another order, damage."""
        try:
            return self._parse(text)
        except (ValueError, LookupError):  # pydantic's errors are ValueErrors
            return None

    def _parse(self, text: str) -> RunRecord:
        head, rest = _cut(text, SPEC)
        spec, rest = _cut(rest, DATA)
        data, rest = _cut(rest, OUTCOMES)
        outcomes, rest = _cut(rest, ENVIRONMENT)
        environment, rest = _cut(rest, STARTED)
        spec, seeds = _cut(spec, SEEDS)
        own = f"{head}{STAND_IN}{OUTCOMES}{outcomes}{STARTED}{rest}"
        record = RunRecord.model_validate_json(own)
        content = record.__dict__
        content["spec"] = {
            **self._once(f"{{{spec}}}", from_json),
            **from_json(f'{{"seeds":{{{seeds}'),  # it ends the spec
        }
        content["data"] = self._once(f"{{{data}", DATA_OF.validate_json)
        content["environment"] = self._once(f"{{{environment}", Environment.model_validate_json)
        record.__pydantic_fields_set__.add("environment")
        for part in (record, record.seconds, record.energy, record.data_report, *record.outcomes.values()):
            if part is not None:  # pydantic keeps a set of names for each object, larger than the object
                names = part.__pydantic_fields_set__
                object.__setattr__(part, "__pydantic_fields_set__", self._names.setdefault(frozenset(names), names))
        for outcome in record.outcomes.values():
            counts = outcome.__dict__
            counts["classes"] = self._tuples.setdefault(outcome.classes, outcome.classes)
            counts["tested"] = self._tuples.setdefault(outcome.tested, outcome.tested)
        return record

    def _once(self, text: str, parse: Callable[[str], Any]) -> Any:
        found = self._parsed.get(text)
        if found is None:
            found = self._parsed[text] = parse(text)
        return found


def _cut(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark)
    if not found:
        raise LookupError(mark)
    return before, after
