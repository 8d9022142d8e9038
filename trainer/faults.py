"""Errors that carry something on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class UnrecordedError(Exception):
    """A run was trained and tested, and no record could be made of it. result : what it found, as plain data"""

    def __init__(self, result: Mapping[str, Any], error: Exception):
        self.result = result
        super().__init__(f"{type(error).__name__}: {error}")
