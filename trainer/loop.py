"""One stage of training, readable from top to bottom.

SGD with Nesterov momentum, linear warm-up, cosine. Everything random is a function of (training seed, epoch, step):
a stage that continues from a checkpoint is exact, and weights, order and augmentation are seeded apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from predictor.spec import LAST_JOINED, PROTOCOL, SMOOTHED_OVER_TRAINED, STAGES_APART, Recipe, last_alone
from trainer import randomness
from trainer.augment import Augmentation, augmentation
from trainer.data.selection import TrainingSet, epoch_order
from trainer.device import Precision, autocast, generator_of

LOOK_EVERY = 50  # steps, at least, between two looks at the loss: each look waits for the device
AHEAD = 50  # steps whose rows go to the device at once


@dataclass
class State:
    """What a stage needs to go on: network, optimiser and the next step.

    forward : the network as it is called on whole batches; on CUDA a compiled one with the same weights
    """

    model: nn.Module
    optimiser: torch.optim.Optimizer
    forward: Callable[[Tensor], Tensor]
    step: int = 0


def n_steps(image_steps: int, batch_size: int, protocol: int = PROTOCOL) -> int:
    """Steps of a stage; the last batch is smaller where the numbers do not divide, or has one image more.

    >>> n_steps(64, 32), n_steps(65, 32), n_steps(66, 32)
    (2, 2, 3)
    """
    steps = math.ceil(image_steps / batch_size)
    return steps - (protocol >= LAST_JOINED and last_alone(image_steps, batch_size))


def pieces(n: int, size: int, protocol: int = PROTOCOL) -> list[tuple[int, int]]:
    """Where the pieces of a batch of n images begin and end: `size` images each, a rest of one joined to the last.

    >>> pieces(7, 3), pieces(8, 3), pieces(1, 3)
    ([(0, 3), (3, 7)], [(0, 3), (3, 6), (6, 8)], [(0, 1)])
    """
    begins = list(range(0, n, size))
    if protocol >= LAST_JOINED and size > 1 and last_alone(n, size):
        begins.pop()
    return list(zip(begins, [*begins[1:], n], strict=True))


def loss_of(logits: Tensor, labels: Tensor, smoothing: float, spread: Tensor | None) -> Tensor:
    """Cross-entropy with label smoothing (Szegedy et al. 2016), summed over the batch.

    logits : (B, C); labels : (B,)
    spread : (C,) the distribution that smoothing mixes in; None: the same for all logits
    """
    if not smoothing or spread is None:
        return F.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)
    wanted = smoothing * spread + (1 - smoothing) * F.one_hot(labels, logits.shape[1])
    return F.cross_entropy(logits, wanted, reduction="sum")


def evenly(labels: Tensor, n_logits: int) -> Tensor:
    """(C,) equal shares for the classes that have images, 0 for all other logits."""
    there = torch.bincount(labels.cpu(), minlength=n_logits) > 0
    return (there / there.sum()).to(labels.device)


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Linear warm-up over a share of the steps, then a half cosine to zero."""
    warm = max(1, round(recipe.warmup * steps))
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def new_state(model: nn.Module, recipe: Recipe, forward: Callable[[Tensor], Tensor] | None = None) -> State:
    """Optimiser for a network; weight decay on matrices and kernels only, as is usual."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0, fused=True
    )
    return State(model, optimiser, model if forward is None else forward)  # a compiled network has no truth value


def train(
    state: State,
    data: TrainingSet,
    *,
    image_steps: int,
    recipe: Recipe,
    training_seed: int,
    stage: int = 0,
    protocol: int = PROTOCOL,
    device: str = "cpu",
    precision: Precision = "fp32",
    augment: Augmentation | None = None,
    micro_batch: int | None = None,
    between_steps: Callable[[State, int], None] | None = None,
) -> bool:
    """Train to the end of the stage from wherever `state` stands; False where the loss stopped being finite.

    augment : how whole batches are augmented; on CUDA compiled. None: as the recipe says
    micro_batch : images at once on the device; gradients of a batch are added up, so its size stays the recipe's
    between_steps : called before each step with the state and the number of steps; what it raises ends the training
    """
    pixels = torch.from_numpy(data.pixels).to(device)
    labels = torch.from_numpy(data.labels).to(device)
    orders = stage if protocol >= STAGES_APART else 0
    batches = Ahead(Batches(data.keys, recipe.batch_size, image_steps, training_seed, orders, protocol), device)
    spread: Tensor | None = None
    draws = torch.tensor(randomness.key("augment", training_seed, stage), device=device)
    dropped, generator = randomness.key("dropout", training_seed, stage) >> 1, generator_of(device)
    plain = augmentation(recipe.augmentation, flip=recipe.flip)
    size = min(micro_batch or recipe.batch_size, recipe.batch_size)
    steps = n_steps(image_steps, recipe.batch_size, protocol)
    look = max(LOOK_EVERY, len(data.keys) // recipe.batch_size)
    finite = torch.ones((), dtype=torch.bool, device=device)
    state.model.train()
    while state.step < steps:
        if between_steps:
            between_steps(state, steps)
        for group in state.optimiser.param_groups:
            group["lr"] = learning_rate(state.step, steps, recipe)
        generator.manual_seed(dropped + state.step)  # what a network itself draws: dropout, stochastic depth
        rows, first = batches[state.step]
        for start, end in pieces(len(rows), size, protocol):
            part = rows[start:end]
            whole = len(part) == size  # what is compiled is made for these; the last, smaller one goes around it
            images = (augment if augment and whole else plain)(pixels[part], draws, first + start)
            with autocast(device, precision):
                logits = (state.forward if whole else state.model)(images)
            if recipe.label_smoothing and spread is None and protocol >= SMOOTHED_OVER_TRAINED:
                spread = evenly(labels, logits.shape[1])
            loss = loss_of(logits.float(), labels[part], recipe.label_smoothing, spread) / len(rows)
            loss.backward()
            finite &= torch.isfinite(loss.detach())
        state.optimiser.step()
        state.optimiser.zero_grad(set_to_none=True)
        state.step += 1
        if (state.step % look == 0 or state.step == steps) and not finite.item():
            return False
    return True


class Batches:
    """Rows of each batch of a stage: epochs in their own order, one after the other, cut into batches."""

    def __init__(
        self,
        keys: np.ndarray,
        batch_size: int,
        image_steps: int,
        training_seed: int,
        stage: int = 0,
        protocol: int = PROTOCOL,
    ):
        self.keys, self.batch_size, self.image_steps = keys, batch_size, image_steps
        self.training_seed, self.stage = training_seed, stage
        self.steps = n_steps(image_steps, batch_size, protocol)
        self._orders: dict[int, np.ndarray] = {}

    def __getitem__(self, step: int) -> np.ndarray:
        """(B,) rows; a batch may span the end of an epoch."""
        return self.of_steps(step, step + 1)

    def of_steps(self, begin: int, end: int) -> np.ndarray:
        """Rows of the batches begin, ..., end - 1 in one array."""
        stop = end * self.batch_size if end < self.steps else self.image_steps
        position = np.arange(begin * self.batch_size, stop)
        epoch, place = np.divmod(position, len(self.keys))
        needed = range(int(epoch[0]), int(epoch[-1]) + 1)
        before, self._orders = self._orders, {}
        for e in needed:
            self._orders[e] = before[e] if e in before else epoch_order(self.keys, self.training_seed, e, self.stage)
        counts = np.bincount(epoch - needed.start)
        places = np.split(place, np.cumsum(counts)[:-1])
        return np.concatenate([self._orders[e][of_epoch] for e, of_epoch in zip(needed, places, strict=True)])


class Ahead:
    """Batches on the device, sent there for many steps at once: a step waits for nothing and sends nothing."""

    def __init__(self, batches: Batches, device: str):
        self.batches, self.device = batches, device
        self._begin = self._end = 0

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """(B,) rows of a batch, and the number of its first image, counted through the stage, of no dimension."""
        size = self.batches.batch_size
        if not self._begin <= step < self._end:
            self._begin, self._end = step, step + AHEAD
            self._rows = _sent(torch.from_numpy(self.batches.of_steps(self._begin, self._end)), self.device)
            self._firsts = torch.arange(self._begin * size, self._end * size, size, device=self.device)
        at = step - self._begin
        end = None if step == self.batches.steps - 1 else (at + 1) * size
        return self._rows[at * size : end], self._firsts[at]


def _sent(rows: Tensor, device: str) -> Tensor:
    """To the device without waiting for it."""
    return rows.pin_memory().to(device, non_blocking=True) if device == "cuda" else rows
