"""What one reader by itself says of a path, whatever reader would have recognised it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

from predictor.manifest.counted import Counted, Request
from predictor.manifest.counting import count_labels


def reading(reader: ModuleType) -> Callable[[Path, Request], Counted]:
    """The function that counts with this reader."""
    return partial(count_labels, reader)
