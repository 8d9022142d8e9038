"""Computed numbers that are equal to twelve significant digits are equal; numpy alone.

0.1 + 0.2 is not 0.3 in floating point, and a mean depends on the order of its sum in the last bits. What ranks, pairs,
ties, folds and scales compare are such numbers, so all of them ask here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
DIGITS = 1e-12  # relative difference up to which two numbers are the same one
ULPS = 4 * float(np.finfo(np.float64).eps)  # of the largest number of a row: what a sum that cancels leaves of 0


def tied(values: ArrayLike, *, of: float = 0.0) -> Floats:
    """The values, each run of equal ones replaced by its lowest: rows along the last axis stand for themselves.

    of : size of the numbers that the values were computed from, where differences cancel most of it (1 for
        differences of accuracies); values that are equal to twelve digits of it are equal too
    nan stays nan. Numbers are equal that a chain of neighbours connects, so that equality is transitive.

    >>> tied([0.3, 0.1 + 0.2, 0.4]).tolist()
    [0.3, 0.3, 0.4]
    >>> tied([5e-17, 0.0], of=1.0).tolist()
    [0.0, 0.0]
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim == 0 or numbers.shape[-1] < 2:
        return numbers.copy()
    order = np.argsort(numbers, axis=-1, kind="stable")
    ordered = np.take_along_axis(numbers, order, -1)
    size = np.where(np.isfinite(ordered), np.abs(ordered), 0.0)
    least = np.maximum(ULPS * size.max(axis=-1, keepdims=True), DIGITS * of)
    with np.errstate(invalid="ignore"):
        gap = ordered[..., 1:] - ordered[..., :-1]
    new = gap > np.maximum(DIGITS * np.maximum(size[..., 1:], size[..., :-1]), least)
    if new.all():
        return numbers.copy()
    first = np.zeros(ordered.shape, dtype=np.int64)
    first[..., 1:] = np.where(new, np.arange(1, ordered.shape[-1]), 0)
    lowest = np.take_along_axis(ordered, np.maximum.accumulate(first, axis=-1), -1)
    result = np.empty_like(numbers)
    np.put_along_axis(result, order, np.where(np.isnan(ordered), np.nan, lowest), -1)
    return result


def first_least(values: ArrayLike, *, of: float = 0.0) -> NDArray[np.int64]:
    """Index along the last axis of the least value, of the first one where several are equal; `of` as in `tied`.

    >>> first_least([0.4, 0.1 + 0.2, 0.3]).item()
    1
    """
    numbers = np.asarray(values, dtype=np.float64)
    return np.argmax(at_least(numbers.min(axis=-1, keepdims=True), numbers, of=of), axis=-1)


def varies(values: ArrayLike, *, of: float = 0.0) -> bool:
    """Whether the values are not all equal; `of` as in `tied`.

    >>> varies([0.3, 0.1 + 0.2]), varies([0.3, 0.4]), varies([])
    (False, True, False)
    """
    settled = tied(np.ravel(np.asarray(values, dtype=np.float64)), of=of)
    return bool(len(settled) and (settled != settled[0]).any())


def same(a: ArrayLike, b: ArrayLike, *, of: float = 0.0) -> NDArray[np.bool_]:
    """Which of the numbers a and b are equal; `of` as in `tied`.

    >>> same(0.1 + 0.2, 0.3).item(), same(0.1 + 0.2 - 0.3, 0.0).item(), same(0.1 + 0.2 - 0.3, 0.0, of=1.0).item()
    (True, False, True)
    """
    first, second = (np.asarray(item, dtype=np.float64) for item in (a, b))
    with np.errstate(invalid="ignore"):
        apart = np.abs(first - second)
    finite = np.where(np.isfinite(first) & np.isfinite(second), np.maximum(np.abs(first), np.abs(second)), 0.0)
    return (first == second) | (apart <= DIGITS * np.maximum(finite, of))


def at_least(a: Any, b: Any, *, of: float = 0.0) -> NDArray[np.bool_]:
    """Which numbers a are greater than b or equal to it; `of` as in `tied`.

    >>> at_least(0.3, 0.1 + 0.2).item(), at_least(0.29, 0.3).item()
    (True, False)
    """
    return (np.asarray(a) >= np.asarray(b)) | same(a, b, of=of)
