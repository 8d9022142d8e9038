"""Counter-based random numbers: every number is a function of a key and its place, on any device, in any batch."""

from __future__ import annotations

import torch
from torch import Tensor

from predictor.spec import seeded

GOLDEN = 0x9E3779B97F4A7C15
_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def key(*words: str | int) -> int:
    """A signed 64-bit key that depends on nothing but its words.

    >>> key("augment", 0) == key("augment", 0) != key("augment", 1)
    True
    """
    return int(seeded(*words).integers(-(2**63), 2**63))


def uniforms(
    key: int | Tensor, first: int | Tensor, n: int, columns: int, device: str | torch.device = "cpu"
) -> Tensor:
    """(n, columns) float32 in [0, 1): row i belongs to number `first + i`, whatever else is drawn with it.

    key, first : as tensors of no dimension on the device they keep a compiled graph the same from step to step

    SplitMix64 (Steele, Lea, Flood 2014) as a counter-based generator: the finaliser of key + counter * golden ratio.

    >>> whole, part = uniforms(7, 0, 4, 3), uniforms(7, 2, 2, 3)
    >>> bool((whole[2:] == part).all())
    True
    """
    counter = torch.arange(n * columns, device=device) + first * columns
    z = counter * _signed(GOLDEN) + key  # wraps around, as in C
    z = (z ^ _shifted(z, 30)) * _signed(_MULTIPLIERS[0])
    z = (z ^ _shifted(z, 27)) * _signed(_MULTIPLIERS[1])
    z = z ^ _shifted(z, 31)
    return (_shifted(z, 40).float() * 2.0**-24).view(n, columns)


def _shifted(z: Tensor, bits: int) -> Tensor:
    """Logical shift to the right; torch's own copies the sign."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
