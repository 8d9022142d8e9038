"""`trainer evaluate`: a pretrained network with its own head, tested as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trainer.options import FORMAT, RUNS

if TYPE_CHECKING:
    from predictor.records import RunRecord


@click.command()
@click.argument("model")
@click.option(
    "--weights",
    metavar="FILE|timm:TAG",
    help="Weights of the network with its classifier.  [default: the tag of MODEL]",
)
@click.option("--targets", required=True, metavar="FILE|NAME", help="Tested classes: one a line, or a list that ships.")
@click.option("--test-set", required=True, type=click.Path(path_type=Path), metavar="PATH", help="Clean images.")
@click.option("--shift", "shifts", multiple=True, metavar="NAME=PATH", help="Images of a shift; may be repeated.")
@click.option("--split", metavar="NAME", help="Split to test on.  [default: test, else val, else all]")
@click.option("--classes", metavar="FILE|NAME", help="Class of each logit, where the classifier is none of ImageNet's.")
@click.option(
    "--stage",
    "stages",
    multiple=True,
    type=click.IntRange(2),
    metavar="N",
    help="Number of classes of a stage of its training; repeat it for each.",
)
@click.option(
    "--image-size",
    type=click.IntRange(8, 4096),
    metavar="PX",
    help="Side of the images in pixels.  [default: that of the pretraining]",
)
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    metavar="RUNS",
    help="Registry whose runs of the target set are the reference set of effective robustness.",
)
@click.option("--study", default="zero-shot", show_default=True, metavar="NAME")
@click.option("--target-set", default="zero-shot", show_default=True, metavar="NAME")
@click.option("--domain", default="photographs", show_default=True, metavar="NAME")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option(
    "--threads", type=click.IntRange(1, 1_024), default=1, show_default=True, help="Threads that decode images."
)
@RUNS
@FORMAT
def evaluate(
    model: str, weights: str | None, targets: str, test_set: Path, shifts: tuple[str, ...], split: str | None,
    classes: str | None, stages: tuple[int, ...], image_size: int | None, reference: Path | None, study: str,
    target_set: str, domain: str, device: str, threads: int, runs_dir: Path, fmt: str,
) -> None:  # fmt: skip
    """Test a pretrained MODEL of timm with its own classifier; logits of classes that are not tested are masked.

    Heads of ImageNet's 1k, 12k and 21k classes are known; images are named by their classes' WordNet ids, as ImageNet's
    folders are. Folders that are numbered, as ImageNet-V2's, go by a view: a YAML file of `images: FOLDER` and
    `classes: imagenet-1k`. Writes a record with the stages of its training.

    A row an outcome: accuracy, its classes, chance; of a shift also clean accuracy on these classes, the difference of
    logits, and with --reference effective robustness; below them the averages. `predictor runs show RUNS --shifts`
    shows the same of all runs.
    """
    from predictor.records import write_record
    from predictor.render.tables import json_text, rows_text
    from trainer.machine import choose_device
    from trainer.provenance import code_commit
    from trainer.zero_shot import evaluate as evaluated
    from trainer.zero_shot import load_network, named_tests, read_targets_file

    tested = read_targets_file(targets)
    tests = named_tests(test_set, shifts)
    alike = _reference(reference, target_set, [name for name in tests if name != "accuracy"]) if reference else []
    found = Path(classes) if classes else None
    zero = load_network(model, weights, found.name if found else None, image_size, found.parent if found else Path())
    record, notes = evaluated(
        zero, tested, tests, split=split, stages=stages, study=study, target_set=target_set, domain=domain,
        device=choose_device(device), threads=threads, commit=code_commit(),
    )  # fmt: skip
    written = write_record(runs_dir, record)
    rows = outcome_rows(record, alike)
    if reference:
        notes.append(
            f"effective: points beyond the line through {len(alike):,} runs of {target_set} in {reference}, logit on "
            "logit (Taori et al. 2020)"
        )
    if fmt == "json":
        click.echo(json_text({"schema_version": 1, "run_id": record.run_id, "stages": record.axes["stages"],
                              "outcomes": rows, "notes": notes, "written": str(written)}))  # fmt: skip
        return
    shares = {name: "{:.3f}".format for name in ("value", "plain", "chance", "clean")}
    signed = {"difference": "{:+.2f}".format, "effective": "{:+.3f}".format}
    click.echo(rows_text(rows, fmt, formats=shares | signed if fmt in ("table", "markdown") else None))
    if fmt == "table":
        for note in (f"stages: {record.axes['stages']}", *notes, f"{written}: written"):
            click.echo(note)


def outcome_rows(record: RunRecord, reference: Sequence[RunRecord] = ()) -> list[dict[str, Any]]:
    """A row an outcome; of shifts as `predictor.records.shift_rows` says them, of robustness their averages.

    reference : runs of the same target set, through which the line of effective robustness goes
    """
    from predictor.records.shift_rows import SHIFT, shift_rows, with_averages

    others = [other for other in reference if other.run_id != record.run_id]
    own = [row for row in shift_rows([record, *others]) if row["run_id"] == record.run_id]
    shifts = {SHIFT + row["shift"]: row for row in own}
    if own:
        shifts["robustness"] = with_averages(own)[-1]
    return [
        {
            "outcome": name,
            "value": outcome.value,
            "plain": outcome.plain,
            "classes": len(outcome.classes) or None,
            "images": sum(outcome.tested) or None,
            "chance": outcome.chance,
            **{key: shifts.get(name, {}).get(key) for key in ("clean", "difference", "effective")},
        }
        for name, outcome in record.outcomes.items()
    ]


def _reference(runs: Path, target_set: str, shifts: Sequence[str]) -> list[RunRecord]:
    """The runs that make the lines. Raises RegistryError where they make none for one of the shifts."""
    from predictor.errors import RegistryError, listed
    from predictor.records import read_registry
    from predictor.statistics.effective import FEWEST

    every = read_registry(runs)
    alike = [record for record in every if record.target_set == target_set]
    for shift in shifts:
        n = sum(shift in record.outcomes and record.outcomes[shift].clean_value is not None for record in alike)
        if n < FEWEST:
            there = {f"{r.target_set}: {name}" for r in every for name in r.outcomes if name.startswith("shift:")}
            raise RegistryError(
                f"has {n} runs of target set {target_set!r} under {shift} with clean accuracy on the same classes; "
                f"a reference set needs {FEWEST}",
                where=str(runs),
                remedy="call target set and shifts as the registry does (--target-set, --shift NAME=PATH); it has "
                f"{listed(sorted(there)) or 'no shift'}",
            )
    return alike
