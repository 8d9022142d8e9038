"""How fast a network is trained and tested here, found in well under a minute: a few steps on noise.

Speed depends on the network, the resolution and the recipe, not on what the images show. Where a batch of the recipe
takes long, smaller ones are timed, and a whole batch is taken to need as much for each image: on processors that is
close, and rather too long than too short.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from predictor.distribution import LabelDistribution
from predictor.spec import Recipe, RunSpec
from trainer.data.selection import TrainingSet
from trainer.device import choose_precision, prepare, waited
from trainer.evaluate import target_logits
from trainer.loop import State, new_state, train
from trainer.networks import network
from trainer.networks.pretrained import freeze

SECONDS = 15.0  # of timed steps, at most
STEP = 2.0  # seconds that a timed step may take; a batch that takes longer is cut
STEPS = 20  # timed, at most
FIRST = 2  # images of the first, untimed batch
TRIED = 3  # steps of the first try: the last one counts
FACTOR = 8  # times larger than the first try: beyond it one more try tells better

Say = Callable[[str], None]


@dataclass(frozen=True)
class MeasuredGrid:
    """Seconds for one image: of a training step, and of a test.

    images : of a timed batch; steps : that were timed; whole : whether the batch was the recipe's
    """

    train: float
    test: float
    images: int
    steps: int
    whole: bool


class _EnoughError(Exception):
    """Enough steps were timed."""


def measure(spec: RunSpec, device: str, threads: int, say: Say = lambda text: None) -> MeasuredGrid:
    """Time the first stage's training steps and the test of a network, with random weights; nothing is kept.

    say : called with what is being done
    """
    prepare(device)
    torch.set_num_threads(threads)
    size, wanted = spec.model.image_size, spec.recipe_of(0).batch_size
    say(f"{spec.model.name} at {size} px: made")
    how = {"device": device, "precision": choose_precision(device), "batches": (), "compiled": False}
    model = network(spec.model, 0, **how).model
    if spec.model.train.startswith("last:"):
        freeze(model, int(spec.model.train.split(":")[1]))
    if spec.model.frozen:  # every image is looked at once, and the head is solved for
        test = _test(model, size, min(FIRST, wanted), device)
        return MeasuredGrid(test, test, min(FIRST, wanted), 0, False)
    recipe = spec.recipe_of(0)
    n, each = min(FIRST, wanted), 0.0
    while True:  # larger batches, until one takes as long as it may
        say(f"{spec.model.name} at {size} px: a batch of {n}")
        seconds = _steps(model, recipe, size, n, device, steps=TRIED, budget=STEP * TRIED)
        each = seconds[-1] / n
        larger = min(wanted, n * FACTOR, max(n, int(STEP / each)))
        if larger <= n:
            break
        n = larger
    if sum(seconds) < SECONDS:
        say(f"{spec.model.name} at {size} px: up to {STEPS} steps of {n} images, {each * n:.2g} s each")
        seconds = _steps(model, recipe, size, n, device, steps=STEPS, budget=SECONDS)
    timed = seconds[1:] or seconds
    say(f"{spec.model.name} at {size} px: a test")
    return MeasuredGrid(median(timed) / n, _test(model, size, n, device), n, len(timed), n == wanted)


def _test(model: torch.nn.Module, size: int, n: int, device: str) -> float:
    """Seconds for one image of a test."""
    pixels, precision = _noise(n, size), choose_precision(device)
    seconds = []
    for _ in range(2):  # the first time prepares what the next ones have; of a slow network it is enough
        begun = time.perf_counter()
        target_logits(model, pixels, 1, device, precision)
        waited(device)
        seconds.append(time.perf_counter() - begun)
        if seconds[0] > STEP:
            break
    return seconds[-1] / n


def _steps(
    model: torch.nn.Module, recipe: Recipe, size: int, n: int, device: str, *, steps: int, budget: float
) -> list[float]:
    """Seconds of each step of a batch of n images, as a run takes it: draws, augmentation, both passes, update."""
    labels = np.zeros(n, dtype=np.int64)
    one = LabelDistribution.from_counts({"noise": n})
    data = TrainingSet(
        pixels=_noise(n, size), labels=labels, keys=np.arange(n, dtype=np.uint64), classes=["noise"], distribution=one
    )
    marks: list[float] = []
    begun = time.perf_counter()

    def between(state: State, total: int) -> None:
        waited(device)
        marks.append(time.perf_counter())
        if len(marks) > 1 and marks[-1] - begun > budget:
            raise _EnoughError

    own = recipe.model_copy(update={"batch_size": n, "learning_rate": 1e-6})
    with suppress(_EnoughError):
        train(
            new_state(model, own), data, image_steps=(steps + 1) * n, recipe=own, training_seed=0, device=device,
            precision=choose_precision(device), between_steps=between,
        )  # fmt: skip
    return np.diff(marks).tolist()


def _noise(n: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 3, size, size), dtype=np.uint8)
