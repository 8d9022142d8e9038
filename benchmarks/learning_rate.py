"""Choose the learning rate of a grid on a validation split of its training data; no test image is read.

    python benchmarks/learning_rate.py GRID.yaml DIR TARGET_SET [RATE ...]

Trains the grid's network on 100 images a class at each rate with two seeds and prints validation accuracy. Every
eighth group of images is held out; a group is a family of four neighbouring fonts where the file id says `fnt:`, else
one image.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from predictor.grids import load_grid
from predictor.spec import RunSpec
from trainer.data.selection import training_sets
from trainer.data.sources import Source, open_source
from trainer.device import choose_precision, prepare
from trainer.evaluate import score, target_logits
from trainer.stages import Training


def with_validation(source: Source) -> Source:
    """The source with every eighth group of its training images moved to the split 'validation'."""
    ids = [source.describe(row) for row in range(len(source.labels))]
    group = [(int(i.rsplit("-", 1)[1].rstrip(")")) - 1) // 4 if "fnt:" in i else row for row, i in enumerate(ids)]
    moved = (source.splits == "train") & (np.array(group) % 8 == 1)
    return replace(source, splits=np.where(moved, "validation", source.splits), _decoded={})


def validation_accuracy(spec: RunSpec, source: Source, rate: float) -> float:
    """Class-balanced accuracy on the validation split after the spec's training at another rate."""
    spec = spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"learning_rate": rate})})
    precision = choose_precision("cpu")
    training = Training(
        spec,
        training_sets(spec, lambda _: source),
        device="cpu",
        precision=precision,
        compiled=False,
        checkpoint=None,
        progress=None,
    )
    trained = training.run()
    if not trained.finite:
        return float("nan")
    rows = [source.rows(name, "validation") for name in spec.target.classes]
    labels = torch.tensor(np.repeat(np.arange(len(rows)), [len(part) for part in rows]))
    pixels = source.pixels(np.concatenate(rows), spec.model.image_size)
    logits = target_logits(trained.model, pixels, len(rows), "cpu", precision)
    return score(logits, labels, spec.target.classes).balanced


def main(grid_file: str, folder: str, target_set: str, *rates: str) -> None:
    torch.set_num_threads(1)
    prepare("cpu")
    grid = load_grid(grid_file)
    planned = [run for run in grid.runs if run.target_set == target_set and run.axes["others"] == "none"]
    stage = planned[0].spec.stages[0]
    source_name = stage.data.source
    entry = grid.sources[source_name]
    source = with_validation(open_source(source_name, Path(folder) / (entry.file or ""), entry.digest))
    for rate in rates or ("0.01", "0.02", "0.04", "0.08"):
        reached = []
        for run in planned[:2]:  # two seeds of one configuration
            data = stage.data.model_copy(update={"samples_per_class": 100})
            spec = run.spec.model_copy(update={"stages": (stage.model_copy(update={"data": data}),)})
            reached.append(validation_accuracy(spec, source, float(rate)))
        print(f"{target_set} rate {rate}: {', '.join(f'{a:.3f}' for a in reached)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
