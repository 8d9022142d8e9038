"""Test a trained network on the clean test set and every shift, as the paper does: other logits are masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from predictor.images.decoding import Pixels
from trainer.augment import normalise
from trainer.device import Precision, autocast

BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Tested:
    """Per-class results on one test set.

    classes : the target classes that the test set has images of, in target order
    tested, correct : images of each, and how many were right among all targets
    correct_intersection : how many were right when only the classes above could be predicted
    """

    classes: list[str]
    tested: list[int]
    correct: list[int]
    correct_intersection: list[int]

    @property
    def balanced(self) -> float:
        """Mean of the per-class accuracies."""
        return float(np.mean([k / n for k, n in zip(self.correct, self.tested, strict=True)]))

    @property
    def plain(self) -> float:
        """Share of all images that were right."""
        return sum(self.correct) / sum(self.tested)

    @property
    def balanced_intersection(self) -> float:
        """Class-balanced accuracy when only the classes of this test set could be predicted."""
        return float(np.mean([k / n for k, n in zip(self.correct_intersection, self.tested, strict=True)]))


@torch.inference_mode()
def target_logits(
    model: nn.Module, pixels: Pixels, n_targets: int, device: str, precision: Precision = "fp32"
) -> Tensor:
    """(N, n_targets) logits on the CPU. Targets stand first in the head; all others are left out, as if at -inf."""
    model.eval()
    parts = []
    for first in range(0, len(pixels), BATCH):
        images = normalise(torch.from_numpy(pixels[first : first + BATCH]).to(device))
        with autocast(device, precision):
            logits = model(images)
        parts.append(logits[:, :n_targets].float())
    return torch.cat(parts).cpu()  # all at once: nothing waits for the device before


def score(logits: Tensor, labels: Tensor, targets: Sequence[str]) -> Tested:
    """Count what is right per class.

    logits : (N, T) of the target classes; labels : (N,) positions in `targets`
    """
    present = torch.unique(labels).tolist()
    right = logits.argmax(1) == labels
    masked = torch.full_like(logits, -torch.inf)
    masked[:, present] = logits[:, present]
    right_among_present = masked.argmax(1) == labels
    of_class = [labels == position for position in present]
    return Tested(
        classes=[targets[position] for position in present],
        tested=[int(mask.sum()) for mask in of_class],
        correct=[int(right[mask].sum()) for mask in of_class],
        correct_intersection=[int(right_among_present[mask].sum()) for mask in of_class],
    )
