"""What a device tells of itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

ALONE = """
import numpy as np
from trainer.device import peak_memory, reset_peak_memory

reset_peak_memory("cpu")
before = peak_memory("cpu")
large = np.ones(200_000_000, np.uint8)
during = peak_memory("cpu")
del large
reset_peak_memory("cpu")
print(during - before > 150_000_000, peak_memory("cpu") - before < 100_000_000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process can be reset on Linux alone")
def test_peak_memory_is_that_since_the_reset() -> None:
    """In a process of its own: the peak is the process's, and in this one other tests leave what they hold."""
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True)
    assert done.stdout == "True True\n", done.stderr
