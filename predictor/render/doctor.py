"""What is installed, what is missing for what, and which fit answers, for a reader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from predictor.installed import InstalledPart
from predictor.render.layout import whole
from predictor.render.page import Block, Page, PageTable, Said

SHOWN = 19  # characters of a digest, its algorithm among them


@dataclass(frozen=True, kw_only=True)
class Installation:
    """This installation: the package's version, the machine, the fit that answers, the optional parts.

    fit : where, digest, made, n_configurations and n_runs; problem : why none can be read, else None
    """

    version: str
    python: str
    system: str
    cores: int | None
    fit: Mapping[str, Any]
    parts: Sequence[InstalledPart]


def page(found: Installation) -> Page:
    """Version, machine and fit; a row an optional part; the commands that install what is missing."""
    fit = found.fit
    made = f", made {fit['made']}" if fit["made"] else ""
    n = f", {fit['n_configurations']:,} configurations" if not fit["problem"] else ""
    told = fit["problem"] or f"{fit['where']} ({fit['digest'][:SHOWN]}{made}{n})"
    cores = f", {found.cores} cores" if found.cores else ""
    table = [
        {"part": one.part, "state": "missing" if one.missing else "ready", "for": one.purpose,
         "lacks": ", ".join(one.missing) or "-"}
        for one in found.parts
    ]  # fmt: skip
    return [
        [
            Said(f"predictor {found.version}, Python {found.python}{cores}; {found.system}", indent="  "),
            Said(f"fit: {told}", indent="  "),
        ],
        [PageTable(table)],
        _remedies(found.parts),
    ]


def _remedies(parts: Sequence[InstalledPart]) -> list[Block]:
    return [Said(f"{one.part}: {whole(one.remedy)}") for one in parts if one.remedy]


def content(found: Installation) -> dict[str, Any]:
    """One object for JSON."""
    return {
        "schema_version": 1,
        "version": found.version,
        "python": found.python,
        "system": found.system,
        "cores": found.cores,
        "fit": dict(found.fit),
        "parts": [{**asdict(one), "missing": list(one.missing)} for one in found.parts],
    }


def kinds(found: Installation) -> dict[str, list[dict[str, Any]]]:
    """Rows of each kind for CSV."""
    machine = {"version": found.version, "python": found.python, "system": found.system, "cores": found.cores}
    parts = [{**asdict(one), "state": "missing" if one.missing else "ready"} for one in found.parts]
    return {"package": [machine], "fit": [dict(found.fit)], "part": parts}
