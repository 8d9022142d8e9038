"""Text of a stored record, of this schema version or an older one -> RunRecord."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from predictor.errors import RegistryError, listed
from predictor.records.schema import SCHEMA_VERSION, RunRecord

# {version: function that lifts a record's content to version + 1}; a migration never touches spec or run_id
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


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
        problems.append(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}{found}")
    return problems
