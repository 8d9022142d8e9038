"""Choose the learning rate of a grid on a validation split of its training data; no test image is read.

    python benchmarks/learning_rate.py GRID.yaml DIR TARGET_SET [--rate 0.01 ...] [--neighbours 4] [--threads 1]

Trains the grid's network on 100 images a class of `train:fit` at each rate with two seeds and prints the
class-balanced accuracy on `train:validation`. Fonts come in families of four neighbours: --neighbours 4 keeps each in
one part (`train:fit@4`, `trainer.data.splits`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from predictor.grids import load_grid
from predictor.spec import RunSpec
from trainer.run import run_spec


def on_validation(spec: RunSpec, rate: float, ending: str, samples_per_class: int) -> RunSpec:
    """The spec's first stage on the fit part of its split, tested on the validation part of the same split."""
    content = spec.content()
    stage = content["stages"][0]
    split = spec.stages[0].data.split
    source = stage["data"]["source"]
    data = {"source": source, "samples_per_class": samples_per_class, "split": f"{split}:fit{ending}"}
    test = {"source": source, "split": f"{split}:validation{ending}"}
    content |= {
        "sources": {source: spec.sources[source]},
        "target": {"name": spec.target.name, "classes": spec.target.classes, "test": test},
        "stages": [{**stage, "data": data}],
        "recipe": {**content["recipe"], "learning_rate": rate},
    }
    return RunSpec.model_validate(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("grid", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("target_set")
    parser.add_argument("--rate", type=float, action="append", dest="rates")
    parser.add_argument("--neighbours", type=int)
    parser.add_argument("--samples-per-class", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    grid = load_grid(options.grid)
    planned = [run for run in grid.runs if run.target_set == options.target_set][:2]  # two seeds of one configuration
    ending = f"@{options.neighbours}" if options.neighbours else ""
    for rate in options.rates or (0.01, 0.02, 0.04, 0.08):
        reached = []
        for run in planned:
            record = run_spec(
                on_validation(run.spec, rate, ending, options.samples_per_class),
                study=grid.study,
                axes=run.axes,
                domain=run.domain,
                held_out=False,
                data_dir=options.data,
                files={name: source.file for name, source in grid.sources.items()},
                threads=options.threads,
            )
            reached.append(record.outcomes["accuracy"].value if record.outcomes else float("nan"))
        print(f"{options.target_set} rate {rate:g}: {', '.join(f'{a:.3f}' for a in reached)}", flush=True)


if __name__ == "__main__":
    main()
