"""Images that belong together, so that no group is on both sides of a split."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

_NUMBER = re.compile(r"([0-9]+)(?!.*[0-9])", re.DOTALL)


def numbered_groups(ids: NDArray[np.str_], neighbours: int) -> list[str]:
    """The group of each image by the last whole number in its id. Raises ValueError naming an id without a number.

    >>> numbered_groups(np.array(["fnt:img001-00004", "fnt:img002-00005"]), 4)
    ['0', '1']
    """
    groups = []
    for name in ids.tolist():
        found = _NUMBER.search(name)
        if not found:
            raise ValueError(f"image {name!r} has no number in its id")
        groups.append(str((int(found[1]) - 1) // neighbours))
    return groups


def named_groups(ids: NDArray[np.str_], pattern: str) -> list[str]:
    """The group of each image: what a regular expression finds in its id, its first part in brackets where it has one.

    Raises ValueError for an id without it.

    >>> named_groups(np.array(["cat/012_a.jpg", "cat/012_b.jpg"]), "([0-9]+)_")
    ['012', '012']
    """
    wanted = re.compile(pattern)
    groups = []
    for name in ids.tolist():
        found = wanted.search(name)
        if not found:
            raise ValueError(f"{pattern!r} is not in the name {name!r}")
        groups.append(found[1] if wanted.groups and found[1] is not None else found[0])
    return groups


def joined(groups: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) groups, with those that a pair of images connects made one.

    pairs : (P, 2) rows

    >>> joined(np.array([0, 1, 2, 2]), np.array([[0, 3]])).tolist()
    [0, 1, 0, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names, codes = np.unique(groups, return_inverse=True)
    a, b = codes[pairs[:, 0]], codes[pairs[:, 1]]
    graph = coo_array((np.ones(len(a), bool), (a, b)), shape=(len(names), len(names)))
    return connected_components(graph, directed=False)[1].astype(np.int64)[codes]
