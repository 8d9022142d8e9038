"""What a device tells of itself."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from trainer.device import peak_memory, reset_peak_memory


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process can be reset on Linux alone")
def test_peak_memory_is_that_since_the_reset() -> None:
    reset_peak_memory("cpu")
    before = peak_memory("cpu")
    large = np.ones(200_000_000, np.uint8)
    assert peak_memory("cpu") > before + 150_000_000
    del large
    reset_peak_memory("cpu")
    assert peak_memory("cpu") < before + 100_000_000
