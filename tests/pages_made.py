"""Results that are looked at on pages: what ships, and what a user's own table, images and runs would give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from predictor.fitting import select
from predictor.images.duplicates import Duplicates
from predictor.images.results import Probe
from predictor.importers.build import build
from predictor.importers.effective import Line
from predictor.importers.mapping import checked_map
from predictor.importers.results import ImportResult
from predictor.importers.table import ImportedTable
from predictor.installed import parts
from predictor.models.fit import shipped_fit
from predictor.planning.design.choose import Choice, Design
from predictor.planning.pilots.based import Added
from predictor.records import read_registry
from predictor.records.adding import AddedRuns
from predictor.records.indicator_inputs import probes_of
from predictor.render.based import FitOnTop
from predictor.render.doctor import Installation
from predictor.render.validation_screen import FitTold

ROOT = Path(__file__).parents[1]
LONG = "data/2026-autumn/collected-by-the-field-team/second-round/web-crawl-with-a-long-name.csv"


def told_fit() -> FitTold:
    """The fit that ships, with what a part of the registry leaves out of it."""
    records = read_registry(ROOT / "runs", ["learning-rate", "published-table1", "stages"])
    return FitTold(
        fit=shipped_fit(), dropped=select(records).dropped, notes=[f"{LONG}: 3 configurations"], written=LONG
    )


def imported(*, dry: bool) -> ImportResult:
    """A table with long names, a reference set and a note; written or not."""
    columns = {
        "a column with a long name of several words": ["swin_base_patch4_window7", "resnet50", "resnet50"],
        "images_of_the_training_set": ["1281167", "12000", ""],
        "top1": ["81.25", "72.5", "61"],
        "remarks_of_the_author": ["trained twice, " * 9, "", ""],
    }
    rows = list(zip(*columns.values(), strict=True))
    table = ImportedTable.of(LONG, list(columns), ((f"line {n}", row) for n, row in enumerate(rows, 2)))
    first, size, value, remarks = columns
    plan = {
        "study": "theirs", "citation": "A paper", "target_set": "photos/of-a-long-name", "domain": "web",
        "recipe": {"network": first, "notes": remarks}, "identity": [value],
        "indicators": {"n_samples": size}, "outcomes": {"accuracy": {"column": value, "per_cent": True}},
    }  # fmt: skip
    found = build(table, checked_map({**plan, "missing": [""]}, "map.yaml"))
    lines = tuple(
        Line(shift=f"shift:{name}", slope=0.914, intercept=-0.482, r2=0.9941, n_reference=1237, n=1551,
             reference="in1k alone")
        for name in ("v2", "a-shift-with-a-long-name")
    )  # fmt: skip
    notes = (
        f"2 runs left out, whose rows tell different things:\n  line 7 and line 9 ({LONG})\n  line 11 and line 12",
    )
    found = replace(found, lines=lines, notes=(*found.notes, *notes))
    added = AddedRuns(None, 1, 2, tuple(record.run_id for record in found.records[:2]))
    return ImportResult(found, None if dry else added, "registries/of-the-team/runs")


def installation(*, whole: bool) -> Installation:
    """What is here; or where much is missing and the fit cannot be read."""
    here = Installation(
        version="0.2.0", python="3.11.7", system="Linux-6.18.44-x86_64-with-glibc2.36", cores=2,
        fit={"where": LONG, "digest": "sha256:" + "0" * 64, "made": "2026-01-01", "n_configurations": 1708,
             "n_runs": 2, "problem": None},
        parts=parts(),
    )  # fmt: skip
    if whole:
        return here
    lacking = [
        replace(
            one, installed={}, missing=(*one.installed, *one.missing), remedy=f"pip install 'predictor[{one.part}]'"
        )
        for one in here.parts
    ]
    problem = "runs/fit.json: not whole JSON. fit again: predictor fit RUNS --output FIT"
    fit = {"where": "runs/fit.json", "digest": None, "made": None, "problem": problem}
    return replace(here, parts=lacking, fit=fit)


def probe() -> Probe:
    """A probe that ships, with copies, classes that were left out, and notes."""
    found = max(probes_of(ROOT / "runs").values(), key=lambda one: len(one.classes))
    pairs = (("images/of/bees/0001.jpg", "bee", f"images/{'very-' * 20}long.jpg", "bus", 0.99),)
    copies = Duplicates(n_images=1200, exact=12, near=6, inside=14, between=4, pairs=pairs)
    return replace(
        found, duplicates=copies, left_out={"a class with a long name": "2 images; at least 10 are needed"},
        notes=("3 images cannot be decoded: " + ", ".join(f"{LONG}/{i}.jpg" for i in range(3)),),
    )  # fmt: skip


def on_top() -> FitOnTop:
    """Own runs of two target sets on top of the fit that ships."""
    added = [
        Added(target_set=f"a-rather-long-name-of-a-target-set/{n}", domain="web", recipe="scratch-predictor_small",
              n_configurations=12, n_runs=36, mae=0.0213, mae_base=0.0871, covered=(11, 12))
        for n in (1, 2)
    ]  # fmt: skip
    return FitOnTop(added, ["photos: 2 configurations; 4 are needed"], "the fit inside the package", LONG)


def design() -> Design:
    """Three configurations to train next."""
    choices = tuple(
        Choice(
            target_set="a-rather-long-name-of-a-target-set/a", domain="web", n_samples=400 * n, n_other_classes=3,
            image_steps=15_000 * n, hours=0.123 * n, width_before=0.2 / n, width_after=0.18 / n,
            block={"samples_per_class": 40 * n, "profile": {"shape": "exponential", "ratio": 10},
                   "others": [[{"source": "tiny-imagenet-other", "n_classes": 80, "samples_per_class": 20}]]},
        )
        for n in (1, 2, 3)
    )  # fmt: skip
    return Design(
        outcome="accuracy", level=0.9, n_candidates=1200, n_configurations=120, n_runs=360, n_seeds=3, device="cpu",
        images_per_second=1662.2, choices=choices, content={}, notes=("in runs it does not pay: " * 12,),
    )  # fmt: skip
