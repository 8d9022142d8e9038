"""`trainer evaluate`: a pretrained network with its own head, tested as it is."""

from __future__ import annotations

from pathlib import Path

import click

from trainer.options import FORMAT, RUNS


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
    classes: str | None, stages: tuple[int, ...], image_size: int | None, study: str, target_set: str, domain: str,
    device: str, threads: int, runs_dir: Path, fmt: str,
) -> None:  # fmt: skip
    """Test a pretrained MODEL of timm with its own classifier; logits of classes that are not tested are masked.

    Heads of ImageNet's 1k, 12k and 21k classes are known; images are named by their classes' WordNet ids, as ImageNet's
    folders are. Folders that are numbered, as ImageNet-V2's, go by a view: a YAML file of `images: FOLDER` and
    `classes: imagenet-1k`. Writes a record with the stages of its training.
    """
    from predictor.records import write_record
    from predictor.render.tables import json_text, rows_text
    from trainer.machine import choose_device
    from trainer.provenance import code_commit
    from trainer.zero_shot import evaluate as evaluated
    from trainer.zero_shot import load_network, named_tests, read_targets_file

    tested = read_targets_file(targets)
    tests = named_tests(test_set, shifts)
    found = Path(classes) if classes else None
    zero = load_network(model, weights, found.name if found else None, image_size, found.parent if found else Path())
    record, notes = evaluated(
        zero, tested, tests, split=split, stages=stages, study=study, target_set=target_set, domain=domain,
        device=choose_device(device), threads=threads, commit=code_commit(),
    )  # fmt: skip
    written = write_record(runs_dir, record)
    rows = [
        {
            "outcome": name,
            "value": own.value,
            "plain": own.plain,
            "classes": len(own.classes) or None,
            "images": sum(own.tested) or None,
            "clean": own.clean_value,
        }
        for name, own in record.outcomes.items()
    ]
    if fmt == "json":
        click.echo(json_text({"schema_version": 1, "run_id": record.run_id, "stages": record.axes["stages"],
                              "outcomes": rows, "notes": notes, "written": str(written)}))  # fmt: skip
        return
    shares = {name: "{:.3f}".format for name in ("value", "plain", "clean")} if fmt in ("table", "markdown") else None
    click.echo(rows_text(rows, fmt, formats=shares))
    if fmt == "table":
        for note in (f"stages: {record.axes['stages']}", *notes, f"{written}: written"):
            click.echo(note)
