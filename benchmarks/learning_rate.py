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
from trainer.data.selection import training_set
from trainer.data.sources import Source, open_source
from trainer.evaluate import score, target_logits
from trainer.loop import new_state, train
from trainer.networks import create


def with_validation(source: Source) -> Source:
    """The source with every eighth group of its training images moved to the split 'validation'."""
    ids = [source.describe(row) for row in range(len(source.labels))]
    group = [(int(i.rsplit("-", 1)[1].rstrip(")")) - 1) // 4 if "fnt:" in i else row for row, i in enumerate(ids)]
    moved = (source.splits == "train") & (np.array(group) % 8 == 1)
    return replace(source, splits=np.where(moved, "validation", source.splits), _decoded={})


def validation_accuracy(spec: RunSpec, source: Source, rate: float) -> float:
    """Class-balanced accuracy on the validation split after the spec's training at another rate."""
    data = training_set(spec, 0, lambda _: source)
    torch.manual_seed(spec.seeds.training)
    model = create(spec.model.name, head=spec.model.head, image_size=spec.model.image_size)
    recipe = spec.recipe.model_copy(update={"learning_rate": rate})
    state = new_state(model.to(memory_format=torch.channels_last), recipe)
    steps = spec.stages[0].image_steps
    if not train(state, data, image_steps=steps, recipe=recipe, training_seed=spec.seeds.training):
        return float("nan")
    rows = [source.rows(name, "validation") for name in spec.target.classes]
    labels = torch.tensor(np.repeat(np.arange(len(rows)), [len(part) for part in rows]))
    pixels = source.pixels(np.concatenate(rows), spec.model.image_size)
    return score(target_logits(model, pixels, len(rows), "cpu"), labels, spec.target.classes).balanced


def main(grid_file: str, folder: str, target_set: str, *rates: str) -> None:
    torch.set_num_threads(1)
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
